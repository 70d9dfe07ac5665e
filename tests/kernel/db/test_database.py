import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from kernel.db.database import Database, is_away
from kernel.runtime import Kernel
from tests.builders.database_proxy import DatabaseProxy


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
