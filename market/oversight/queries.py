"""Every statement about visits to running halls."""

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import Actor
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from kernel.paging import Page, decode_cursor, page_of
from market.oversight.rules import Visit, Visited, evolve
from market.oversight.tables import oversight_visits
from registries.regions.rules import prefix_of

_rows: Final[StateTable[Visit, Visited]] = StateTable(oversight_visits, Visit)
OVERSIGHT: Final[StreamKind[Visit, Visited]] = StreamKind("oversight", Visited, evolve, _rows.load, _rows.save)

_v: Final = oversight_visits.c


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Tell which visits an auditor may see: those to auctions of the own region and those below it."""
    return _v.region.startswith(prefix_of(actor.region), autoescape=True) if actor.region else sa.false()


async def visits(
    tx: AsyncConnection, actor: Actor, *, auction_id: UUID | None, cursor: str | None, limit: int
) -> Page[Visit]:
    """List visits, the latest first."""
    statement = (
        sa.select(*(_v[name] for name in Visit.__struct_fields__))
        .where(visible_to(actor))
        .order_by(_v.id.desc())
        .limit(limit + 1)
    )
    if auction_id:
        statement = statement.where(_v.auction_id == auction_id)
    if cursor:
        statement = statement.where(_v.id < decode_cursor(cursor, (UUID,))[0])
    rows = (await tx.execute(statement)).all()
    return page_of(rows, limit, lambda row: msgspec.convert(row, Visit, from_attributes=True), lambda row: (row.id,))
