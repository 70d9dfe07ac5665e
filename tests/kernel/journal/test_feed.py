"""The feed: everything exactly once and in one order, whoever commits late."""

import asyncio
from collections.abc import Sequence

import asyncpg

from kernel.db.database import Database
from kernel.journal import feed
from kernel.journal.entry import Entry
from kernel.journal.feed import Position
from kernel.runtime import Kernel
from tests.builders.stock import DDL, fill

WRITERS = 12
TRANSACTIONS = 8


async def write(dsn: str, number: int) -> None:
    """Append in transactions of different length, some of which end in nothing."""
    connection = await Database(dsn).connect()
    try:
        for turn in range(TRANSACTIONS):
            transaction = connection.transaction()
            await transaction.start()
            for part in range(2):
                await connection.execute(
                    "insert into journal (stream, version, kind, at, actor, origin, body, leaf) "
                    "values ($1, $2, 'w', now(), '', '', '{}', sha256(''))",
                    f"w{number}/{turn}-{part}",
                    1,
                )
                await asyncio.sleep((number * 7 + turn * 3 + part) % 5 / 100)
            await (transaction.rollback() if (number + turn) % 4 == 0 else transaction.commit())
    finally:
        await connection.close()


async def follow(dsn: str, done: asyncio.Event) -> list[str]:
    """Read on until nothing more can come."""
    connection = await Database(dsn).connect()
    position, seen = Position(), list[str]()
    try:
        while True:
            finished = done.is_set()
            entries, position = await feed.read(connection, position, limit=5)
            seen += [entry.stream for entry in entries]
            if finished and not entries:
                return seen
            await asyncio.sleep(0.001)
    finally:
        await connection.close()


async def test_readers_see_what_many_slow_writers_commit_once_and_all_in_the_same_order(
    kernel: Kernel, owner: asyncpg.Connection
) -> None:
    done = asyncio.Event()
    readers = [asyncio.create_task(follow(kernel.db.dsn, done)) for _ in range(3)]
    await asyncio.gather(*(write(kernel.db.dsn, number) for number in range(WRITERS)))
    done.set()
    seen: Sequence[list[str]] = await asyncio.gather(*readers)

    written = [row[0] for row in await owner.fetch("select stream from journal")]
    assert sorted(seen[0]) == sorted(written)
    assert 0 < len(written) < WRITERS * TRANSACTIONS * 2
    assert seen[0] == seen[1] == seen[2]
    late, _ = await feed.read(owner, Position())
    assert [entry.stream for entry in late] == seen[0]


async def test_a_named_reader_goes_on_where_it_stopped_and_a_rolled_back_page_is_read_again(
    kernel: Kernel, owner: asyncpg.Connection
) -> None:
    await owner.execute(DDL)
    for pieces in range(1, 6):
        await kernel.committer.submit(fill(pieces))

    async def page(*, keep: bool) -> list[Entry]:
        async with kernel.db.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            entries, to = await feed.read(connection, await feed.position(connection, "statistics"), limit=2)
            await feed.advance(connection, "statistics", to)
            await (transaction.commit() if keep else transaction.rollback())
            return entries

    versions = [[entry.version for entry in await page(keep=keep)] for keep in (True, False, True, True, True)]

    assert versions == [[1, 2], [3, 4], [3, 4], [5], []]


async def test_two_workers_of_one_reader_do_not_read_the_same_page(kernel: Kernel, owner: asyncpg.Connection) -> None:
    await owner.execute(DDL)
    for pieces in range(1, 21):
        await kernel.committer.submit(fill(pieces))
    async with kernel.db.pool.acquire() as connection, connection.transaction():
        await feed.advance(connection, "statistics", Position())
    read: list[int] = []

    async def work() -> None:
        async with kernel.db.pool.acquire() as connection:
            while True:
                async with connection.transaction():
                    after = await feed.position(connection, "statistics")
                    entries, to = await feed.read(connection, after, limit=3)
                    await feed.advance(connection, "statistics", to)
                    read.extend(entry.version for entry in entries)
                if not entries:
                    return

    await asyncio.gather(work(), work(), work())

    assert read == list(range(1, 21))
