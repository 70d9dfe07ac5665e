"""Every statement about organisations."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from kernel.paging import Page, decode_cursor, page_of
from registries.organisations.lifecycle import (
    REGISTERED,
    Event,
    Kind,
    Organisation,
    Status,
    due_at,
    evolve,
    review_region,
    waiting_since,
)
from registries.organisations.tables import organisations

_rows: Final[StateTable[Organisation, Event]] = StateTable(
    organisations,
    Organisation,
    derived={"review_region": review_region, "waiting_since": waiting_since, "due_at": due_at},
)
ORGANISATION: Final[StreamKind[Organisation, Event]] = StreamKind(
    "organisation", Event, evolve, _rows.load, _rows.save, heard=True
)

_o: Final = organisations.c


_DUE: Final = "select id from organisations where due_at <= $1 order by due_at limit $2"


class OrganisationRow(msgspec.Struct, frozen=True):
    """
    An organisation as the public register shows it: nothing personal, nothing of who only applied.

    ``suspension_reason`` and ``suspended_until`` (the last day in Beijing) are there while it is suspended.
    """

    organisation_id: UUID
    kind: Kind
    name: str
    credit_code: str
    region: str
    status: Status
    suspension_reason: str | None = None
    suspended_until: date | None = None


_SHOWN: Final = (
    _o.id.label("organisation_id"),
    _o.kind,
    _o.name,
    _o.credit_code,
    _o.region,
    _o.status,
    _o.suspension["reason"].astext.label("suspension_reason"),
    _o.suspension["until"].astext.label("suspended_until"),
)
_PUBLIC: Final = _o.status.in_(sorted(REGISTERED))


def _row(row: object) -> OrganisationRow:
    return msgspec.convert(row, OrganisationRow, from_attributes=True)


async def find(
    tx: AsyncConnection, *, kind: Kind | None, text: str, cursor: str | None, limit: int
) -> Page[OrganisationRow]:
    """List organisations by name; ``text`` is a part of the name or the credit code as it is."""
    statement = sa.select(*_SHOWN).where(_PUBLIC).order_by(_o.name, _o.id).limit(limit + 1)
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
    row = (await tx.execute(sa.select(*_SHOWN).where(_PUBLIC, _o.id == organisation_id))).one_or_none()
    return _row(row) if row else None


async def by_credit_code(tx: AsyncConnection, credit_code: str) -> OrganisationRow | None:
    """Read the organisation that has a credit code."""
    row = (await tx.execute(sa.select(*_SHOWN).where(_PUBLIC, _o.credit_code == credit_code))).one_or_none()
    return _row(row) if row else None


async def holder_of(tx: AsyncConnection, credit_code: str) -> Status | None:
    """Tell at which stage the one organisation is that holds a credit code now."""
    ended = (Status.REFUSED, Status.WITHDRAWN, Status.DEREGISTERED)
    statement = sa.select(_o.status).where(_o.credit_code == credit_code, _o.status.not_in(ended))
    found = (await tx.execute(statement)).scalar_one_or_none()
    return Status(found) if found else None


async def falling_due(pool: asyncpg.Pool, at: datetime, *, limit: int) -> list[UUID]:
    """List organisations whose suspension has come to its beginning or to its end."""
    return [row[0] for row in await pool.fetch(_DUE, at, limit)]


async def names(tx: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Name organisations."""
    rows = await tx.execute(sa.select(_o.id, _o.name).where(_o.id.in_(tuple(ids))))
    return {row.id: row.name for row in rows}
