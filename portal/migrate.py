"""Bringing a database to the newest schema, or back."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kernel.db.database import Database

_LOCK: Final = 0x7A686563  # "zhec": two migrations at once would each create half of the tables


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str:
    """Name the revision that this version of the program expects."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


async def migrate(database_url: str, revision: str = "head") -> None:
    """Upgrade to ``revision``; whoever else migrates is waited for. Each revision is one transaction."""
    await _run(database_url, command.upgrade, revision)


async def migrate_back(database_url: str, revision: str) -> None:
    """Downgrade to ``revision`` (``base`` for nothing at all). What newer revisions held is lost."""
    await _run(database_url, command.downgrade, revision)


async def current_revision(database_url: str) -> str | None:
    """Name the revision a database is at; ``None`` where it was never migrated."""

    def read(connection: sa.Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    found: str | None = await _on(database_url, read)
    return found


async def _run(database_url: str, verb: Any, revision: str) -> None:
    def run(connection: sa.Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        connection.execute(sa.text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        try:
            verb(config, revision)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sa.text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.commit()

    await _on(database_url, run)


async def _on(database_url: str, work: Any) -> Any:
    """Run synchronous work on a connection of the owner's, not of the service role."""
    owner = Database(database_url, role=None)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=owner.connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
