"""Every statement about orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.products.rules import FirstPicture
from kernel.access.actors import OVERSEERS, PURCHASERS, SUPPLIERS, Actor
from kernel.commit.command import States
from kernel.db.database import Database
from kernel.journal.entry import Entry
from kernel.journal.streams import Change, Connection, StreamKind, StreamRef, Versioned
from kernel.problems import Scalar
from market.limits.rules import Standing
from market.orders.lifecycle import ApprovedBy, Event, LimitApplied, Order, OrderLine, Side, Stage, Step, Terms, evolve
from market.orders.rules import PreviewOrder
from market.orders.tables import order_lines, orders
from registries.organisations.tables import organisations
from registries.regions.rules import prefix_of
from registries.users.tables import users

S = TypeVar("S")

o: Final = orders.c
l_: Final = order_lines.c

_decode: Final = msgspec.json.Decoder(Event).decode
_encode: Final = msgspec.json.Encoder().encode
_TERMS: Final = [name for name in Terms.__struct_fields__ if name not in {"lines", "limits"}]
_LINE: Final = [name for name in OrderLine.__struct_fields__ if name != "specs"]
_MOVING: Final = ["stage", "changed_at", "reason", "ended_by", "carrier", "tracking"]

_LOAD: Final = f"""
select id, version, {", ".join(_TERMS)}, limits, placed_at, {", ".join(_MOVING)}
from orders where id = any($1::uuid[])"""
_LOAD_LINES: Final = f"""
select order_id, {", ".join(_LINE)}, specs
from order_lines where order_id = any($1::uuid[]) order by order_id, line"""

# Rows travel as one JSON text a table: PostgreSQL names and types the columns itself, and encoding a batch costs
# half of what 47 arrays cost (11 µs an order instead of 24, measured with 64 orders in a batch).
_INSERT: Final = f"""
insert into orders (id, version, {", ".join(_TERMS)}, limits, placed_at, {", ".join(_MOVING)})
select id, version, {", ".join(_TERMS)}, limits, placed_at, {", ".join(_MOVING)}
from json_populate_recordset(null::orders, convert_from($1, 'UTF8')::json)"""
_INSERT_LINES: Final = f"""
insert into order_lines (order_id, line, {", ".join(_LINE)}, specs)
select order_id, line, {", ".join(_LINE)}, specs
from json_populate_recordset(null::order_lines, convert_from($1, 'UTF8')::json)"""

_MOVE: Final = """
update orders set version = u.version, stage = u.stage, changed_at = u.changed_at, reason = u.reason,
                  ended_by = u.ended_by, carrier = u.carrier, tracking = u.tracking
from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[])
     as u(id, version, stage, changed_at, reason, ended_by, carrier, tracking)
where orders.id = u.id"""


async def _load(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Order]]:
    rows = await connection.fetch(_LOAD, ids)
    if not rows:
        return {}
    lines: dict[UUID, list[OrderLine]] = {row["id"]: [] for row in rows}
    for row in await connection.fetch(_LOAD_LINES, list(lines)):
        lines[row["order_id"]].append(_line(row))
    return {row["id"]: Versioned(row["version"], _order(row, tuple(lines[row["id"]]))) for row in rows}


def _line(row: asyncpg.Record) -> OrderLine:
    return OrderLine(**{name: row[name] for name in _LINE}, specs=msgspec.json.decode(row["specs"]))


def _order(row: asyncpg.Record, lines: tuple[OrderLine, ...]) -> Order:
    limits = msgspec.json.decode(row["limits"], type=tuple[LimitApplied, ...])
    return Order(
        terms=Terms(**{name: row[name] for name in _TERMS}, lines=lines, limits=limits),
        stage=Stage(row["stage"]),
        placed_at=row["placed_at"],
        changed_at=row["changed_at"],
        reason=row["reason"],
        ended_by=Side(row["ended_by"]) if row["ended_by"] else None,
        carrier=row["carrier"],
        tracking=row["tracking"],
    )


async def _save(connection: Connection, changes: Sequence[Change[Order, Event]]) -> None:
    """Insert the orders that are new with their lines, move the others on: at most three statements."""
    new = [change for change in changes if change.before is None]
    moved = [change for change in changes if change.before is not None]
    if new:
        await connection.execute(_INSERT, _encode([_row(change) for change in new]))
        await connection.execute(_INSERT_LINES, _encode([row for change in new for row in _line_rows(change)]))
    if moved:
        rows = [(change.id, change.version, *_moving(change.after)) for change in moved]
        await connection.execute(_MOVE, *map(list, zip(*rows, strict=True)))


def _moving(order: Order) -> tuple[object, ...]:
    return (order.stage, order.changed_at, order.reason, order.ended_by, order.carrier, order.tracking)


def _row(change: Change[Order, Event]) -> dict[str, Any]:
    order = change.after
    row = msgspec.structs.asdict(order.terms)
    del row["lines"]
    row |= {
        "id": change.id,
        "version": change.version,
        "stage": order.stage,
        "placed_at": order.placed_at,
        "changed_at": order.changed_at,
        "reason": order.reason,
        "ended_by": order.ended_by,
        "carrier": order.carrier,
        "tracking": order.tracking,
    }
    return row


def _line_rows(change: Change[Order, Event]) -> list[dict[str, Any]]:
    rows = [msgspec.structs.asdict(line) for line in change.after.terms.lines]
    for number, row in enumerate(rows, 1):
        row["order_id"], row["line"] = change.id, number
    return rows


ORDER: Final[StreamKind[Order, Event]] = StreamKind("order", Event, evolve, _load, _save, in_one=True)


class OrderRow(msgspec.Struct, frozen=True):
    """An order as a list shows it; ``products`` names its first lines, ``lines`` counts them all."""

    order_id: UUID
    number: str
    stage: Stage
    purchaser_id: UUID
    purchaser_name: str
    supplier_id: UUID
    supplier_name: str
    total_fen: int
    placed_at: datetime
    changed_at: datetime
    products: tuple[str, ...]
    lines: int


class Filter(msgspec.Struct, frozen=True):
    """What a list of orders is narrowed to; ``text`` is a part of number, product, supplier or purchaser."""

    side: Side | None = None
    stage: Stage | None = None
    text: str = ""
    placed_from: datetime | None = None
    placed_to: datetime | None = None


PRODUCTS_SHOWN: Final = 3
_READERS: Final = {Side.PURCHASER: PURCHASERS, Side.SUPPLIER: SUPPLIERS}


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Tell which orders an actor may see: both parties their own, an overseer those of purchasers in its region."""
    seen = [_side(actor, side) for side, roles in _READERS.items() if actor.has_any(roles)]
    if actor.has_any(OVERSEERS) and actor.region:
        seen.append(o.purchaser_region.startswith(prefix_of(actor.region)))
    return sa.or_(sa.false(), *seen)


