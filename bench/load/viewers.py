"""Viewers: many WebSocket connections that only listen, and when each message reached the last of them."""

import asyncio
from time import perf_counter, process_time
from typing import Any, Final

from picows import WSFrame, WSListener, WSTransport, ws_connect

_AT_ONCE: Final = 100


class _Viewer(WSListener):  # type: ignore[misc]
    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.first = True

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, _: WSTransport) -> None:
        self.crowd.lost += 1

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        crowd = self.crowd
        crowd.frames += 1
        found = crowd.arrivals.get(payload)
        if found is None:
            crowd.arrivals[payload] = [1, perf_counter()]
        else:
            found[0] += 1
            found[1] = perf_counter()


class Crowd:
    """All viewers of one load process; ``arrivals`` counts each distinct message and keeps when the last one came."""

    def __init__(self) -> None:
        self.viewers: list[_Viewer] = []
        self.arrivals: dict[bytes, list[Any]] = {}
        self.frames = 0
        self.lost = 0

    async def watch(self, *, url: str, count: int) -> int:
        """Enter ``count`` viewers."""
        while len(self.viewers) < count:
            more = min(_AT_ONCE, count - len(self.viewers))
            entered = await asyncio.gather(*(ws_connect(lambda: _Viewer(self), url) for _ in range(more)))
            self.viewers += [viewer for _, viewer in entered]
        await asyncio.sleep(0.5)
        self.lost = 0
        self.arrivals.clear()
        return len(self.viewers)

    async def count(self, *, seconds: float) -> dict[str, Any]:
        """Count what arrives in ``seconds``."""
        self.frames = 0
        began_s, began_cpu_s = perf_counter(), process_time()
        await asyncio.sleep(seconds)
        took_s = perf_counter() - began_s
        frames = self.frames
        self.arrivals.clear()
        cpu = round((process_time() - began_cpu_s) / took_s, 2)
        return {"frames": frames, "per_s": round(frames / took_s, 1), "client_cpu": cpu, "lost": self.lost}

    def seen(self) -> list[tuple[str, int, float]]:
        """List each distinct message with how many viewers had it and when the last one did; then forget them."""
        found = [(payload.decode(), count, last_s) for payload, (count, last_s) in self.arrivals.items()]
        self.arrivals.clear()
        return found

    async def leave(self) -> int:
        """Disconnect all; return how many had been cut off before."""
        lost = self.lost
        for viewer in self.viewers:
            viewer.transport.disconnect()
        await asyncio.sleep(0.5)
        self.viewers.clear()
        return lost
