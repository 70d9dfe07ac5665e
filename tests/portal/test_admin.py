"""The first accounts of an empty site, as the command makes them."""

from pathlib import Path

import pytest

from kernel.problems import Refused
from kernel.runtime import Kernel
from portal.cli import main, parser
from portal.commands import admin
from registries.organisations.rules import Kind
from registries.organisations.service import get
from tests.builders.registries import a_credit_code, register

FIRST = [
    "admin",
    "create",
    "--role",
    "supervisor",
    "--code",
    a_credit_code(1),
    "--login",
    "cai.zheng",
    "--name",
    "周敏",
]


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["admin", "create", "--help"])
    assert "--one-time" in capsys.readouterr().out


def test_nobody_to_ask_is_told_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert main(FIRST) == 1
    assert "--one-time" in capsys.readouterr().err


async def test_an_organisation_is_entered_once_and_found_again(kernel: Kernel) -> None:
    code = a_credit_code(1)
    one = await admin.registered(kernel, Kind.SUPERVISOR, code, name="浙江省财政厅", region="330000")
    two = await admin.registered(kernel, Kind.SUPERVISOR, code, name="", region="")

    assert one == two
    assert (await get(kernel, one)).name == "浙江省财政厅"


async def test_an_organisation_of_another_kind_is_refused(kernel: Kernel) -> None:
    await register(kernel, 1, Kind.SUPPLIER)
    with pytest.raises(Refused):
        await admin.registered(kernel, Kind.SUPERVISOR, a_credit_code(1), name="x", region="330000")


async def test_an_organisation_without_a_name_is_refused(kernel: Kernel) -> None:
    with pytest.raises(Refused) as refused:
        await admin.registered(kernel, Kind.OPERATOR, a_credit_code(1), name="", region="330000")
    assert refused.value.members["reason"] == "name-wrong"


def test_a_site_gets_its_first_account_on_an_empty_database(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZHECAI_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHECAI_REDIS_URL", redis_url)
    monkeypatch.setenv("ZHECAI_DATA_DIR", str(tmp_path))
    named = [*FIRST, "--organisation", "浙江省财政厅", "--region", "330000", "--one-time"]

    assert main(named) == 0
    assert "password, shown once: " in capsys.readouterr().out
    assert main(named) == 1
    assert "login" in capsys.readouterr().err
    assert main(["verify"]) == 0
