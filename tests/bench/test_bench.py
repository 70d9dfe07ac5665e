"""Each bench runs, checks the journal and says what it has to say; what it measures here is not looked at."""

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from rich.console import Console

from bench import auction, history, orders, program, result, viewers
from bench.options import Measured, Options
from bench.result import Bar, Result, at_least, at_most

pytestmark = pytest.mark.timeout(240)
TINY = Options(rounds=1, seconds=0.3, connections=4)


def measured(bench: ModuleType, directory: Path) -> Measured:
    found: Measured = asyncio.run(bench.run(TINY, directory, lambda _: None))
    return found


def test_offers_are_measured_against_the_echo_and_all_are_in_the_journal(tmp_path: Path) -> None:
    found = measured(auction, tmp_path)

    assert [bar.of for bar in found.bars] == ["ratio", "ratio", "value", "value"]
    assert {"echo", "many", "one", "many_paced", "one_paced"} <= found.rounds[0].keys()
    assert found.checks["journal"]["acknowledged"] > 0
    assert found.right, found.checks


def test_orders_are_measured_against_the_echo_and_all_are_in_the_journal(tmp_path: Path) -> None:
    found = measured(orders, tmp_path)

    assert found.checks["journal"]["orders"] == found.checks["journal"]["acknowledged"] > 0
    assert found.right, found.checks


def test_viewers_are_measured_against_the_bare_broadcast(tmp_path: Path) -> None:
    found = measured(viewers, tmp_path)

    assert found.rounds[0]["hall"]["offers"] > 0
    assert found.rounds[0]["bare_saturated"]["frames"] > 0
    assert found.right, found.checks


@pytest.mark.parametrize(("values", "baselines", "ok"), [([5, 5, 1], [10, 10, 9], True), ([4.9], [10], False)])
def test_a_ratio_is_of_medians_and_reaches_its_bar_at_equality(
    values: list[float],
    baselines: list[float],
    ok: bool,  # noqa: FBT001 - a column of the table
) -> None:
    bar = at_least("offers", values, baselines, 0.5, "1/s")

    assert bar.ok is ok


@pytest.mark.parametrize(("values", "ok"), [([15.0, 1.0, 99.0], True), ([15.01], False)])
def test_a_time_is_a_median_and_passes_its_bar_at_equality(values: list[float], ok: bool) -> None:  # noqa: FBT001
    assert at_most("p99", values, [], 15.0, "ms").ok is ok


def a_result(**changes: Any) -> Result:
    bar = Bar("offers/s", 50.0, 100.0, 0.5, 0.5, ok=True, unit="1/s", of="ratio")
    found = Result(
        "auction", "2026-11-23T04:00:00Z", 1.0, {}, {}, {"id": "0123", "dirty": False}, {}, (), (), {}, (bar,), ok=True
    )
    return msgspec.structs.replace(found, **changes)


def test_the_history_keeps_results_in_order_and_draws_them(tmp_path: Path) -> None:
    for ratio in (0.5, 0.6):
        bar = msgspec.structs.replace(a_result().bars[0], ratio=ratio)
        history.append(a_result(bars=(bar,)), tmp_path)
    with (tmp_path / "auction.jsonl").open("ab") as file:
        file.write(b"cut off in the mid")

    lines = history.lines(list(history.read(tmp_path)))

    assert [figure for _, _, figure, _ in lines[0].points] == [0.5, 0.6]
    assert "<svg" in history.page(lines)
    console = Console(record=True, width=200)
    assert history.report(console, as_json=False, html=None, directory=tmp_path) == 0
    assert "offers/s" in console.export_text()


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    console = Console(record=True, width=200)

    assert history.report(console, as_json=False, html=None, directory=tmp_path) == 1
    assert "nothing measured" in console.export_text()


def test_every_bench_explains_itself() -> None:
    console = Console(record=True, width=200)

    assert program.main("list", Options(), as_json=False, html=None) == 0
    assert all(module.TITLE and module.__doc__ for module in program.BENCHES.values())
    del console


def test_the_machine_and_the_versions_are_named() -> None:
    assert result.machine()["cores"] > 0
    assert {"python", "postgres", "valkey", "uvicorn", "websockets", "asyncpg"} <= result.versions().keys()
    assert all(result.versions().values())
