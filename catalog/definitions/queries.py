"""Every statement about category definitions."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.definitions.rules import Defined, Definition, evolve
from catalog.definitions.tables import category_definitions
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind

_rows: Final[StateTable[Definition, Defined]] = StateTable(category_definitions, Definition)
DEFINITION: Final[StreamKind[Definition, Defined]] = StreamKind("definition", Defined, evolve, _rows.load, _rows.save)


async def of_edition(tx: AsyncConnection, edition: str) -> dict[str, Definition]:
    """Read all definitions of an edition, by code."""
    rows = await tx.execute(sa.select(category_definitions).where(category_definitions.c.edition == edition))
    return {row.code: _rows.state(row._mapping) for row in rows.all()}  # noqa: SLF001  its public name
