"""``zhecai admin``: the first organisations and accounts of a real site, and what only its operator may do to them."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from rich.console import Console
from rich.markup import escape

from catalog.products import service as products
from kernel.access.actors import system_actor
from kernel.commit.by import By
from kernel.problems import NotFound, Refused
from kernel.runtime import Kernel
from kernel.settings import Settings
from portal.commands.options import Parsers, command, common, settings_of
from portal.server import kernel_up
from portal.server import run as run_loop
from registries.organisations import service as organisations
from registries.organisations.rules import Kind
from registries.users import service as users
from registries.users.rules import ROLES_OF

_ACTOR = system_actor("admin")
_ONE_TIME_BYTES = 12
"""Random bytes of a one-time password: 16 characters."""


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "admin",
        "Enter the first organisations and accounts of a site; close an account, suspend an organisation or withhold "
        "a picture when nobody else can. What is done is in the journal as system/admin, with its reason.",
        "zhecai admin create --role supervisor --region 330000 --code 11330000… --organisation 浙江省财政厅 "
        "--login cai.zheng --name 周敏",
        "zhecai admin create --role supplier --code 91330106… --login first --name 王强 --one-time",
        "zhecai admin close wang.qiang --reason 账号被盗用",
        "zhecai admin suspend 91330106… --reason 停业整顿",
        "zhecai admin rename 91330106… 杭州某某科技有限公司",
    )
    what = found.add_subparsers(dest="what", required=True, metavar="WHAT")
    create = what.add_parser("create", help="an account, and its organisation where that is not registered yet")
    common(create)
    create.add_argument("--role", required=True, choices=[kind.value for kind in Kind], help="what the organisation is")
    create.add_argument("--code", required=True, help="the organisation's unified social credit code")
    create.add_argument("--organisation", default="", metavar="NAME", help="its name, where it is not registered yet")
    create.add_argument("--region", default="", metavar="CODE", help="its region (GB/T 2260), as well")
    create.add_argument("--login", required=True)
    create.add_argument("--name", required=True, help="the person's name")
    create.add_argument(
        "--one-time", action="store_true", help="make a password and print it, instead of asking for one"
    )
    create.set_defaults(run=_run)
    for whom, name, help_, act in _ACTS:
        found = _act(what, whom, name, help_, act)
        found.add_argument("--reason", dest="why", required=True, type=_said, metavar="TEXT", help="for the journal")
    rename = _act(what, "CODE", "rename", "give an organisation another name", _rename)
    rename.add_argument("why", type=_said, metavar="NAME", help="the new one")


Act = Callable[[Kernel, str, str], Awaitable[object]]
"""Does something to whom, or what, is named, for a reason or with a new name."""


_WHOM: Final = {
    "LOGIN": "whose account",
    "CODE": "unified social credit code",
    "DIGEST": "the 64 letters and digits in the picture's address",
}


def _act(parsers: Parsers, whom: str, name: str, help_: str, act: Act) -> argparse.ArgumentParser:
    """Declare an act on the account with a login, the organisation with a credit code, or the picture with a digest."""
    found: argparse.ArgumentParser = parsers.add_parser(name, help=help_, description=f"{help_.capitalize()}.")
    common(found)
    found.add_argument("whom", metavar=whom, help=_WHOM[whom])
    found.set_defaults(run=_run_act, act=act)
    return found


def _said(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text.strip()


def _run_act(arguments: argparse.Namespace) -> int:
    async def acted() -> None:
        async with kernel_up(settings_of(arguments)) as kernel:
            await arguments.act(kernel, arguments.whom, arguments.why)

    run_loop(acted())
    Console(highlight=False, soft_wrap=True).print(f"[green]✓[/] {arguments.what} {escape(arguments.whom)}")
    return 0


async def _close(kernel: Kernel, login: str, reason: str) -> None:
    await users.disable_user(kernel, _ACTOR, await users.id_of(kernel, login), reason)


async def _reopen(kernel: Kernel, login: str, reason: str) -> None:
    await users.enable_user(kernel, _ACTOR, await users.id_of(kernel, login), reason)


async def _suspend(kernel: Kernel, code: str, reason: str) -> None:
    found = await organisations.by_credit_code(kernel, code)
    await organisations.suspend_organisation(kernel, _ACTOR, found.organisation_id, reason)


async def _reinstate(kernel: Kernel, code: str, reason: str) -> None:
    found = await organisations.by_credit_code(kernel, code)
    await organisations.reinstate_organisation(kernel, _ACTOR, found.organisation_id, reason)


async def _withhold(kernel: Kernel, digest: str, reason: str) -> None:
    await products.withhold(kernel, By(_ACTOR, "local", kernel.clock.now()), digest, reason)


async def _rename(kernel: Kernel, code: str, name: str) -> None:
    found = await organisations.by_credit_code(kernel, code)
    await organisations.rename_organisation(kernel, _ACTOR, found.organisation_id, name)


_ACTS: Final[tuple[tuple[str, str, str, Act], ...]] = (
    ("LOGIN", "close", "close an account at once, its organisation's last administrator's too", _close),
    ("LOGIN", "reopen", "let a closed account log in again", _reopen),
    ("CODE", "suspend", "keep an organisation of any kind from trading, until it is reinstated", _suspend),
    ("CODE", "reinstate", "end a suspension", _reinstate),
    ("DIGEST", "withhold", "show a picture nowhere any more, not in old orders either", _withhold),
)


def _run(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    password = secrets.token_urlsafe(_ONE_TIME_BYTES) if arguments.one_time else _asked()
    if not password:
        Console(stderr=True).print("[red]✗[/] the two passwords differ, or there is no terminal to ask at: --one-time")
        return 1
    run_loop(_create(settings_of(arguments), arguments, password))
    console.print(f"[green]✓[/] {arguments.login}: {arguments.role}, {arguments.code}")
    if arguments.one_time:
        console.print(f"password, shown once: {password}", markup=False)
        console.print("Its owner logs in and changes it.")
    return 0


def _asked() -> str:
    """Ask for a password twice without showing it; empty when they differ or nobody can be asked."""
    if not sys.stdin.isatty():
        return ""
    first, second = getpass.getpass("password: "), getpass.getpass("password again: ")
    return first if first == second else ""


async def _create(settings: Settings, arguments: argparse.Namespace, password: str) -> UUID:
    async with kernel_up(settings) as kernel:
        organisation_id = await registered(
            kernel, Kind(arguments.role), arguments.code, name=arguments.organisation, region=arguments.region
        )
        return await users.create_user(
            kernel,
            _ACTOR,
            login=arguments.login,
            name=arguments.name,
            password=password,
            organisation_id=organisation_id,
            roles=ROLES_OF[Kind(arguments.role)],
        )


async def registered(kernel: Kernel, kind: Kind, code: str, *, name: str, region: str) -> UUID:
    """
    Find the organisation with a credit code, or enter it.

    Raises:
        Refused: it is of another kind, or what is needed to enter it is missing or wrong.
    """
    try:
        found = await organisations.by_credit_code(kernel, code)
    except NotFound:
        return await organisations.register_organisation(
            kernel, _ACTOR, kind=kind, name=name, credit_code=code, region=region
        )
    if found.kind is not kind:
        raise Refused(
            f"{found.name} 登记的类型是 {found.kind}。",
            f"{found.name} is registered as {found.kind}.",
            reason="roles-wrong",
        )
    return found.organisation_id
