"""The first trade as a command: from an empty directory to a closed order and an awarded auction."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

LIMIT_S = 110


def zhecai(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "portal", *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first-trade") / "data"


@pytest.fixture(scope="module")
def summary(data: Path) -> dict[str, Any]:
    done = zhecai("scenario", "first-trade", "--json", "--data", str(data))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


def test_goods_are_imported_and_a_repeated_row_is_recognised(summary: dict[str, Any]) -> None:
    goods = summary["goods"]

    assert (goods["rows"], goods["imported"], goods["duplicates"], goods["rejected"]) == (12, 11, 1, 0)


def test_the_order_is_closed_and_its_money_is_consumed(summary: dict[str, Any]) -> None:
    order = summary["order"]

    assert order["timeline"] == ["placed", "accepted", "shipped", "received", "closed"]
    assert order["budget_consumed_fen"] == order["total_fen"] > 0


def test_the_auction_of_five_is_awarded_to_the_lowest(summary: dict[str, Any]) -> None:
    auction = summary["auction"]

    assert (auction["bidders"], auction["stage"], auction["refused"]) == (5, "awarded", 1)
    assert auction["winner"]
    assert auction["frames_to_the_public"] > 1


def test_every_state_follows_from_the_journal(summary: dict[str, Any]) -> None:
    assert summary["ok"]
    assert summary["verify"]["differences"] == []


def test_verify_is_clean_afterwards_and_a_second_first_trade_is_refused(summary: dict[str, Any], data: Path) -> None:
    verified = zhecai("verify", "--data", str(data))
    again = zhecai("scenario", "first-trade", "--data", str(data))

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"{summary['verify']['entries']} entries" in verified.stdout
    assert again.returncode == 1
    assert "holds data already" in again.stderr.replace("\n", " ")


def test_goods_that_cannot_be_read_end_it_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "goods.csv"
    file.write_text("名称,单价\n没有单位的商品,1.00\n", "utf-8")

    done = zhecai("scenario", "first-trade", "--data", str(tmp_path / "data"), "--goods", str(file))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "unit" in done.stderr
