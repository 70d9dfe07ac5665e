"""Every statement about framework agreements."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.agreements.rules import Agreement, Event, Package, Status, Subject, evolve
from catalog.agreements.tables import agreement_suppliers, agreements
from kernel.db.statetable import StateTable
from kernel.journal.streams import Change, Connection, StreamKind
from kernel.paging import Page, decode_cursor, page_of

_rows: Final[StateTable[Agreement, Event]] = StateTable(agreements, Agreement)

_FORGET: Final = "DELETE FROM agreement_suppliers WHERE agreement_id = any($1::uuid[])"
_REMEMBER: Final = """
    INSERT INTO agreement_suppliers (agreement_id, package, supplier_id)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[])
"""


async def _save(connection: Connection, changes: Sequence[Change[Agreement, Event]]) -> None:
    await _rows.save(connection, changes)
    admitted = [
        (change.id, package.number, supplier)
        for change in changes
        for package in change.after.packages
        for supplier in package.suppliers
    ]
    await connection.execute(_FORGET, [change.id for change in changes])
    if admitted:
        await connection.execute(_REMEMBER, *(list(column) for column in zip(*admitted, strict=True)))


AGREEMENT: Final[StreamKind[Agreement, Event]] = StreamKind("agreement", Event, evolve, _rows.load, _save)

_a: Final = agreements.c


class AgreementRow(msgspec.Struct, frozen=True):
    """An agreement as lists show it: public for its whole term (110号令 第三十条)."""

    agreement_id: UUID
    number: str
    title: str
    organiser: str
    subject: Subject
    valid_from: date
    valid_to: date
    regions: tuple[str, ...]
    packages: tuple[Package, ...]
    status: Status


_SHOWN: Final = (
    _a.id.label("agreement_id"),
    *(_a.number, _a.title, _a.organiser, _a.subject, _a.valid_from, _a.valid_to, _a.regions, _a.packages, _a.status),
)


async def find(
    tx: AsyncConnection,
    *,
    day: date | None = None,
    supplier_id: UUID | None = None,
    regions: Sequence[str] = (),
    cursor: str | None = None,
    limit: int,
) -> Page[AgreementRow]:
    """
    List agreements, the newest number last.

    ``day`` keeps those valid on it, ``supplier_id`` those that admit the supplier, ``regions`` (a region and
    what it lies in) those that serve it.
    """
    statement = sa.select(*_SHOWN).order_by(_a.number).limit(limit + 1)
    if day:
        statement = statement.where(_a.status == Status.CONCLUDED, _a.valid_from <= day, _a.valid_to >= day)
    if supplier_id:
        admitted = sa.select(agreement_suppliers.c.agreement_id).where(agreement_suppliers.c.supplier_id == supplier_id)
        statement = statement.where(_a.id.in_(admitted))
    if regions:
        statement = statement.where(_a.regions.overlap(sa.cast(list(regions), ARRAY(sa.Text))))
    if cursor:
        statement = statement.where(_a.number > decode_cursor(cursor, (str,))[0])
    rows = (await tx.execute(statement)).all()
    return page_of(rows, limit, _row, lambda row: (row.number,))


async def get(tx: AsyncConnection, agreement_id: UUID) -> AgreementRow | None:
    """Read one agreement."""
    row = (await tx.execute(sa.select(*_SHOWN).where(_a.id == agreement_id))).one_or_none()
    return _row(row) if row else None


async def by_number(tx: AsyncConnection, number: str) -> AgreementRow | None:
    """Read the agreement that has a number."""
    row = (await tx.execute(sa.select(*_SHOWN).where(_a.number == number))).one_or_none()
    return _row(row) if row else None


def _row(row: object) -> AgreementRow:
    return msgspec.convert(row, AgreementRow, from_attributes=True)
