"""Every statement about the classification."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.classification.rules import Category, Classification, Loaded, ancestors_of, evolve
from catalog.classification.tables import classification_codes
from kernel.journal.streams import Change, Connection, StreamKind, Versioned

_LOAD: Final = "SELECT id, version, edition, loads FROM classifications WHERE id = any($1::uuid[])"
_LOAD_CODES: Final = "SELECT code, parent, name, description FROM classification_codes WHERE edition = $1"
_SAVE: Final = """
    INSERT INTO classifications (id, version, edition, loads) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, loads = excluded.loads
"""
_SAVE_CODES: Final = """
    INSERT INTO classification_codes (edition, code, parent, name, description)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
    ON CONFLICT (edition, code) DO UPDATE
    SET parent = excluded.parent, name = excluded.name, description = excluded.description
"""


async def _load(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Classification]]:
    found = {}
    for row in await connection.fetch(_LOAD, ids):
        codes = await connection.fetch(_LOAD_CODES, row["edition"])
        categories = tuple(sorted(Category(*code) for code in codes))
        found[row["id"]] = Versioned(
            row["version"], Classification(row["id"], row["edition"], row["loads"], categories)
        )
    return found


async def _save(connection: Connection, changes: Sequence[Change[Classification, Loaded]]) -> None:
    for change in changes:
        await connection.execute(_SAVE, change.id, change.version, change.after.edition, change.after.loads)
        touched = {category.code for one in change.events for category in one.event.categories}
        rows = [category for category in change.after.categories if category.code in touched]
        columns = [[getattr(row, name) for row in rows] for name in ("code", "parent", "name", "description")]
        await connection.execute(_SAVE_CODES, change.after.edition, *columns)


CLASSIFICATION: Final[StreamKind[Classification, Loaded]] = StreamKind("classification", Loaded, evolve, _load, _save)

_c: Final = classification_codes.c


class CategoryRow(msgspec.Struct, frozen=True):
    """A category as trees show it."""

    edition: str
    code: str
    parent: str
    name: str
    description: str
    children: int


def _shown() -> sa.Select[tuple[str, str, str, str, str, int]]:
    below = classification_codes.alias("below")
    children = (
        sa.select(sa.func.count())
        .where(below.c.edition == _c.edition, below.c.parent == _c.code)
        .scalar_subquery()
        .label("children")
    )
    return sa.select(_c.edition, _c.code, _c.parent, _c.name, _c.description, children)


async def children_of(tx: AsyncConnection, edition: str, parent: str) -> tuple[CategoryRow, ...]:
    """List what lies directly in a category, or the top with an empty ``parent``."""
    rows = await tx.execute(_shown().where(_c.edition == edition, _c.parent == parent).order_by(_c.code))
    return tuple(msgspec.convert(row, CategoryRow, from_attributes=True) for row in rows.all())


async def get(tx: AsyncConnection, edition: str, code: str) -> CategoryRow | None:
    """Read one category."""
    row = (await tx.execute(_shown().where(_c.edition == edition, _c.code == code))).one_or_none()
    return msgspec.convert(row, CategoryRow, from_attributes=True) if row else None


async def path_of(tx: AsyncConnection, edition: str, code: str) -> tuple[Category, ...]:
    """List a category and what it lies in, nearest first."""
    known: dict[str, Category] = {}
    base = sa.select(_c.code, _c.parent, _c.name, _c.description).where(_c.edition == edition)
    climb = base.where(_c.code == code).cte("climb", recursive=True)
    climb = climb.union(base.join(climb, _c.code == climb.c.parent))
    for row in (await tx.execute(sa.select(climb))).all():
        known[row.code] = Category(row.code, row.parent, row.name, row.description)
    order = ancestors_of(code, {one.code: one.parent for one in known.values()})
    return tuple(known[one] for one in order if one in known)


async def names(tx: AsyncConnection, edition: str) -> dict[str, str]:
    """Name all codes of an edition."""
    rows = await tx.execute(sa.select(_c.code, _c.name).where(_c.edition == edition))
    return {row.code: row.name for row in rows.all()}


async def parents(tx: AsyncConnection, edition: str) -> dict[str, str]:
    """Tell what each code of an edition lies in."""
    rows = await tx.execute(sa.select(_c.code, _c.parent).where(_c.edition == edition))
    return {row.code: row.parent for row in rows.all()}


async def name_words(tx: AsyncConnection, candidates: Sequence[str]) -> set[str]:
    """Tell which of some words name a category."""
    rows = await tx.execute(sa.select(_c.name).distinct().where(_c.name.in_(tuple(candidates))))
    return set(rows.scalars().all())
