"""Every statement about offers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.agreements.tables import agreements
from catalog.offers.rules import Consumed, Event, Offer, Released, Reserved, evolve
from catalog.offers.tables import offers
from catalog.products.tables import products
from kernel.db.statetable import StateTable
from kernel.journal.streams import Change, Connection, StreamKind
from kernel.paging import Page, decode_cursor, page_of

_rows: Final[StateTable[Offer, Event]] = StateTable(offers, Offer)

# Orders touch quantities and nothing else: two columns of rows that are there already.
_QUANTITIES: Final = """
    UPDATE offers SET version = u.version, reserved = u.reserved, consumed = u.consumed
    FROM json_to_recordset(convert_from($1, 'UTF8')::json)
        AS u (id uuid, version bigint, reserved bigint, consumed bigint)
    WHERE offers.id = u.id
"""
_TOUCHING_QUANTITIES: Final = frozenset({Reserved, Released, Consumed})
_encode: Final = msgspec.json.Encoder().encode


async def _save(connection: Connection, changes: Sequence[Change[Offer, Event]]) -> None:
    ordered: list[Change[Offer, Event]] = []
    others: list[Change[Offer, Event]] = []
    for change in changes:
        only_quantities = _TOUCHING_QUANTITIES.issuperset([type(one.event) for one in change.events])
        (ordered if only_quantities else others).append(change)
    if ordered:
        await connection.execute(_QUANTITIES, _encode([_quantities(change) for change in ordered]))
    if others:
        await _rows.save(connection, others)


def _quantities(change: Change[Offer, Event]) -> dict[str, Any]:
    offer = change.after
    return {"id": change.id, "version": change.version, "reserved": offer.reserved, "consumed": offer.consumed}


OFFER: Final[StreamKind[Offer, Event]] = StreamKind("offer", Event, evolve, _rows.load, _save, in_one=True)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_o: Final = offers.c


class OfferRow(msgspec.Struct, frozen=True):
    """An offer as its supplier sees it."""

    offer_id: UUID
    revision: int
    product_id: UUID
    product_name: str
    brand: str
    model: str
    unit: str
    agreement_id: UUID
    agreement_number: str
    agreement_title: str
    package: int
    agreement_price_fen: int
    price_fen: int
    market_price_fen: int | None
    quota: int
    reserved: int
    consumed: int
    available: int
    regions: tuple[str, ...]
    on_shelf: bool


_SHOWN: Final = sa.select(
    _o.id.label("offer_id"),
    _o.revision,
    _o.product_id,
    products.c.name.label("product_name"),
    *(products.c.brand, products.c.model, products.c.unit, _o.agreement_id),
    agreements.c.number.label("agreement_number"),
    agreements.c.title.label("agreement_title"),
    *(_o.package, _o.agreement_price_fen, _o.price_fen, products.c.market_price_fen),
    *(_o.quota, _o.reserved, _o.consumed),
    (_o.quota - _o.reserved - _o.consumed).label("available"),
    *(_o.regions, _o.on_shelf, _o.listed_at),
).select_from(
    offers.join(products, products.c.id == _o.product_id).join(agreements, agreements.c.id == _o.agreement_id)
)


async def own(
    tx: AsyncConnection,
    supplier_id: UUID,
    *,
    on_shelf: bool | None,
    text: str,
    cursor: str | None,
    limit: int,
) -> Page[OfferRow]:
    """List the offers of one supplier, the newest first; ``text`` is part of the product's name."""
    statement = _SHOWN.where(_o.supplier_id == supplier_id).order_by(_o.listed_at.desc(), _o.id.desc())
    if on_shelf is not None:
        statement = statement.where(_o.on_shelf.is_(on_shelf))
    if text:
        statement = statement.where(products.c.name.contains(text, autoescape=True))
    if cursor:
        listed_at, last = decode_cursor(cursor, (Moment, UUID))
        statement = statement.where(sa.tuple_(_o.listed_at, _o.id) < sa.tuple_(listed_at, last))
    rows = (await tx.execute(statement.limit(limit + 1))).all()
    return page_of(rows, limit, _row, lambda row: (row.listed_at, row.offer_id))


async def get_own(tx: AsyncConnection, supplier_id: UUID, offer_id: UUID) -> OfferRow | None:
    """Read an offer, if it is the supplier's."""
    row = (await tx.execute(_SHOWN.where(_o.id == offer_id, _o.supplier_id == supplier_id))).one_or_none()
    return _row(row) if row else None


def _row(row: object) -> OfferRow:
    return msgspec.convert(row, OfferRow, from_attributes=True)
