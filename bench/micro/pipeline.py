"""
Time of a statement of 16 kB: sent through the pipeline, alone and in pairs, against asyncpg, on embedded PostgreSQL.

    python bench/micro/pipeline.py

Processor time is our own side's; the server's is the same for all. Prints the medians of 5 rounds.
"""

import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import asyncpg
import uvloop

from kernel.db.database import Database
from kernel.engines.locate import postgres_bindir
from kernel.engines.postgres import PostgresServer

STATEMENTS = 2_000
_TEXTS = ["x" * 2_000] * 8
_STATEMENT = f"select {', '.join(f'length(${number}::text)' for number in range(1, 9))}"


async def round_us(work: Callable[[], Awaitable[object]], each: int) -> tuple[float, float]:
    """Give processor and wall time of a statement, in microseconds."""
    cpu_s, wall_s = process_time(), perf_counter()
    for _ in range(STATEMENTS // each):
        await work()
    return (process_time() - cpu_s) / STATEMENTS * 1e6, (perf_counter() - wall_s) / STATEMENTS * 1e6


async def main(directory: Path) -> None:
    """Measure in turn."""
    server = PostgresServer(postgres_bindir(), directory)
    server.start()
    try:
        asking = await asyncpg.connect(server.url)
        pipeline = await Database(server.url, role=None).pipeline()

        async def pair() -> None:
            first, second = pipeline.send(_STATEMENT, _TEXTS), pipeline.send(_STATEMENT, _TEXTS)
            await first
            await second

        ways: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "asyncpg": (lambda: asking.fetchval(_STATEMENT, *_TEXTS), 1),
            "pipeline": (lambda: pipeline.send(_STATEMENT, _TEXTS), 1),
            "pipeline, two at once": (pair, 2),
        }
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(5):
            for way, (work, each) in ways.items():
                found[way].append(await round_us(work, each))
        for way, rounds in found.items():
            cpu_us, wall_us = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{way:22} {cpu_us:6.1f} µs of our processor, {wall_us:6.1f} µs")
        await pipeline.close()
        await asking.close()
    finally:
        server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="zhecai-micro-") as name:
        Path(name).chmod(0o755)
        uvloop.run(main(Path(name) / "postgres"))
