"""A process that owns embedded engines and writes rows, printing each number after its commit; to be killed."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import structlog

from kernel.clock import SystemClock
from kernel.engines.embedded import EmbeddedEngines
from tests.builders.engines import embedded


async def main(data_dir: Path) -> None:
    async with EmbeddedEngines(embedded(data_dir, pg_log_ready_mb=64), SystemClock()) as engines:
        assert engines.postgres is not None
        assert engines.valkey is not None
        sys.stdout.write(f"pids {engines.postgres.pid} {engines.valkey.pid}\n")
        connection = await asyncpg.connect(engines.database_url)
        await connection.execute("CREATE TABLE IF NOT EXISTS rows (number int PRIMARY KEY)")
        number = await connection.fetchval("SELECT coalesce(max(number), 0) FROM rows")
        while True:
            number += 1
            await connection.execute("INSERT INTO rows VALUES ($1)", number)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main(Path(sys.argv[1])))
