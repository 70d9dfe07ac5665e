"""
Time to take one offer off the wire: our own split against uvicorn's protocol with the general parser.

    python bench/micro/wire.py

Leaves out: the socket, the loop, and what the listener does. Prints the medians of 5 rounds.
"""

import asyncio
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import uvicorn
from uvicorn.server import ServerState

from kernel.live.wire import WireProtocol

MESSAGES = 20_000
BAR_US = 5.0
_MASK = b"\x01\x02\x03\x04"
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Transport(asyncio.Transport):
    """Takes what is written and says nothing."""

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass


async def accept(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


async def round_us(*, own: bool) -> float:
    """Run one round and return microseconds a message."""
    config = uvicorn.Config(accept, ws_per_message_deflate=False, lifespan="off", ws_max_size=16_384, log_config=None)
    config.load()
    protocol = WireProtocol(config, ServerState(), {})
    protocol.connection_made(Transport())
    protocol.data_received(_REQUEST)
    await asyncio.sleep(0.01)
    heard: list[bytes] = []
    protocol.listen(heard.append)
    if not own:
        protocol._rest = None  # noqa: SLF001 - what it is when the parser gets everything
    payload = b'{"type":"offer","key":"many0-17-4711","price_fen":99999999471100}'
    masked = bytes(byte ^ _MASK[i % 4] for i, byte in enumerate(payload))
    frame = bytes([0x81, 0x80 | len(payload)]) + _MASK + masked
    begin = perf_counter()
    for _ in range(MESSAGES):
        protocol.data_received(frame)
    took_s = perf_counter() - begin
    assert heard == [payload] * MESSAGES
    protocol.connection_lost(None)
    await asyncio.gather(*protocol.tasks)
    return took_s / MESSAGES * 1e6


async def main() -> int:
    """Print both figures; 1 when ours is over the bar."""
    ours = statistics.median([await round_us(own=True) for _ in range(5)])
    parser = statistics.median([await round_us(own=False) for _ in range(5)])
    print(f"a message off the wire: {ours:.2f} µs (bar {BAR_US} µs), with the general parser {parser:.2f} µs")
    return int(ours > BAR_US)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
