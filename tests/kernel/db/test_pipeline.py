"""Statements that are sent before those ahead of them are answered."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from kernel.db.database import AWAY, Database
from kernel.db.pipeline import Pipeline
from kernel.runtime import Kernel

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
TABLE = (
    "create table things (a int primary key, b text, c bytea, d text[], e timestamptz, f uuid, g bytea[], h boolean)"
)
INSERT = "insert into things (a) values ($1)"


@pytest.fixture
async def pipeline(kernel: Kernel, owner: asyncpg.Connection) -> AsyncIterator[Pipeline]:
    await owner.execute(TABLE)
    found = await kernel.db.pipeline()
    yield found
    found.terminate()


async def session_of(pipeline: Pipeline, owner: asyncpg.Connection) -> int:
    """Find the server process of a pipeline by a lock that it takes."""
    await pipeline.send("select pg_advisory_lock(77)", [])
    found: int = await owner.fetchval("select pid from pg_locks where locktype = 'advisory' and objid = 77 and granted")
    return found


async def test_values_of_every_type_arrive_as_they_are(pipeline: Pipeline, owner: asyncpg.Connection) -> None:
    values = [1, 'a "quote" \\ and\na line', b"\0\xff", ["x", None, '"\\,{}'], NOON, UUID(int=7), [b"\0", b"\\"], True]
    await pipeline.send("insert into things values ($1, $2, $3, $4, $5, $6, $7, $8)", values)
    await pipeline.send("insert into things values ($1, $2, $3, $4, $5, $6, $7, $8)", [2, *[None] * 7])

    rows = await owner.fetch("select * from things order by a")

    assert [list(row) for row in rows] == [values, [2, *[None] * 7]]


async def test_each_statement_is_a_transaction_and_one_that_fails_leaves_the_others_as_they_are(
    pipeline: Pipeline, owner: asyncpg.Connection
) -> None:
    sent = [pipeline.send(INSERT, [number]) for number in (1, 2, 2, 3, 3, 4)]
    await asyncio.wait(sent)

    failed = [answer.exception() for answer in sent]

    assert [type(error) for error in failed] == [
        type(None),
        type(None),
        asyncpg.UniqueViolationError,
        type(None),
        asyncpg.UniqueViolationError,
        type(None),
    ]
    error = failed[2]
    assert isinstance(error, asyncpg.UniqueViolationError)
    assert (error.table_name, error.constraint_name, error.sqlstate) == ("things", "things_pkey", "23505")
    assert await owner.fetchval("select array_agg(a order by a) from things") == [1, 2, 3, 4]


async def test_one_waits_for_the_one_before_it_and_sees_what_it_did(
    pipeline: Pipeline, owner: asyncpg.Connection
) -> None:
    slow = pipeline.send("insert into things (a) select 1 from pg_sleep(0.3)", [])
    quick = pipeline.send("insert into things (a) select max(a) + 1 from things", [])

    await quick

    assert slow.done()
    assert await owner.fetchval("select array_agg(a order by a) from things") == [1, 2]


async def test_a_statement_that_failed_the_first_time_can_be_sent_again(
    pipeline: Pipeline, owner: asyncpg.Connection
) -> None:
    statement = "insert into later (a) values ($1)"
    with pytest.raises(asyncpg.UndefinedTableError):
        await pipeline.send(statement, [1])
    await owner.execute("create table later (a int)")
    await owner.execute("grant insert on later to zhecai_service")

    await pipeline.send(statement, [1])

    assert await owner.fetchval("select count(*) from later") == 1


async def test_what_is_more_than_a_socket_takes_at_once_arrives_whole(
    pipeline: Pipeline, owner: asyncpg.Connection
) -> None:
    long = "长" * 1_000_000
    sent = [pipeline.send("insert into things (a, b) values ($1, $2)", [number, long]) for number in range(20)]
    await asyncio.gather(*sent)

    assert await owner.fetchval("select count(*) from things where length(b) = 1000000") == 20


async def test_a_text_that_the_database_cannot_hold_is_refused_before_anything_is_sent(pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match="U\\+0000"):
        pipeline.send("insert into things (a, b) values (1, $1)", ["a\0b"])

    await pipeline.send(INSERT, [1])


async def test_whoever_waits_when_the_session_is_ended_is_told(pipeline: Pipeline, owner: asyncpg.Connection) -> None:
    session = await session_of(pipeline, owner)
    sent = [pipeline.send("select pg_sleep(60)", []), pipeline.send(INSERT, [1])]

    await owner.execute("select pg_terminate_backend($1)", session)
    await asyncio.wait(sent, timeout=10)

    assert all(isinstance(answer.exception(), AWAY) for answer in sent)
    assert pipeline.is_closed()
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        pipeline.send(INSERT, [2])


async def test_that_an_idle_session_is_gone_is_noticed(pipeline: Pipeline, owner: asyncpg.Connection) -> None:
    session = await session_of(pipeline, owner)
    await owner.execute("select pg_terminate_backend($1)", session)

    async with asyncio.timeout(10):
        while not pipeline.is_closed():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_closing_waits_for_what_was_sent_and_terminating_does_not(
    kernel: Kernel, pipeline: Pipeline, owner: asyncpg.Connection
) -> None:
    last = pipeline.send("insert into things (a) select 1 from pg_sleep(0.2)", [])
    await pipeline.close()
    await last
    other = await kernel.db.pipeline()
    lost = other.send("select pg_sleep(60)", [])
    other.terminate()

    assert await owner.fetchval("select count(*) from things") == 1
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await lost


async def test_whoever_gives_up_waiting_does_not_disturb_the_next(pipeline: Pipeline) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pipeline.send("select pg_sleep(0.3)", [])

    await pipeline.send(INSERT, [1])


async def test_where_nobody_listens_it_cannot_be_opened(kernel: Kernel) -> None:
    nowhere = Database(kernel.db.dsn.replace("port=", "port=1"))

    with pytest.raises(ConnectionError):
        await nowhere.pipeline()


async def test_options_of_the_address_hold_beside_ours(kernel: Kernel, owner: asyncpg.Connection) -> None:
    await owner.execute("create table told (work_mem text, zone text, role text)")
    await owner.execute("grant insert on told to zhecai_service")
    pipeline = await Database(f"{kernel.db.dsn}&options=-c%20work_mem%3D7MB").pipeline()

    await pipeline.send(
        "insert into told values (current_setting('work_mem'), current_setting('timezone'), current_user)", []
    )
    pipeline.terminate()

    assert [*await owner.fetchrow("select * from told")] == ["7MB", "UTC", "zhecai_service"]


async def test_an_address_that_libpq_cannot_read_is_no_connection(kernel: Kernel) -> None:
    with pytest.raises(ConnectionError, match="nonsense"):
        await Database(f"{kernel.db.dsn}&nonsense=1").pipeline()
