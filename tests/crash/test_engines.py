import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from operator import gt
from pathlib import Path

import asyncpg
import pytest

from kernel.clock import SystemClock
from kernel.engines.cluster import leftovers
from kernel.engines.embedded import EmbeddedEngines
from tests.builders.engines import a_home, a_made_home, a_small_disk, embedded
from tests.builders.logs import captured

ROOT = Path(__file__).parents[2]
WRITERS = 4
AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)  # for a while


@pytest.fixture(scope="module")
def made_home() -> Iterator[Path]:
    with a_made_home() as home:
        yield home


@pytest.fixture
def data_dir(made_home: Path, tmp_path: Path) -> Path:
    return a_home(tmp_path / "postgres", made_home).parent


@contextlib.asynccontextmanager
async def engines_in(data_dir: Path) -> AsyncIterator[EmbeddedEngines]:
    settings = embedded(data_dir, redis_url="redis://not-needed")
    async with EmbeddedEngines(settings, SystemClock()) as engines:
        yield engines


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 - a process that dies sets no event
            await asyncio.sleep(0.01)


async def write(url: str, numbers: Iterator[int], acknowledged: set[int], troubles: list[Exception]) -> None:
    """Insert a row a transaction and note each number when its commit has been answered; reconnect for ever."""
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5)
            try:
                while True:
                    number = next(numbers)
                    await connection.execute("INSERT INTO rows VALUES ($1)", number)
                    acknowledged.add(number)
            finally:
                connection.terminate()
        except AWAY as trouble:
            troubles.append(trouble)
        await asyncio.sleep(0.01)


async def cut_off(troubles: Sequence[Sequence[Exception]], before: Sequence[int]) -> None:
    """Wait until each writer has one trouble more than before."""
    await until(lambda: all(map(gt, map(len, troubles), before)))


async def stored(url: str) -> set[int]:
    connection = await asyncpg.connect(url)
    try:
        return {row["number"] for row in await connection.fetch("SELECT number FROM rows")}
    finally:
        await connection.close()


async def backend_of(url: str) -> int:
    """Give the process that serves one of the writers."""
    connection = await asyncpg.connect(url)
    try:
        pid = await connection.fetchval("SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO rows%' LIMIT 1")
    finally:
        await connection.close()
    return int(pid)


@pytest.mark.parametrize("victim", ["postmaster", "backend"])
async def test_no_acknowledged_row_is_lost_when_postgresql_is_killed_under_writers(
    victim: str, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledged: set[int] = set()
    async with engines_in(data_dir) as engines:
        url = engines.database_url
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE rows (number int PRIMARY KEY)")
        await connection.close()
        numbers = itertools.count()
        troubles: list[list[Exception]] = [[] for _ in range(WRITERS)]
        async with asyncio.TaskGroup() as tasks:
            writers = [tasks.create_task(write(url, numbers, acknowledged, own)) for own in troubles]
            for _kill in range(3):
                goal = len(acknowledged) + 300
                await until(lambda goal=goal: len(acknowledged) >= goal)  # type: ignore[misc]
                assert engines.postgres is not None
                before = [len(own) for own in troubles]
                os.kill(engines.postgres.pid if victim == "postmaster" else await backend_of(url), signal.SIGKILL)
                # what lost its postmaster goes on for a moment: an answer is the new server's when each was cut off
                await cut_off(troubles, before)
                goal = len(acknowledged) + 100
                await until(lambda goal=goal: len(acknowledged) >= goal)  # type: ignore[misc]
            for writer in writers:
                writer.cancel()
        kept = await stored(url)
    with capsys.disabled():
        sys.stdout.write(f"\n{victim} killed 3 times: {len(acknowledged)} acknowledged, {len(kept)} kept ")
    assert acknowledged <= kept


def running(pid: int) -> bool:
    """Tell whether it runs: one that has ended may wait a while to be collected by the machine's first process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def a_killed_owner(data_dir: Path) -> tuple[list[int], int]:
    """Let a process own engines, kill it while it writes; give the engines' numbers and the last row acknowledged."""
    command = [sys.executable, "-m", "tests.crash.engine_owner", data_dir]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()[1:]]
        acknowledged = [int(line) for line in itertools.islice(owner.stdout, 200)]
        owner.kill()
        acknowledged += [int(line) for line in owner.stdout if line.endswith("\n")]
    return pids, acknowledged[-1]


async def test_a_killed_owner_leaves_no_engine_behind_and_the_next_start_has_every_acknowledged_row(
    data_dir: Path,
) -> None:
    for _kill in range(2):  # the next owner starts at once, while what is left may still be shutting down
        pids, last = await asyncio.to_thread(a_killed_owner, data_dir)
        assert len(pids) == 2
    with captured() as logs:
        async with engines_in(data_dir) as engines:
            assert await stored(engines.database_url) >= set(range(1, last + 1))
            assert [pid for pid in pids if running(pid)] == []
    assert [line["event"] for line in logs] == ["engine.started"]
    assert not leftovers(data_dir / "postgres" / "cluster")


async def test_processes_that_lost_their_postmaster_do_not_keep_the_next_start_away(data_dir: Path) -> None:
    async with engines_in(data_dir) as engines:
        assert engines.postgres is not None
        cluster = engines.postgres.cluster
        connection = await asyncpg.connect(engines.database_url)
        busy = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 1e11::bigint)"))
        pid = connection.get_server_pid()
        await until(lambda: b"SELECT" in Path(f"/proc/{pid}/cmdline").read_bytes())
        before = engines.postgres.pid
        os.kill(before, signal.SIGKILL)
        await until(
            lambda: engines.postgres is not None and engines.postgres.alive() and engines.postgres.pid != before
        )
        with pytest.raises(AWAY):
            await busy
        assert pid not in {number for number, _ in leftovers(cluster)}
        other = await until_connected(engines.database_url)
        assert await other.fetchval("SELECT 1") == 1
        await other.close()


async def until_connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(*AWAY):
                return await asyncpg.connect(url)
            await asyncio.sleep(0.01)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 160 MB: enough for a cluster and some rows."""
    with a_small_disk(tmp_path / "disk", 160) as place:
        yield place


async def test_a_disk_that_fills_up_stops_the_writers_and_loses_nothing(made_home: Path, small_disk: Path) -> None:
    data_dir = a_home(small_disk / "postgres", made_home).parent
    acknowledged: set[int] = set()
    troubles: list[Exception] = []
    async with engines_in(data_dir) as engines:
        url = engines.database_url
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE rows (number int PRIMARY KEY, filler text DEFAULT repeat('浙采', 2000))")
        await connection.execute("ALTER TABLE rows ALTER filler SET STORAGE EXTERNAL")
        await connection.close()
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(write(url, itertools.count(), acknowledged, troubles))
            await until(lambda: len(acknowledged) >= 100)
            ballast = small_disk / "ballast"
            fill(ballast)
            await until(lambda: len(troubles) >= 10)
            ballast.unlink()
            goal = len(acknowledged) + 100
            await until(lambda: len(acknowledged) >= goal)
            writer.cancel()
        assert acknowledged <= await stored(url)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
