"""
The baseline of viewers: a bare server of the ``websockets`` library that only broadcasts.

Told over its standard input to send one message at a pace, or as fast as it goes.
"""

import asyncio
from time import perf_counter, process_time
from typing import Any

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.talk import listen, more_files


async def main() -> None:
    everybody: set[ServerConnection] = set()

    async def hold(connection: ServerConnection) -> None:
        everybody.add(connection)
        try:
            await connection.wait_closed()
        finally:
            everybody.discard(connection)

    async def do(asked: dict[str, Any]) -> Any:
        match asked.pop("do"):
            case "pace":
                return await pace(**asked)
            case "saturate":
                return await saturate(**asked)
            case other:
                raise ValueError(other)

    async def pace(*, message: str, rate: float, count: int) -> list[tuple[str, float]]:
        """Broadcast ``count`` messages, numbered in front, at ``rate`` a second; return when each was sent."""
        sent: list[tuple[str, float]] = []
        for number in range(count):
            numbered = f"{number:06d}{message[6:]}"
            sent.append((numbered, perf_counter()))
            broadcast(everybody, numbered)
            await asyncio.sleep(1 / rate)
        return sent

    async def saturate(*, message: str, seconds: float) -> dict[str, float]:
        """Broadcast for ``seconds``, letting the loop write what it can in between."""
        began_s, cpu_s, number = perf_counter(), process_time(), 0
        while perf_counter() - began_s < seconds:
            broadcast(everybody, f"{number:06d}{message[6:]}")
            number += 1
            await asyncio.sleep(0)
        return {"broadcasts": number, "cpu": round((process_time() - cpu_s) / (perf_counter() - began_s), 2)}

    async with serve(hold, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await listen({"url": f"ws://127.0.0.1:{port}"}, do)


more_files()
uvloop.run(main())