def _side(actor: Actor, side: Side) -> sa.ColumnElement[bool]:
    if actor.organisation_id is None:
        return sa.false()
    return (o.purchaser_id if side is Side.PURCHASER else o.supplier_id) == actor.organisation_id


def _matching(actor: Actor, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found = [visible_to(actor)]
    if wanted.side is not None:
        found.append(_side(actor, wanted.side))
    if wanted.stage is not None:
        found.append(o.stage == wanted.stage)
    if wanted.text:
        line = sa.select(l_.order_id).where(l_.order_id == o.id, l_.name.icontains(wanted.text, autoescape=True))
        found.append(
            sa.or_(
                o.number.icontains(wanted.text, autoescape=True),
                o.supplier_name.icontains(wanted.text, autoescape=True),
                o.purchaser_name.icontains(wanted.text, autoescape=True),
                line.exists(),
            )
        )
    if wanted.placed_from is not None:
        found.append(o.placed_at >= wanted.placed_from)
    if wanted.placed_to is not None:
        found.append(o.placed_at < wanted.placed_to)
    return found


async def page(tx: AsyncConnection, actor: Actor, wanted: Filter, *, after: UUID | None, limit: int) -> list[OrderRow]:
    """Read up to ``limit`` orders, the newest first: an order's id begins with the time it was placed (UUIDv7)."""
    columns = [o.id, o.number, o.stage, o.purchaser_id, o.purchaser_name, o.supplier_id, o.supplier_name]
    query = sa.select(*columns, o.total_fen, o.placed_at, o.changed_at).where(*_matching(actor, wanted))
    if after is not None:
        query = query.where(o.id < after)
    rows = (await tx.execute(query.order_by(o.id.desc()).limit(limit))).all()
    names = await _products(tx, [row.id for row in rows])
    return [
        OrderRow(
            order_id=row.id,
            number=row.number,
            stage=Stage(row.stage),
            purchaser_id=row.purchaser_id,
            purchaser_name=row.purchaser_name,
            supplier_id=row.supplier_id,
            supplier_name=row.supplier_name,
            total_fen=row.total_fen,
            placed_at=row.placed_at,
            changed_at=row.changed_at,
            products=tuple(names[row.id][:PRODUCTS_SHOWN]),
            lines=len(names[row.id]),
        )
        for row in rows
    ]


async def _products(tx: AsyncConnection, ids: Sequence[UUID]) -> Mapping[UUID, list[str]]:
    names: dict[UUID, list[str]] = {order_id: [] for order_id in ids}
    query = sa.select(l_.order_id, l_.name).where(l_.order_id.in_(ids)).order_by(l_.order_id, l_.line)
    for order_id, name in await tx.execute(query):
        names[order_id].append(name)
    return names


async def export(tx: AsyncConnection, actor: Actor, wanted: Filter, *, limit: int) -> list[dict[str, Any]]:
    """Read up to ``limit`` order lines with their orders, the newest order first."""
    query = (
        sa.select(
            *(o.number, o.stage, o.placed_at, o.purchaser_name, o.supplier_name, o.budget_line_number),
            *(l_.line, l_.category_code, l_.name, l_.brand, l_.model, l_.unit, l_.quantity),
            *(l_.price_fen, l_.amount_fen, l_.agreement_number, o.total_fen, o.reason),
        )
        .join(order_lines, l_.order_id == o.id)
        .where(*_matching(actor, wanted))
        .order_by(o.id.desc(), l_.line)
        .limit(limit)
    )
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def seen(tx: AsyncConnection, actor: Actor, order_id: UUID) -> bool:
    """Tell whether the order exists and the actor may see it."""
    return (await tx.scalar(sa.select(o.id).where(o.id == order_id, visible_to(actor)))) is not None


class OrderMoment(msgspec.Struct, frozen=True):
    """One entry of an order's timeline, from the journal."""

    version: int
    at: datetime
    what: str
    name: str
    organisation: str
    details: dict[str, str]


class PreviewProblem(msgspec.Struct, frozen=True, gc=False):
    """One thing that stands in the way; ``line`` is ``None`` for the cart as a whole."""

    line: int | None
    reason: str
    detail_zh: str
    detail_en: str
    members: dict[str, Scalar]


class Preview(msgspec.Struct, frozen=True, gc=False):
    """What placing the cart now would do, and everything that is wrong with it; nothing has happened."""

    orders: tuple[PreviewOrder, ...]
    total_fen: int
    budget_available_fen: int | None
    limits: tuple[Standing, ...]
    problems: tuple[PreviewProblem, ...]
    ok: bool
    approval_from_fen: int | None = None
    """Orders of at least this amount wait for an approver; ``None``: none does."""


class OrderDetail(msgspec.Struct, frozen=True, gc=False):
    """An order with all that it froze, its timeline, and the steps that the caller may take now."""

    order_id: UUID
    version: int
    stage: Stage
    placed_at: datetime
    changed_at: datetime
    reason: str
    ended_by: Side | None
    carrier: str
    tracking: str
    terms: Terms
    steps: tuple[Step, ...]
    timeline: tuple[OrderMoment, ...]
    pictures: tuple[FirstPicture | None, ...]
    """For each line the picture that the product showed first when it was ordered."""
    receipt_version: int | None
    """The last entry that the caller made itself, and may have a receipt of."""
    approval: ApprovedBy | None = None
    """For whoever may read the request; ``None`` for everybody else, and where none was needed."""


async def timeline(tx: AsyncConnection, entries: Sequence[Entry]) -> tuple[OrderMoment, ...]:
    """Tell an order's journal: who did what when. A name is that of today; a worker's is its name in the journal."""
    ids = {entry.actor: UUID(entry.actor[5:]) for entry in entries if entry.actor.startswith("user/")}
    query = (
        sa.select(users.c.id, users.c.name, organisations.c.name)
        .join(organisations, organisations.c.id == users.c.organisation_id)
        .where(users.c.id.in_(set(ids.values())))
    )
    people = {user_id: (name, organisation) for user_id, name, organisation in await tx.execute(query)}
    unknown = ("", "")
    return tuple(
        _moment(entry, *people.get(ids[entry.actor], unknown)) if entry.actor in ids else _moment(entry, entry.actor)
        for entry in entries
    )


def _moment(entry: Entry, name: str, organisation: str = "") -> OrderMoment:
    event = _decode(entry.body)
    fields = msgspec.structs.asdict(event).items()
    said = {field: str(value) for field, value in fields if field != "terms" and value}
    return OrderMoment(entry.version, entry.at, entry.kind.removeprefix("order."), name, organisation, said)


class _Loaded:
    """States as the database has them now (``States``)."""

    def __init__(self, states: Mapping[StreamRef[Any, Any], Any]) -> None:
        self._states = states

    def get(self, ref: StreamRef[S, Any]) -> S | None:
        found: S | None = self._states.get(ref)
        return found


async def states(db: Database, refs: Sequence[StreamRef[Any, Any]]) -> States:
    """Read the states of streams of whatever kinds, as a command would get them."""
    kinds: dict[StreamKind[Any, Any], list[UUID]] = {}
    for ref in refs:
        kinds.setdefault(ref.kind, []).append(ref.id)
    found: dict[StreamRef[Any, Any], Any] = {}
    async with db.pool.acquire() as connection:
        for kind, ids in kinds.items():
            for key, (_, state) in (await kind.load(connection, ids)).items():
                found[kind.ref(key)] = state
    return _Loaded(found)
