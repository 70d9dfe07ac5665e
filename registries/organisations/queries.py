"""Every statement about organisations."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from kernel.paging import Page, decode_cursor, page_of
from registries.organisations.rules import Event, Kind, Organisation, Status, evolve
from registries.organisations.tables import organisations

_rows: Final[StateTable[Organisation, Event]] = StateTable(organisations, Organisation)
ORGANISATION: Final[StreamKind[Organisation, Event]] = StreamKind("organisation", Event, evolve, _rows.load, _rows.save)

_o: Final = organisations.c


class OrganisationRow(msgspec.Struct, frozen=True):
    """An organisation as lists show it: the register is public."""

    organisation_id: UUID
    kind: Kind
    name: str
    credit_code: str
    region: str
    status: Status


_SHOWN: Final = (_o.id.label("organisation_id"), _o.kind, _o.name, _o.credit_code, _o.region, _o.status)


def _row(row: object) -> OrganisationRow:
    return msgspec.convert(row, OrganisationRow, from_attributes=True)


async def find(
    tx: AsyncConnection, *, kind: Kind | None, text: str, cursor: str | None, limit: int
) -> Page[OrganisationRow]:
    """List organisations by name; ``text`` is a part of the name or the credit code as it is."""
    statement = sa.select(*_SHOWN).order_by(_o.name, _o.id).limit(limit + 1)
    if kind:
        statement = statement.where(_o.kind == kind)
    if text:
        statement = statement.where(_o.name.contains(text, autoescape=True) | (_o.credit_code == text.upper()))
    if cursor:
        name, last = decode_cursor(cursor, (str, UUID))
        statement = statement.where(sa.tuple_(_o.name, _o.id) > sa.tuple_(name, last))
    rows = (await tx.execute(statement)).all()
    return page_of(rows, limit, _row, lambda row: (row.name, row.organisation_id))


async def get(tx: AsyncConnection, organisation_id: UUID) -> OrganisationRow | None:
    """Read one organisation."""
    row = (await tx.execute(sa.select(*_SHOWN).where(_o.id == organisation_id))).one_or_none()
    return _row(row) if row else None


async def by_credit_code(tx: AsyncConnection, credit_code: str) -> OrganisationRow | None:
    """Read the organisation that has a credit code."""
    row = (await tx.execute(sa.select(*_SHOWN).where(_o.credit_code == credit_code))).one_or_none()
    return _row(row) if row else None


async def names(tx: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Name organisations."""
    rows = await tx.execute(sa.select(_o.id, _o.name).where(_o.id.in_(tuple(ids))))
    return {row.id: row.name for row in rows}
