"""
Bidders: one WebSocket connection each, one unanswered offer at a time, each offer a fen below the last.

Closed loop: the next offer leaves when the answer came. Paced: offers are due at a fixed rate, whatever the server
does, and latency counts from the moment an offer was due (no coordinated omission).
"""

import asyncio
from collections import deque
from time import perf_counter, process_time
from typing import Any, Final

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.load.timing import summary

_ENTER_S: Final = 20.0
_LAST_ANSWER_S: Final = 10.0
_ECHO_PRICE_FEN: Final = 10**12
_TICK_S: Final = 0.001
"""The event loop's timers count whole milliseconds: a shorter sleep is none, and the load would spin."""
_LOOK_S: Final = 0.01
_TEXT: Final = WSMsgType.TEXT
_ACCEPTED: Final = b"accepted"


class _Run:
    """What all bidders of one run share."""

    def __init__(self, *, closed: bool) -> None:
        self.closed = closed
        self.going = False
        self.counting = False
        self.latencies_s: list[float] = []
        self.refused: dict[str, int] = {}
        self.deltas = 0
        self.lost = 0
        self.trace: list[tuple[int, float, float]] | None = None


class _Bidder(WSListener):  # type: ignore[misc]
    """One connection."""

    def __init__(self, run: _Run, name: str, *, echo: bool) -> None:
        self.run = run
        self.name = name
        self.sent = self.acked = 0
        self.price_fen = _ECHO_PRICE_FEN if echo else 0
        self.ready = asyncio.get_running_loop().create_future()
        self.due: deque[float] = deque()
        self.since_s = 0.0
        self.waiting = False
        if echo:
            self.ready.set_result(None)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, _: WSTransport) -> None:
        if self.waiting or not self.ready.done():
            self.run.lost += 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the hall closed at the door"))

    def offer(self, since_s: float) -> None:
        self.since_s = since_s
        self.waiting = True
        self.transport.send(
            _TEXT, b'{"type":"offer","key":"%b-%d","price_fen":%d}' % (self.name.encode(), self.sent, self.price_fen)
        )
        self.sent += 1
        self.price_fen -= 1

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if payload[9:17] == _ACCEPTED:
            now_s = perf_counter()
            run = self.run
            self.acked += 1
            self.waiting = False
            if run.counting:
                run.latencies_s.append(now_s - self.since_s)
            if run.trace is not None:
                run.trace.append((msgspec.json.decode(payload)["version"], self.since_s, now_s))
            if self.due:
                self.offer(self.due.popleft())
            elif run.closed and run.going:
                self.offer(now_s)
        else:
            self._other(payload)

    def _other(self, payload: bytes) -> None:
        if payload[9:14] == b"delta":
            self.run.deltas += 1
            return
        message = msgspec.json.decode(payload)
        if message.get("type") == "snapshot":
            self.price_fen = message["you"]["highest_allowed_fen"]
            self.ready.set_result(None)
            return
        self.waiting = False
        reason = str(message.get("reason") or message.get("title"))
        self.run.refused[reason] = self.run.refused.get(reason, 0) + 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(reason))


class Bidding:
    """The bidders of one phase: they enter, then they bid, then they leave."""

    def __init__(self) -> None:
        self._bidders: list[_Bidder] = []
        self._run = _Run(closed=True)

    async def enter(self, *, seats: list[dict[str, str]], name: str, echo: bool = False) -> int:
        """Connect everybody and wait until each knows where things stand."""
        run = self._run = _Run(closed=True)
        self._bidders = [await _enter(run, f"{name}-{index}", seat, echo=echo) for index, seat in enumerate(seats)]
        async with asyncio.timeout(_ENTER_S):
            await asyncio.gather(*(bidder.ready for bidder in self._bidders))
        return len(self._bidders)

    async def bid(
        self, *, seconds: float, warmup_s: float = 0.5, rate: float | None = None, trace: bool = False
    ) -> dict[str, Any]:
        """Bid for ``seconds`` after the warm-up; return what was measured and how many offers each had accepted."""
        run, bidders = self._run, self._bidders
        run.closed = rate is None
        run.trace = [] if trace else None
        run.going = True
        pacing = asyncio.create_task(_pace(run, bidders, rate)) if rate is not None else None
        if run.closed:
            for bidder in bidders:
                bidder.offer(perf_counter())
        await asyncio.sleep(warmup_s)
        run.counting = True
        began_s, began_cpu_s = perf_counter(), process_time()
        await asyncio.sleep(seconds)
        run.counting = run.going = False
        took_s, cpu_s = perf_counter() - began_s, process_time() - began_cpu_s
        latencies_s = list(run.latencies_s)
        if pacing is not None:
            await pacing
        deadline_s = perf_counter() + _LAST_ANSWER_S
        while any(bidder.waiting or bidder.due for bidder in bidders) and perf_counter() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        for bidder in bidders:
            bidder.transport.disconnect()
        return {
            **summary(latencies_s, took_s),
            "client_cpu": round(cpu_s / took_s, 2),
            "refused": run.refused,
            "lost": run.lost,
            "deltas": run.deltas,
            "acked": [(bidder.name, bidder.acked, bidder.sent) for bidder in bidders],
            **({"trace": run.trace} if trace else {}),
        }


async def _pace(run: _Run, bidders: list[_Bidder], rate: float) -> None:
    """Make offers due at ``rate`` a second, in turn; one that finds its bidder waiting queues behind it."""
    start_s, number = perf_counter(), 0
    while run.going:
        now_s = perf_counter()
        while (due_s := start_s + number / rate) <= now_s:
            bidder = bidders[number % len(bidders)]
            number += 1
            if bidder.waiting:
                bidder.due.append(due_s)
            else:
                bidder.offer(due_s)
        await asyncio.sleep(max(_TICK_S, start_s + number / rate - perf_counter()))


async def _enter(run: _Run, name: str, seat: dict[str, str], *, echo: bool) -> _Bidder:
    headers = {"Authorization": f"Bearer {seat['token']}"} if "token" in seat else None
    _, bidder = await ws_connect(lambda: _Bidder(run, name, echo=echo), seat["url"], extra_headers=headers)
    assert isinstance(bidder, _Bidder)
    return bidder
