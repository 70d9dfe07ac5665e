"""A reverse auction (竞价) of five suppliers, over HTTP and WebSocket, to the award and its replay."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection

from kernel.clock import Clock
from portal.demo.client import Client, moment
from portal.scenario.steps import Steps, expect

_CEILING_FEN: Final = 10_000_00
_STEP_FEN: Final = 50_00
_ROUNDS: Final = 4
_LEAD_S: Final = 2
_DURATION_S: Final = 12
_WINDOW_S: Final = 4
_LATE_S: Final = 2.0
"""So long before the close the last offer leaves: it must move the close."""
_WAIT_S: Final = 60.0
_ENDED: Final = frozenset({"closed", "awarded", "failed"})


class Bidder:
    """One supplier in the hall: reads every frame, knows its own place, offers when told."""

    def __init__(self, name: str, client: Client, hall: ClientConnection) -> None:
        self.name: Final = name
        self._client: Final = client
        self._hall: Final = hall
        self._answers: Final[asyncio.Queue[dict[str, Any]]] = asyncio.Queue()
        self._changed: Final = asyncio.Event()
        self.scene: dict[str, Any] = {}
        self.you: dict[str, Any] = {}
        self.notices: list[str] = []
        self.frames = 0

    async def read(self) -> None:
        """Read until the hall closes; what belongs to an offer goes to who waits for it."""
        async for raw in self._hall:
            frame = msgspec.json.decode(raw)
            self.frames += 1
            if frame["type"] in {"accepted", "refused"}:
                self._answers.put_nowait(frame)
                continue
            self.scene = frame["scene"]
            self.you = frame.get("you") or self.you
            self.notices += [notice["kind"] for notice in frame["notices"]]
            self._changed.set()

    async def until(self, *stages: str) -> None:
        """Wait until the hall shows one of ``stages``. Raises ``TimeoutError``."""
        async with asyncio.timeout(_WAIT_S):
            while self.scene.get("stage") not in stages:
                self._changed.clear()
                await self._changed.wait()

    async def offer(self, price_fen: int) -> dict[str, Any]:
        """Offer a price and wait for the answer. Raises ``TimeoutError``."""
        message = {"type": "offer", "key": self._client.new_key(), "price_fen": price_fen}
        await self._hall.send(msgspec.json.encode(message).decode())
        async with asyncio.timeout(_WAIT_S):
            return await self._answers.get()


async def auction_once(
    steps: Steps, clock: Clock, host: Client, suppliers: dict[str, Client], public: Client, invited: list[str]
) -> dict[str, Any]:
    """Announce an auction, bid in turn, move the close with a late offer, award, and replay the record."""
    with steps.step("announce", "发布竞价 · announce an auction") as told:
        terms = _terms(clock, invited)
        auction_id = (await host.post("/api/auctions", terms))["auction_id"]
        published = await host.post(f"/api/auctions/{auction_id}/publish")
        told(f"{published['number']}: ceiling {_CEILING_FEN / 100:,.2f} 元, {len(invited)} invited")
    async with AsyncExitStack() as stack:
        bidders = [
            Bidder(name, client, await stack.enter_async_context(client.hall(auction_id)))
            for name, client in suppliers.items()
        ]
        watcher = Bidder("public", public, await stack.enter_async_context(public.hall(auction_id)))
        reading = [asyncio.create_task(each.read()) for each in (*bidders, watcher)]
        try:
            found = await _bid(steps, clock, bidders, watcher)
            found |= await _award(steps, host, auction_id, bidders, watcher)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
    return {"number": published["number"], **found}


def _terms(clock: Clock, invited: list[str]) -> dict[str, Any]:
    return {
        "title": "阅览室便携式计算机采购（示例）",
        "items": [{"name": "便携式计算机", "spec": "内存 16 GB，硬盘 512 GB", "unit": "台", "quantity": 20}],
        "ceiling_fen": _CEILING_FEN,
        "step": {"amount_fen": _STEP_FEN},
        "starts_at": (clock.now() + timedelta(seconds=_LEAD_S)).isoformat(),
        "duration_s": _DURATION_S,
        "extension": {"window_s": _WINDOW_S, "extend_by_s": _WINDOW_S, "extensions_max": 3},
        "invited": invited,
    }


async def _bid(steps: Steps, clock: Clock, bidders: list[Bidder], watcher: Bidder) -> dict[str, Any]:
    with steps.step("bid", f"{len(bidders)} 家供应商轮流报价 · {len(bidders)} suppliers bid in turn") as told:
        for bidder in bidders:
            await bidder.until("live")
        accepted = refused = 0
        for round_ in range(_ROUNDS):
            for place, bidder in enumerate(bidders):
                answer = await bidder.offer(_CEILING_FEN - (round_ * len(bidders) + place + 1) * _STEP_FEN)
                expect(answer["type"] == "accepted", answer)
                accepted += 1
        answer = await bidders[0].offer(_CEILING_FEN)
        expect(answer["type"] == "refused", answer)
        expect(answer["reason"] == "step-too-small", answer)
        refused += 1
        told(f"{accepted} accepted, {refused} refused ({answer['reason']})")
    with steps.step("extend", "临近截止的报价顺延截止时间 · a late offer moves the close") as told:
        closes_at = moment(watcher.scene["closes_at"])
        await asyncio.sleep(max(0.0, (closes_at - clock.now()).total_seconds() - _LATE_S))
        late = await bidders[2].offer(bidders[2].you["highest_allowed_fen"] // 2)
        expect(late["type"] == "accepted", late)
        moved = moment(late["closes_at"])
        expect(moved > closes_at, "the close did not move")
        told(f"moved by {(moved - closes_at).total_seconds():.1f} s")
    with steps.step("close", "截止 · the close") as told:
        for bidder in (*bidders, watcher):
            await bidder.until(*_ENDED)
        expect("moved" in watcher.notices, watcher.notices)
        told(
            f"{watcher.scene['offers']} offers of {watcher.scene['bidders']} bidders; best {watcher.scene['best_fen']}"
        )
    return {"offers": accepted + 1, "refused": refused, "bidders": len(bidders)}


async def _award(steps: Steps, host: Client, auction_id: str, bidders: list[Bidder], watcher: Bidder) -> dict[str, Any]:
    with steps.step("award", "定标，并按日志重放记录 · award, and replay the record from the journal") as told:
        await host.post(f"/api/auctions/{auction_id}/award", {"reason": "按最低价成交"})
        for bidder in (*bidders, watcher):
            await bidder.until("awarded")
        winner = watcher.scene["winner"]
        expect(winner["name"] == bidders[2].name, winner)
        record = (await host.get(f"/api/auctions/{auction_id}/record", limit=200))["items"]
        offers = [line["price_fen"] for line in record if line["kind"] == "auction.offered"]
        expect(len(offers) == watcher.scene["offers"], "the record does not hold every offer")
        expect(min(offers) == winner["price_fen"], "the award did not go to the lowest")
        told(f"{winner['name']}: {winner['price_fen'] / 100:,.2f} 元; {len(record)} entries replayed")
    return {
        "stage": "awarded",
        "winner": winner["name"],
        "price_fen": winner["price_fen"],
        "record_entries": len(record),
        "frames_to_the_public": watcher.frames,
    }
