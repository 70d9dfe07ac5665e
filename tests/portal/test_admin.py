"""The first accounts of an empty site, as the command makes them."""

from pathlib import Path

import httpx2
import pytest

from kernel.journal import queries
from kernel.problems import NotFound, Refused
from kernel.runtime import Kernel
from portal.cli import main, parser
from portal.commands import admin
from registries.organisations.rules import Kind, Status
from registries.organisations.service import get
from registries.users.service import USER
from tests.builders.admin import act
from tests.builders.registries import PASSWORD, a_credit_code, a_user, register

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
    assert main(["admin", "close", "a[/]", "--reason", "x"]) == 1
    assert "a[/]" in capsys.readouterr().err  # as it was typed, not taken for markup
    assert main(["admin", "close", "cai.zheng", "--reason", "调离"]) == 0
    assert "close cai.zheng" in capsys.readouterr().out
    assert main(["verify"]) == 0


async def test_an_operator_closes_an_account_and_opens_it_again(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    someone = await a_user(kernel, "wang.qiang", await register(kernel, 1))
    login = {"login": "wang.qiang", "password": PASSWORD}
    assert (await client.post("/api/sessions", json=login)).status_code == 201

    await act(kernel, "close", " Wang.Qiang ", "--reason", "账号被盗用")
    assert (await client.get("/api/sessions/current")).json() == {"actor": None}
    assert (await client.post("/api/sessions", json=login)).json()["reason"] == "disabled"
    with pytest.raises(Refused):
        await act(kernel, "close", "wang.qiang", "--reason", "again")
    await act(kernel, "reopen", "wang.qiang", "--reason", "已改密码")
    assert (await client.post("/api/sessions", json=login)).status_code == 201

    entries = await queries.read(kernel.db.pool, str(USER.ref(someone.user_id)))
    assert [(one.kind, one.actor) for one in entries[1:]] == [
        ("user.disabled", "system/admin"),
        ("user.enabled", "system/admin"),
    ]
    assert "账号被盗用" in entries[1].body.decode()


async def test_an_operator_suspends_an_organisation_reinstates_and_renames_it(kernel: Kernel) -> None:
    id_, code = await register(kernel, 1, Kind.PURCHASER), a_credit_code(1)

    await act(kernel, "suspend", code, "--reason", "机构调整")
    assert (await get(kernel, id_)).status is Status.SUSPENDED
    await act(kernel, "reinstate", code, "--reason", "调整完成")
    assert (await get(kernel, id_)).status is Status.ACTIVE
    await act(kernel, "rename", code, "杭州市第一学校")
    assert (await get(kernel, id_)).name == "杭州市第一学校"


@pytest.mark.parametrize("whom", [["close", "nobody"], ["suspend", a_credit_code(9)]])
async def test_whom_nobody_knows_is_said(kernel: Kernel, whom: list[str]) -> None:
    with pytest.raises(NotFound):
        await act(kernel, *whom, "--reason", "x")


@pytest.mark.parametrize("arguments", [["close", "somebody"], ["close", "somebody", "--reason", " "], ["rename", "9"]])
def test_nothing_is_done_without_a_reason(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["admin", *arguments])
    assert "usage: zhecai admin" in capsys.readouterr().err
