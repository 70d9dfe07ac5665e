"""Every statement about approval requests."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import PURCHASERS, Actor, Role
from kernel.db.statetable import StateTable
from kernel.journal.entry import Entry
from kernel.journal.streams import StreamKind
from market.approvals.lifecycle import Event, Request, Stage, evolve
from market.approvals.tables import approvals
from market.orders.lifecycle import ApprovedBy
from registries.users.tables import users

_rows: Final[StateTable[Request, Event]] = StateTable(
    approvals,
    Request,
    derived={
        "purchaser_id": lambda request: request.terms.purchaser_id,
        "supplier_name": lambda request: request.terms.supplier_name,
        "total_fen": lambda request: request.terms.total_fen,
    },
)
APPROVAL: Final[StreamKind[Request, Event]] = StreamKind("approval", Event, evolve, _rows.load, _rows.save)

_a: Final = approvals.c


class RequestBox(StrEnum):
    """Which requests a list shows."""

    ALL = "all"  # 全部
    WAITING = "waiting"  # 待审批
    TO_DECIDE = "to-decide"  # 待我审批
    MINE = "mine"  # 我提请的


class RequestRow(msgspec.Struct, frozen=True):
    """A request as a list shows it; ``to_decide`` says that the reader may approve or return it."""

    request_id: UUID
    number: str
    stage: Stage
    supplier_name: str
    total_fen: int
    handler_name: str
    asked_at: datetime
    changed_at: datetime
    decided_by: str
    products: tuple[str, ...]
    lines: int
    to_decide: bool


class Wanted(NamedTuple):
    """What a list of requests is narrowed to; ``text`` is a part of number, supplier or handler."""

    box: RequestBox = RequestBox.ALL
    stage: Stage | None = None
    text: str = ""


class RequestMoment(msgspec.Struct, frozen=True):
    """One entry of a request's timeline, from the journal: what was done, when and by whom."""

    version: int
    at: datetime
    what: str
    name: str


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Tell which requests an actor may see: handlers and approvers those of their own organisation."""
    if actor.organisation_id is None or not actor.has_any(PURCHASERS):
        return sa.false()
    return _a.purchaser_id == actor.organisation_id


def _decidable(actor: Actor) -> sa.ColumnElement[bool]:
    """Tell which requests wait for an actor's decision; the rule is ``fault_of_decider``."""
    if actor.user_id is None or not actor.has(Role.APPROVER):
        return sa.false()
    return sa.and_(visible_to(actor), _a.stage == Stage.PENDING, _a.handler_id != actor.user_id)


def _in_box(actor: Actor, box: RequestBox) -> sa.ColumnElement[bool]:
    match box:
        case RequestBox.ALL:
            return sa.true()
        case RequestBox.WAITING:
            return _a.stage == Stage.PENDING
        case RequestBox.TO_DECIDE:
            return _decidable(actor)
        case RequestBox.MINE:
            return _a.handler_id == actor.user_id


PRODUCTS_SHOWN: Final = 3


async def page(
    tx: AsyncConnection, actor: Actor, wanted: Wanted, *, after: UUID | None, limit: int
) -> list[RequestRow]:
    """Read up to ``limit`` requests, the newest first: an id begins with the time it was made (UUIDv7)."""
    names = sa.func.jsonb_path_query_array(_a.terms, sa.cast("$.lines[*].name", JSONPATH))
    statement = sa.select(
        *(_a.id.label("request_id"), _a.number, _a.stage, _a.supplier_name, _a.total_fen, _a.handler_name),
        *(_a.asked_at, _a.changed_at, _a.decided_by, names.label("products")),
        _decidable(actor).label("to_decide"),
    ).where(visible_to(actor), _in_box(actor, wanted.box))
    if wanted.stage is not None:
        statement = statement.where(_a.stage == wanted.stage)
    if wanted.text:
        columns = (_a.number, _a.supplier_name, _a.handler_name)
        statement = statement.where(sa.or_(*(one.icontains(wanted.text, autoescape=True) for one in columns)))
    if after is not None:
        statement = statement.where(_a.id < after)
    rows: Sequence[Any] = (await tx.execute(statement.order_by(_a.id.desc()).limit(limit))).all()
    return [_row(row) for row in rows]


def _row(row: Any) -> RequestRow:
    return RequestRow(
        request_id=row.request_id,
        number=row.number,
        stage=Stage(row.stage),
        supplier_name=row.supplier_name,
        total_fen=row.total_fen,
        handler_name=row.handler_name,
        asked_at=row.asked_at,
        changed_at=row.changed_at,
        decided_by=row.decided_by,
        products=tuple(row.products[:PRODUCTS_SHOWN]),
        lines=len(row.products),
        to_decide=row.to_decide,
    )


async def to_decide(tx: AsyncConnection, actor: Actor) -> int:
    """Count the requests that wait for an actor's decision."""
    return await tx.scalar(sa.select(sa.func.count()).select_from(approvals).where(_decidable(actor))) or 0


async def seen(tx: AsyncConnection, actor: Actor, request_id: UUID) -> bool:
    """Tell whether the request exists and the actor may see it."""
    return (await tx.scalar(sa.select(_a.id).where(_a.id == request_id, visible_to(actor)))) is not None


async def approval_of(tx: AsyncConnection, actor: Actor, order_id: UUID) -> ApprovedBy | None:
    """Find the request that an order was placed by, where there is one and the actor may see it."""
    statement = sa.select(
        *(_a.id.label("request_id"), _a.number, _a.handler_name, _a.asked_at),
        *(_a.decided_by.label("approver_name"), _a.changed_at.label("approved_at")),
    ).where(_a.order_id == order_id, visible_to(actor))
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else msgspec.convert(row, ApprovedBy, from_attributes=True)


async def timeline(tx: AsyncConnection, entries: Sequence[Entry]) -> tuple[RequestMoment, ...]:
    """Tell a request's journal; a name is that of today."""
    ids = [UUID(entry.actor.removeprefix("user/")) for entry in entries]
    found = await tx.execute(sa.select(users.c.id, users.c.name).where(users.c.id.in_(set(ids))))
    names: dict[UUID, str] = {row.id: row.name for row in found}
    return tuple(
        RequestMoment(entry.version, entry.at, entry.kind.removeprefix("approval."), names.get(user_id, ""))
        for entry, user_id in zip(entries, ids, strict=True)
    )
