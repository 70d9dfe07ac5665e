"""
The first trade (first-trade): from an empty directory to a closed order and an awarded auction.

The real service on real engines; the parties are clients that log in over HTTP and sit in the hall over WebSocket.
What is asserted on the way is what a visitor would expect to see; at the end every state is rebuilt from the journal.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from kernel.clock import SystemClock
from kernel.journal.verify import Difference, Progress, strangers, verify_kind
from kernel.problems import Refused
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import KINDS, STATE_TABLES, load_actor
from portal.demo.client import Client
from portal.demo.province import PASSWORD
from portal.scenario.bidding import auction_once
from portal.scenario.furnish import BIDDERS, BUYER, SELLER, Furnished, furnish, is_empty, stock
from portal.scenario.ordering import order_once
from portal.scenario.steps import Show, Steps, expect
from portal.server import engines_up, listen, service_up

_FAULTS_SHOWN: Final = 5


async def first_trade(settings: Settings, goods: Path | None, category: str, show: Show) -> dict[str, Any]:
    """
    Play the scenario and return its summary; ``ok`` tells whether verification found no difference.

    Raises:
        Refused: the data directory is not empty.
        ScenarioFailed: the service did not do what it should.
    """
    clock = SystemClock()
    steps = Steps(clock, show)
    began_s = clock.monotonic_s()
    listener = listen(settings)
    async with AsyncExitStack() as stack:
        with steps.step("start", "启动引擎与服务 · start the engines and the service") as told:
            database_url, redis_url = await stack.enter_async_context(engines_up(settings))
            kernel = await stack.enter_async_context(
                open_kernel(settings, clock, database_url=database_url, redis_url=redis_url, load_actor=load_actor)
            )
            if not await is_empty(kernel):
                raise _not_empty(settings)
            url = await stack.enter_async_context(service_up(kernel, listener))
            told(url)
        with steps.step(
            "furnish", "品目、单位、框架协议、预算 · classification, organisations, agreement, budget"
        ) as told:
            furnished = await furnish(kernel)
            told(f"{furnished.codes} codes, {len(furnished.organisations)} organisations")
        with _goods_file(goods) as file, steps.step("import", f"导入商品 · import goods from {file.name}") as told:
            report = await stock(kernel, file, category)
            expect(report.imported, report.faults)
            told(
                f"{report.rows} rows: {report.imported} imported, {report.duplicates} duplicates, "
                f"{report.rejected} rejected"
            )
        order, auction = await _trade(stack, steps, kernel, url, furnished)
        with steps.step("verify", "按日志核对全部状态 · verify every state against the journal") as told:
            verified = await _verify(kernel)
            found = len(verified["differences"])
            told(f"{verified['streams']} streams, {verified['entries']} entries, {found} differences")
    return {
        "scenario": "first-trade",
        "ok": not verified["differences"],
        "data": str(settings.data_dir),
        "took_s": round(clock.monotonic_s() - began_s, 1),
        "goods": {
            "file": goods.name if goods else "built in",
            "rows": report.rows,
            "imported": report.imported,
            "duplicates": report.duplicates,
            "rejected": report.rejected,
            "faults": [
                {"line": fault.line, "field": fault.field, "en": fault.en} for fault in report.faults[:_FAULTS_SHOWN]
            ],
        },
        "order": order,
        "auction": auction,
        "verify": verified,
        "steps": steps.done,
    }


async def _trade(
    stack: AsyncExitStack, steps: Steps, kernel: Kernel, url: str, furnished: Furnished
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Log everybody in, order, and hold the auction."""
    clock = kernel.clock
    clients: dict[str, Client] = {}
    with steps.step("log in", "各方登录 · everybody logs in") as told:
        for body in (BUYER, *BIDDERS):
            client = clients[body.login] = await stack.enter_async_context(Client(url, clock))
            await client.log_in(body.login, PASSWORD)
        public = await stack.enter_async_context(Client(url, clock))
        told(f"{len(clients)} sessions")
    order = await order_once(steps, clients[BUYER.login], clients[SELLER.login], furnished.budget_line_id)
    suppliers = {body.name: clients[body.login] for body in BIDDERS}
    invited = [str(furnished.organisations[body.login]) for body in BIDDERS]
    auction = await auction_once(steps, clock, clients[BUYER.login], suppliers, public, invited)
    return order, auction


async def _verify(kernel: Kernel) -> dict[str, Any]:
    """Rebuild every state, as ``zhecai verify`` does."""
    differences: list[Difference] = []
    streams = entries = 0
    async with kernel.db.pool.acquire() as connection:
        for kind in KINDS:
            done = Progress(kind.name, 0, 0)
            async for found in verify_kind(connection, kind, STATE_TABLES[kind.name]):
                if isinstance(found, Difference):
                    differences.append(found)
                else:
                    done = found
            streams, entries = streams + done.streams, entries + done.entries
        differences += await strangers(connection, [kind.name for kind in KINDS])
    return {
        "streams": streams,
        "entries": entries,
        "differences": [f"{each.stream} at version {each.version}: {each.what}" for each in differences],
    }


@contextmanager
def _goods_file(goods: Path | None) -> Iterator[Path]:
    if goods is not None:
        yield goods
        return
    with as_file(files("portal.scenario").joinpath("goods.csv")) as built_in:
        yield built_in


def _not_empty(settings: Settings) -> Refused:
    return Refused(
        f"数据目录 {settings.data_dir} 中已有数据；请换一个空目录，或不指定 --data。",
        f"The data directory {settings.data_dir} holds data already; name an empty one, or leave out --data.",
        reason="not-empty",
    )
