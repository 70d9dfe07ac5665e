"""The migrations: up, down and up again; what they make is what the code declares; the journal stays as it is."""

import importlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kernel.db.database import Database
from kernel.db.metadata import metadata
from kernel.journal.tables import PARTITIONS, Xid8
from kernel.runtime import Kernel
from portal import migrate
from tests.builders.databases import Databases

ROOT: Final = Path(__file__).parents[2]
for _path in sorted(ROOT.glob("*/*/tables.py")):  # every table is declared once all of these are imported
    if not _path.is_relative_to(ROOT / "tests"):
        importlib.import_module(".".join(_path.relative_to(ROOT).with_suffix("").parts))

_PARTITIONS: Final = frozenset(f"journal_{part}" for part in range(PARTITIONS))
JOURNAL: Final = ("journal", *sorted(_PARTITIONS))

_SHAPE: Final = """
select 'column', table_name || '.' || column_name,
       data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
from information_schema.columns where table_schema = 'public'
union all
select 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'public'::regnamespace
union all
select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
union all
select 'right', table_name || ' ' || grantee, string_agg(privilege_type, ',' order by privilege_type)
from information_schema.role_table_grants where table_schema = 'public' group by table_name, grantee
"""


@pytest.fixture
async def empty_url(postgres: Callable[[str], str]) -> AsyncIterator[str]:
    """A database in which nothing was ever done."""
    async with Databases(postgres).fresh() as url:
        yield url


async def shape(url: str) -> set[tuple[str, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return {tuple(row) for row in await connection.fetch(_SHAPE)}
    finally:
        await connection.close()


def test_the_revisions_are_one_chain() -> None:
    scripts = ScriptDirectory.from_config(migrate._config())

    chain = [script.revision for script in scripts.walk_revisions()]

    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert chain == sorted(chain, reverse=True)


async def test_every_revision_can_be_undone_and_done_again(empty_url: str) -> None:
    await migrate.migrate(empty_url)
    first = await shape(empty_url)

    await migrate.migrate_back(empty_url, "base")
    nothing = {row for row in await shape(empty_url) if "alembic_version" not in row[1]}
    await migrate.migrate(empty_url)

    assert nothing == set()
    assert await shape(empty_url) == first


async def test_each_revision_goes_back_to_what_was_there_before_it(empty_url: str) -> None:
    scripts = ScriptDirectory.from_config(migrate._config())
    chain = [script.revision for script in scripts.walk_revisions()][::-1]
    shapes = [await shape(empty_url)]
    for revision in chain:
        await migrate.migrate(empty_url, revision)
        shapes.append(await shape(empty_url))

    for revision, expected in zip(chain[-2::-1], shapes[-2:0:-1], strict=True):
        await migrate.migrate_back(empty_url, revision)
        assert await shape(empty_url) == expected, f"after going back to {revision}"


async def test_the_migrated_schema_is_what_the_code_declares(database_url: str) -> None:
    def differences(connection: sa.Connection) -> Sequence[Any]:
        connection.dialect.ischema_names["xid8"] = Xid8  # type: ignore[attr-defined] # not known to SQLAlchemy
        context = MigrationContext.configure(connection, opts={"include_object": _ours, "compare_type": True})
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=Database(database_url, role=None).connect, poolclass=NullPool
    )
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert not found


def _ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    return not (kind == "table" and (name in _PARTITIONS or name == "alembic_version"))


async def test_every_named_constraint_that_the_code_declares_is_there(owner: asyncpg.Connection) -> None:
    there = {
        (row[0], row[1]) for row in await owner.fetch("select conrelid::regclass::text, conname from pg_constraint")
    }
    declared = {(table.name, str(c.name)) for table in metadata.sorted_tables for c in _named(table.constraints)}

    assert declared - there == set()


def _named(constraints: Iterable[sa.Constraint]) -> list[sa.Constraint]:
    return [c for c in constraints if c.name and isinstance(c, sa.CheckConstraint)]


@pytest.mark.parametrize("statement", ["update {} set kind = kind", "delete from {}", "truncate {}"])
async def test_the_service_cannot_change_what_the_journal_says(kernel: Kernel, statement: str) -> None:
    for table in JOURNAL:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await kernel.db.pool.execute(statement.format(table))


@pytest.mark.parametrize("table", ["log_entries", "log_nodes", "log_checkpoints", "log_cosignatures", "log_keys"])
async def test_the_service_cannot_change_what_the_log_says(kernel: Kernel, table: str) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    for statement in (f"update {table} set {column} = {column}", f"delete from {table}", f"truncate {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await kernel.db.pool.execute(statement)


@pytest.mark.parametrize("statement", ["drop table journal", "alter table journal add column spare text"])
async def test_the_service_cannot_change_the_schema(kernel: Kernel, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await kernel.db.pool.execute(statement)
