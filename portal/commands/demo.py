"""``zhecai demo``: the whole service with a sample province, on embedded engines, with bots that trade."""

import argparse
import asyncio
import shutil
from contextlib import AsyncExitStack
from typing import Final

from rich.console import Console
from rich.table import Table

from kernel.clock import SystemClock
from kernel.engines.errors import EngineError, Fault
from kernel.engines.home import Home
from kernel.log import configure_logging
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from portal.commands.options import Parsers, command, serving, settings_of
from portal.demo.bots import trade
from portal.demo.province import BODIES, PASSWORD, Body, is_set_up, set_up
from portal.server import engines_up, listen, service_up, stop_event
from portal.server import run as run_loop
from registries.organisations.rules import Kind

_QUIET: Final = "warning"
_WIDTH_MIN: Final = 120
"""Addresses must not be cut where the output goes to a file."""
_ROLES: Final = {
    Kind.OPERATOR: "平台运营 operator",
    Kind.SUPERVISOR: "监督 supervisor",
    Kind.AUDITOR: "审计 auditor",
    Kind.PURCHASER: "采购人 purchaser",
    Kind.SUPPLIER: "供应商 supplier",
}
_STARTS: Final = {
    Kind.OPERATOR: "/catalogue",
    Kind.SUPERVISOR: "/orders",
    Kind.AUDITOR: "/orders",
    Kind.PURCHASER: "/catalogue",
    Kind.SUPPLIER: "/auctions",
}


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "demo",
        "Run the service with a sample province and bots that trade in it. Ctrl-C stops everything.",
        "zhecai demo",
        "zhecai demo --port 9000 --data /tmp/zhecai-demo",
        "zhecai demo --fresh",
    )
    serving(found)
    found.add_argument("--fresh", action="store_true", help="delete the sample province and start over")
    found.add_argument("--no-bots", action="store_true", help="nobody trades but you")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments, demo="true")
    if settings.log_level == "info" and settings.sources.get("log_level") is None:
        configure_logging(_QUIET, settings.log_format)
    else:
        configure_logging(settings.log_level, settings.log_format)
    run_loop(_demo(settings, fresh=arguments.fresh, bots=not arguments.no_bots))
    return 0


async def _demo(settings: Settings, *, fresh: bool, bots: bool) -> None:
    console = Console(highlight=False)
    if fresh:
        _start_over(settings, console)
    listener = listen(settings)
    stop = stop_event()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        with console.status("启动数据库与消息服务 · starting the engines"):
            database_url, redis_url = await stack.enter_async_context(engines_up(settings))
            kernel = await stack.enter_async_context(
                open_kernel(settings, clock, database_url=database_url, redis_url=redis_url, load_actor=load_actor)
            )
        await _furnish(kernel, console)
        url = await stack.enter_async_context(service_up(kernel, listener))
        _greet(console, settings, url)
        trading = asyncio.create_task(trade(url, clock)) if bots else None
        await stop.wait()
        console.print("正在停止 · stopping …")
        if trading:
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)


def _start_over(settings: Settings, console: Console) -> None:
    """
    Delete the embedded engines' data.

    Raises:
        EngineError: a service is running on it, or it is not an embedded one.
    """
    if settings.database_url:
        raise EngineError(
            Fault.NOT_PERMITTED,
            "使用外部数据库（ZHECAI_DATABASE_URL）时不能用 --fresh 删除数据。",
            "--fresh does not delete the data of an outside database (ZHECAI_DATABASE_URL).",
        )
    for engine in ("postgres", "valkey"):
        home = Home(settings.data_dir / engine)
        if not home.path.exists():
            continue
        home.hold()  # refuses while a service runs on it
        home.release()
        shutil.rmtree(home.path)
    for folder in ("blobs", "ca"):
        shutil.rmtree(settings.data_dir / folder, ignore_errors=True)
    console.print(f"已清空 · emptied {settings.data_dir}")


async def _furnish(kernel: Kernel, console: Console) -> None:
    """Set up the sample province, and an authority for its certificates, unless they are there."""
    await kernel.trust.create_trial()
    if await is_set_up(kernel):
        return
    with console.status("准备示例省份 · setting up the sample province") as status:
        await set_up(kernel, lambda step: status.update(f"准备示例省份 · {step}"))


def _greet(console: Console, settings: Settings, url: str) -> None:
    """Print where everything is and how to get in."""
    console.print(f"[bold]浙采 Zhecai[/]  {url}\n", soft_wrap=True)
    table = Table.grid(padding=(0, 3))
    for row in (("公众 public", "—", "", f"{url}/auctions"), *map(_row, BODIES)):
        table.add_row(*row[:3], row[3] if row[1] == "—" else f"{url}{row[3]}")
    console.width = max(console.width, _WIDTH_MIN)
    console.print(table)
    console.print(f"\n每个账号的密码 · password of every account:  [bold]{PASSWORD}[/]", soft_wrap=True)
    console.print(f"数据目录 · data:  {settings.data_dir}\n停止 · stop:  Ctrl-C", soft_wrap=True)


def _row(body: Body) -> tuple[str, str, str, str]:
    return _ROLES[body.kind], body.login, body.name, _STARTS[body.kind]
