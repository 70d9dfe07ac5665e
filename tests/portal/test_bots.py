"""The demonstration's own bots, on its own province: there is something to watch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.runtime import open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from portal.demo import bots, province
from portal.demo.bots import trade
from portal.demo.client import Client
from portal.demo.province import PASSWORD, PURCHASERS
from portal.server import listen, service_up
from tests.builders.logs import captured

HOST, BUYER = PURCHASERS[1].login, PURCHASERS[2].login


@pytest.fixture
async def url(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The service with the sample province."""
    settings = Settings(demo=True, port=0, data_dir=tmp_path)
    async with open_kernel(
        settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
    ) as kernel:
        await province.set_up(kernel)
        async with service_up(kernel, listen(settings)) as found:
            yield found


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bots that do in seconds what they do in minutes."""
    for name, value in {"_LEAD_S": 2, "_LOOK_EVERY_S": 0.2, "_ORDER_EVERY_S": 3}.items():
        monkeypatch.setattr(bots, name, value)
    monkeypatch.setattr(bots, "_pause_s", lambda: 0.1)


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await happened():  # noqa: ASYNC110 - it is another client that makes it happen
            await asyncio.sleep(0.2)


@pytest.mark.usefixtures("in_a_hurry")
async def test_bots_bid_in_auctions_and_see_orders_through(url: str) -> None:
    clock = SystemClock()
    with captured() as logs:
        trading = asyncio.create_task(trade(url, clock))
        try:
            async with Client(url, clock) as host, Client(url, clock) as buyer:
                await host.log_in(HOST, PASSWORD)
                await buyer.log_in(BUYER, PASSWORD)

                async def contested() -> bool:
                    mine = (await host.get("/api/auctions", scope="mine", limit=50))["items"]
                    return any(one["stage"] == "live" and one["bidders"] > 1 and one["offers"] > 2 for one in mine)

                async def seen_through() -> bool:
                    own = (await buyer.get("/api/orders", side="purchaser"))["items"]
                    return "closed" in {order["stage"] for order in own}

                await until(contested)
                await until(seen_through)
        finally:
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)

    assert [line for line in logs if line["event"] == "bot.stumbled"] == []
