"""
Bots that trade in the sample province, so that there is something to watch.

They are ordinary clients: they log in, read, order, bid and award over HTTP and WebSocket like everybody else.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final

import httpx2
import msgspec
import structlog
from websockets.exceptions import WebSocketException

from kernel.clock import Clock
from portal.demo.client import CallError, Client
from portal.demo.province import PASSWORD, PURCHASERS, SUPPLIERS

_HOST: Final = PURCHASERS[1].login
_BUYERS: Final = tuple(body.login for body in PURCHASERS[1:3])
_BIDDERS: Final = tuple(body.login for body in SUPPLIERS[1:5])
"""The first purchaser and the first supplier are left to whoever tries the demonstration."""

_OPEN_MIN: Final = 2
_DURATION_S: Final = 360
_LEAD_S: Final = 20
_SETTLE_S: Final = 15
_ORDER_EVERY_S: Final = 45
_LOOK_EVERY_S: Final = 3.0
_RETRY_S: Final = 5.0
_MISTAKES = (CallError, httpx2.HTTPError, WebSocketException, OSError, TimeoutError)

_SUBJECTS: Final = (
    ("阅览室便携式计算机采购", "便携式计算机，内存 16 GB，硬盘 512 GB，三年上门质保", "台", 40, 18_000_000),
    ("多功能一体机更新", "A4 多功能一体机，自动双面，网络打印，三年质保", "台", 25, 6_500_000),
    ("电子阅览区台式计算机采购", "台式计算机，八核，内存 16 GB，含 23.8 英寸显示器", "套", 60, 29_000_000),
    ("会议室激光投影仪采购", "激光投影仪，5000 流明，含安装调试", "台", 8, 9_600_000),
    ("书库网络存储设备采购", "四盘位网络存储，含硬盘，五年质保", "台", 12, 6_400_000),
)

log = structlog.get_logger()


async def trade(url: str, clock: Clock) -> None:
    """Trade until cancelled; whatever goes wrong is tried again."""
    async with asyncio.TaskGroup() as bots:
        bots.create_task(_again(lambda: _host(url, clock)))
        for login in _BIDDERS:
            bots.create_task(_again(lambda login=login: _bid(url, clock, login)))  # type: ignore[misc]
        for login in (body.login for body in SUPPLIERS[1:]):
            bots.create_task(_again(lambda login=login: _fulfil(url, clock, login)))  # type: ignore[misc]
        for login in _BUYERS:
            bots.create_task(_again(lambda login=login: _buy(url, clock, login)))  # type: ignore[misc]


async def _again(bot: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await bot()
        except _MISTAKES as error:
            log.info("bot.stumbled", error=str(error))
        await asyncio.sleep(_RETRY_S)


async def _host(url: str, clock: Clock) -> None:
    """Keep some auctions open, and award those that have closed."""
    async with Client(url, clock) as host:
        await host.log_in(_HOST, PASSWORD)
        suppliers = (await host.get("/api/organisations", role="supplier", limit=50))["items"]
        invited = [row["organisation_id"] for row in suppliers if row["status"] == "active"]
        while True:
            mine = (await host.get("/api/auctions", scope="mine", limit=50))["items"]
            for auction in mine:
                if auction["stage"] == "closed":
                    await asyncio.sleep(_SETTLE_S)
                    with contextlib.suppress(CallError):
                        await host.post(f"/api/auctions/{auction['auction_id']}/award", {"reason": "按最低价成交"})
            if sum(auction["stage"] in {"published", "live", "paused"} for auction in mine) < _OPEN_MIN:
                await _announce(host, clock, invited)
            await asyncio.sleep(_LOOK_EVERY_S)


async def _announce(host: Client, clock: Clock, invited: list[str]) -> None:
    title, spec, unit, quantity, ceiling_fen = _SUBJECTS[secrets.randbelow(len(_SUBJECTS))]
    starts_at = clock.now() + timedelta(seconds=_LEAD_S)
    terms = {
        "title": title,
        "items": [{"name": title.removesuffix("采购"), "spec": spec, "unit": unit, "quantity": quantity}],
        "ceiling_fen": ceiling_fen,
        "step": {"amount_fen": 10_000},
        "starts_at": starts_at.isoformat(),
        "duration_s": _DURATION_S,
        "extension": {"window_s": 60, "extend_by_s": 60, "extensions_max": 5},
        "invited": invited,
    }
    drafted = await host.post("/api/auctions", terms)
    await host.post(f"/api/auctions/{drafted['auction_id']}/publish")


async def _bid(url: str, clock: Clock, login: str) -> None:
    """Take part in every open auction that this supplier is admitted to."""
    async with Client(url, clock) as bidder, asyncio.TaskGroup() as halls:
        await bidder.log_in(login, PASSWORD)
        entered: set[str] = set()
        while True:
            for auction in (await bidder.get("/api/auctions", scope="invited", limit=50))["items"]:
                if auction["stage"] in {"published", "live"} and auction["auction_id"] not in entered:
                    entered.add(auction["auction_id"])
                    halls.create_task(_compete(bidder, auction["auction_id"]))
            await asyncio.sleep(_LOOK_EVERY_S)


async def _compete(bidder: Client, auction_id: str) -> None:
    """Undercut now and then, down to a limit of one's own, until the auction is over."""
    limit = 0.80 + secrets.randbelow(12) / 100
    with contextlib.suppress(*_MISTAKES):
        async with bidder.hall(auction_id) as hall:
            scene = msgspec.json.decode(await hall.recv())
            floor_fen = int(scene["terms"]["ceiling_fen"] * limit)
            stage, you = scene["scene"]["stage"], scene.get("you") or {}
            wait_s = _pause_s()
            while stage in {"published", "live", "paused"}:
                try:
                    async with asyncio.timeout(wait_s):
                        frame = msgspec.json.decode(await hall.recv())
                    stage = frame.get("scene", {}).get("stage", stage)
                    you = frame.get("you") or you
                    continue
                except TimeoutError:
                    wait_s = _pause_s()
                allowed_fen = you.get("highest_allowed_fen", 0)
                price_fen = (allowed_fen - secrets.randbelow(max(1, allowed_fen // 60))) // 10_000 * 10_000
                if stage == "live" and you.get("rank") != 1 and price_fen >= floor_fen:
                    offer = {"type": "offer", "key": bidder.new_key(), "price_fen": price_fen}
                    await hall.send(msgspec.json.encode(offer).decode())


async def _buy(url: str, clock: Clock, login: str) -> None:
    """Order something small now and then, and receive what has come."""
    async with Client(url, clock) as buyer:
        await buyer.log_in(login, PASSWORD)
        lines = (await buyer.get("/api/budget-lines"))["items"]
        while True:
            await asyncio.sleep(_ORDER_EVERY_S // 2 + secrets.randbelow(_ORDER_EVERY_S))
            products = (await buyer.get("/api/products", sort="price", limit=30))["items"]
            if not products:
                continue
            chosen = products[secrets.randbelow(len(products))]
            order = {
                "budget_line_id": lines[0]["budget_line_id"],
                "region": buyer.actor["region"],
                "address": "示例路 1 号收发室",
                "contact": buyer.actor["name"],
                "phone": "0571-00000000",
                "lines": [
                    {
                        "offer_id": chosen["best_offer_id"],
                        "quantity": 1 + secrets.randbelow(3),
                        "price_fen": chosen["best_price_fen"],
                    }
                ],
            }
            with contextlib.suppress(CallError):
                await buyer.post("/api/orders", order)
            for shipped in (await buyer.get("/api/orders", side="purchaser", stage="shipped"))["items"]:
                await buyer.post(f"/api/orders/{shipped['order_id']}/receive", {"note": "货物完好"})
            for received in (await buyer.get("/api/orders", side="purchaser", stage="received"))["items"]:
                await buyer.post(f"/api/orders/{received['order_id']}/close", {})


async def _fulfil(url: str, clock: Clock, login: str) -> None:
    """Accept and ship what was ordered."""
    async with Client(url, clock) as supplier:
        await supplier.log_in(login, PASSWORD)
        while True:
            await asyncio.sleep(_ORDER_EVERY_S // 3 + secrets.randbelow(_ORDER_EVERY_S // 3))
            for accepted in (await supplier.get("/api/orders", side="supplier", stage="accepted"))["items"]:
                step = {"carrier": "示例物流", "tracking": supplier.new_key()[-12:].upper()}
                await supplier.post(f"/api/orders/{accepted['order_id']}/ship", step)
            for placed in (await supplier.get("/api/orders", side="supplier", stage="placed"))["items"]:
                await supplier.post(f"/api/orders/{placed['order_id']}/accept", {})


def _pause_s() -> float:
    return 2 + secrets.randbelow(120) / 10
