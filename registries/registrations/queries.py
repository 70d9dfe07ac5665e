"""Every statement about registrations: the reviewers' desk, one registration, its history."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import OVERSEERS, Actor
from kernel.journal import queries as journal
from kernel.journal.entry import Entry
from kernel.paging import Page, decode_cursor, page_of
from registries.organisations.lifecycle import APPLICANTS, Kind, Status
from registries.organisations.tables import organisations
from registries.regions.rules import prefix_of
from registries.users.tables import users

HISTORY_MAX: Final = 500
"""Events of one registration that are shown, the latest."""

_o: Final = organisations.c


class Desk(StrEnum):
    """Which registrations a reviewer lists."""

    WAITING = "waiting"  # an application or a change waits for a review; the longest wait first
    ALL = "all"


class RegistrationRow(msgspec.Struct, frozen=True):
    """A registration as the desk lists it; ``changing`` tells that a change waits, not the application."""

    organisation_id: UUID
    number: str
    kind: Kind
    name: str
    credit_code: str
    region: str
    status: Status
    changing: bool
    waiting_since: datetime | None
    registered_at: datetime | None
    suspended_until: date | None


class Person(NamedTuple):
    """Who an actor of the journal is."""

    name: str
    organisation_id: UUID
    organisation_name: str


class Wanted(NamedTuple):
    """What a list of registrations is to hold."""

    desk: Desk
    status: Status | None
    kind: Kind | None
    text: str


_SHOWN: Final = (
    _o.id.label("organisation_id"),
    _o.number,
    _o.kind,
    _o.name,
    _o.credit_code,
    _o.region,
    _o.status,
    (_o.waiting_since.is_not(None) & (_o.status != Status.APPLIED)).label("changing"),
    _o.waiting_since,
    _o.registered_at,
    _o.suspension["until"].astext.label("suspended_until"),
)


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """
    Say which registrations somebody may see: overseers those of their region and those below, others their own.

    A move into or out of the region is seen by both sides.
    """
    if actor.has_any(OVERSEERS) and actor.region:
        below = f"{prefix_of(actor.region)}%"
        return _o.kind.in_(sorted(APPLICANTS)) & (_o.region.like(below) | _o.review_region.like(below))
    return _o.id == actor.organisation_id


async def find(
    tx: AsyncConnection, actor: Actor, wanted: Wanted, *, cursor: str | None, limit: int
) -> Page[RegistrationRow]:
    """List registrations: those that wait by how long they do, others by the latest."""
    statement = sa.select(*_SHOWN).where(visible_to(actor), *_narrowed(wanted)).limit(limit + 1)
    waiting = wanted.desk is Desk.WAITING
    if waiting:
        order = (_o.waiting_since, _o.id)
        statement = statement.where(_o.waiting_since.is_not(None)).order_by(*order)
        if cursor:
            since, last = decode_cursor(cursor, (datetime, UUID))
            statement = statement.where(sa.tuple_(*order) > sa.tuple_(since, last))
    else:
        statement = statement.order_by(_o.id.desc())
        if cursor:
            (last,) = decode_cursor(cursor, (UUID,))
            statement = statement.where(_o.id < last)
    rows = (await tx.execute(statement)).all()
    key = (lambda row: (row.waiting_since, row.organisation_id)) if waiting else (lambda row: (row.organisation_id,))
    return page_of(rows, limit, _row, key)


def _narrowed(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.status:
        found.append(_o.status == wanted.status)
    if wanted.kind:
        found.append(_o.kind == wanted.kind)
    if wanted.text:
        exact = wanted.text.upper()
        part = _o.name.contains(wanted.text, autoescape=True)
        found.append(part | (_o.credit_code == exact) | ((_o.number == exact) & (_o.number != "")))
    return found


def _row(row: object) -> RegistrationRow:
    return msgspec.convert(row, RegistrationRow, from_attributes=True)


async def is_visible(tx: AsyncConnection, actor: Actor, organisation_id: UUID) -> bool:
    """Tell whether somebody may see a registration."""
    statement = sa.select(_o.id).where(_o.id == organisation_id, visible_to(actor))
    return (await tx.execute(statement)).scalar_one_or_none() is not None


async def waiting_count(tx: AsyncConnection, actor: Actor) -> int:
    """Count what waits for a reviewer."""
    statement = sa.select(sa.func.count()).where(visible_to(actor), _o.waiting_since.is_not(None))
    return int((await tx.execute(statement)).scalar_one())


async def by_number(tx: AsyncConnection, number: str, phone: str) -> UUID | None:
    """Find the application with a reference number whose contact has this phone number."""
    statement = sa.select(_o.id).where(_o.number == number, _o.number != "", _o.details["phone"].astext == phone)
    return (await tx.execute(statement)).scalar_one_or_none()


async def history(pool: asyncpg.Pool, organisation_id: UUID) -> list[Entry]:
    """Read all that happened to an organisation, in order."""
    async with pool.acquire() as connection:
        return await journal.read(connection, f"organisation/{organisation_id}")


async def people(tx: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Name users and whom they act for."""
    statement = (
        sa.select(users.c.id, users.c.name, users.c.organisation_id, _o.name.label("organisation_name"))
        .join(organisations, _o.id == users.c.organisation_id)
        .where(users.c.id.in_(tuple(ids)))
    )
    rows: Iterable[Any] = await tx.execute(statement)
    return {row.id: Person(row.name, row.organisation_id, row.organisation_name) for row in rows}
