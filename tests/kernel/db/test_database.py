import asyncio

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from kernel.db.database import OWN_CONNECTIONS_MAX, Database, connections_max, is_away, room_of
from kernel.runtime import Kernel
from tests.builders.database_proxy import DatabaseProxy
from tests.conftest import KernelMaker

COUNT = (
    "select count(*) from pg_stat_activity where datname = current_database() "
    "and application_name = 'zhecai' and pid <> pg_backend_pid()"
)
"""Connections of the service to this database, without the one that asks."""


async def test_every_connection_is_in_the_role_that_may_not_touch_the_journal(kernel: Kernel) -> None:
    async with kernel.db.read() as tx:
        core = (await tx.execute(sa.text("select current_user"))).scalar_one()
    raw = await kernel.db.pool.fetchval("select current_user")
    own = await kernel.db.connect()

    assert core == raw == await own.fetchval("select current_user") == "zhecai_service"
    await own.close()
    for statement in ("update journal_0 set actor = ''", "delete from journal_7", "drop table journal"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await kernel.db.pool.execute(statement)


async def lent(kernel: Kernel, release: asyncio.Event) -> None:
    """Hold a connection for reading and a raw one until told."""
    async with kernel.db.read() as tx, kernel.db.pool.acquire() as raw:
        await tx.execute(sa.text("select 1"))
        await raw.fetchval("select 1")
        await release.wait()


async def test_a_process_opens_no_more_connections_than_it_says(
    make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    kernel = await make_kernel(pool_size=3)
    release = asyncio.Event()
    own = [await kernel.db.connect() for _ in range(OWN_CONNECTIONS_MAX - 4)]  # the committers have two each
    borrowers = [asyncio.create_task(lent(kernel, release)) for _ in range(20)]
    counts = []
    for _ in range(20):
        await asyncio.sleep(0)
        counts.append(await owner.fetchval(COUNT))
    with pytest.raises(AssertionError):
        await kernel.db.connect()
    await own[0].close()
    own[0] = await kernel.db.connect()
    release.set()
    await asyncio.gather(*borrowers)

    assert max(counts) <= connections_max(3) == 12
    assert await owner.fetchval(COUNT) == connections_max(3)  # and the bound is reached, not merely kept
    for connection in own:
        await connection.close()


async def test_a_server_says_how_many_connections_it_lets_us_have(owner: asyncpg.Connection) -> None:
    at_most = int(await owner.fetchval("show max_connections"))
    name = await owner.fetchval("select current_database()")

    assert at_most - 10 <= await room_of(owner) < at_most
    await owner.execute(f"alter database {name} connection limit 7")
    assert await room_of(owner) == 7


async def test_a_vanished_client_holds_its_locks_for_seconds_and_not_for_ever(kernel: Kernel) -> None:
    assert await kernel.db.pool.fetchval("show idle_in_transaction_session_timeout") == "15s"


async def test_with_several_hosts_the_one_that_answers_is_used(database_url: str) -> None:
    async with DatabaseProxy(database_url) as alive:
        base, _, query = alive.url.partition("?host=")
        host = query.partition("&")[0]
        database = Database(f"{base}?host=/nonexistent,{host}&port=5432,5432")
        await database.open()
        assert await database.pool.fetchval("select 1") == 1
        await database.close()


async def test_a_database_that_is_away_is_told_from_a_statement_that_is_wrong(kernel: Kernel) -> None:
    async with kernel.db.read() as tx:
        with pytest.raises(DBAPIError) as caught:
            await tx.execute(sa.text("select * from nowhere"))
    assert not is_away(caught.value)
    assert not is_away(ValueError())
    assert not is_away(None)
    assert is_away(ConnectionRefusedError())
    assert is_away(asyncpg.TooManyConnectionsError())

    async with DatabaseProxy(kernel.db.dsn) as proxy:
        database = Database(proxy.url)
        await database.open()
        async with database.read() as tx:
            proxy.throw_out()
            with pytest.raises(DBAPIError) as caught:
                await tx.execute(sa.text("select 1"))
        await database.close()
    assert is_away(caught.value)


async def test_a_database_that_was_never_opened_can_be_closed(database_url: str) -> None:
    await Database(database_url).close()
