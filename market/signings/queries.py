"""Every statement about signings."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import OVERSEERS, PURCHASERS, SUPPLIERS, Actor, Role
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from market.signings.lifecycle import Event, Signing, Stage, evolve, waiting_of
from market.signings.rules import PREPARED_FOR, SEALED_AFTER, Preparation
from market.signings.tables import signings
from registries.organisations.tables import organisations
from registries.regions.rules import prefix_of
from registries.users.rules import Status
from registries.users.tables import users

_rows: Final[StateTable[Signing, Event]] = StateTable(signings, Signing, {"waiting": waiting_of})
SIGNING: Final[StreamKind[Signing, Event]] = StreamKind("signing", Event, evolve, _rows.load, _rows.save)
SIGNING_FILES: Final = (signings.c.original, signings.c.document)
"""Columns that name files of the store of blobs."""

CANDIDATES_MAX: Final = 200
"""People of both parties who are offered as signers."""

_s: Final = signings.c
_u: Final = users.c

_PREPARE: Final = """
    with forgotten as (delete from signing_preparations where prepared_at < $13 and (signing_id, user_id) <> ($2, $3))
    insert into signing_preparations (id, signing_id, user_id, before, tail, hole_start, hole_end, digest, to_sign,
                                      algorithm, certificates, prepared_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (signing_id, user_id) do update set
        id = excluded.id, before = excluded.before, tail = excluded.tail, hole_start = excluded.hole_start,
        hole_end = excluded.hole_end, digest = excluded.digest, to_sign = excluded.to_sign,
        algorithm = excluded.algorithm, certificates = excluded.certificates, prepared_at = excluded.prepared_at
"""
_PREPARED: Final = """
    select id, signing_id, user_id, before, tail, hole_start, hole_end, digest, to_sign, algorithm, certificates,
           prepared_at
    from signing_preparations where signing_id = $1 and user_id = $2 and id = $3
"""
_DUE: Final = """
    select id from signings where stage = 'signing' and waiting = '{}' and changed_at <= $1 order by changed_at limit $2
"""
_ROUNDS: Final = "select count(*) from signings where auction_id = $1"


class SigningBox(StrEnum):
    """Which signings a list shows."""

    ALL = "all"  # 全部
    ASKED = "asked"  # 待我签署


class SigningRow(msgspec.Struct, frozen=True):
    """A signing as a list shows it; ``asked_of_you`` says that it is the reader's turn."""

    signing_id: UUID
    auction_id: UUID
    number: str
    title: str
    purchaser_name: str
    supplier_name: str
    stage: Stage
    asked_by: str
    asked_at: datetime
    changed_at: datetime
    signers: int
    signed: int
    asked_of_you: bool


class Candidate(msgspec.Struct, frozen=True):
    """Somebody who may be asked to sign."""

    user_id: UUID
    name: str
    organisation_id: UUID
    organisation_name: str
    roles: tuple[Role, ...]


class Wanted(NamedTuple):
    """What a list of signings is narrowed to."""

    box: SigningBox = SigningBox.ALL
    stage: Stage | None = None
    auction_id: UUID | None = None


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Tell which signings an actor may see: both parties their own, an overseer those of purchasers in its region."""
    seen: list[sa.ColumnElement[bool]] = []
    if actor.organisation_id is not None and actor.has_any(PURCHASERS):
        seen.append(_s.purchaser_id == actor.organisation_id)
    if actor.organisation_id is not None and actor.has_any(SUPPLIERS):
        seen.append(_s.supplier_id == actor.organisation_id)
    if actor.has_any(OVERSEERS) and actor.region:
        seen.append(_s.region.startswith(prefix_of(actor.region)))
    return sa.or_(sa.false(), *seen)


async def page(
    tx: AsyncConnection, actor: Actor, wanted: Wanted, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[SigningRow]:
    """Read up to ``limit`` signings, the newest first."""
    yours = _s.waiting.contains([actor.user_id]) if actor.user_id else sa.false()
    statement = sa.select(
        *(_s.id.label("signing_id"), _s.auction_id, _s.number, _s.title, _s.purchaser_name, _s.supplier_name, _s.stage),
        *(_s.asked_by, _s.asked_at, _s.changed_at),
        sa.func.jsonb_array_length(_s.signers).label("signers"),
        sa.func.jsonb_array_length(_s.marks).label("signed"),
        yours.label("asked_of_you"),
    ).where(visible_to(actor))
    if wanted.box is SigningBox.ASKED:
        statement = statement.where(yours)
    if wanted.stage is not None:
        statement = statement.where(_s.stage == wanted.stage)
    if wanted.auction_id is not None:
        statement = statement.where(_s.auction_id == wanted.auction_id)
    if after is not None:
        statement = statement.where(sa.tuple_(_s.asked_at, _s.id) < sa.tuple_(*map(sa.literal, after)))
    rows: Sequence[Any] = (await tx.execute(statement.order_by(_s.asked_at.desc(), _s.id.desc()).limit(limit))).all()
    return [msgspec.convert(row, SigningRow, from_attributes=True) for row in rows]


async def seen(tx: AsyncConnection, actor: Actor, signing_id: UUID) -> bool:
    """Tell whether the signing exists and the actor may see it."""
    return (await tx.scalar(sa.select(_s.id).where(_s.id == signing_id, visible_to(actor)))) is not None


async def candidates(tx: AsyncConnection, organisation_id: UUID, roles: Sequence[Role]) -> list[Candidate]:
    """List the people of an organisation who act as one of ``roles`` and can log in, by name."""
    held = sa.or_(*(_u.roles.contains([role.value]) for role in roles))
    statement = (
        sa.select(
            _u.id.label("user_id"),
            _u.name,
            _u.organisation_id,
            organisations.c.name.label("organisation_name"),
            _u.roles,
        )
        .join(organisations, organisations.c.id == _u.organisation_id)
        .where(_u.organisation_id == organisation_id, _u.status == Status.ACTIVE, held)
        .order_by(_u.name, _u.id)
        .limit(CANDIDATES_MAX)
    )
    rows: Sequence[Any] = (await tx.execute(statement)).all()
    return [msgspec.convert(row, Candidate, from_attributes=True) for row in rows]


async def rounds(pool: asyncpg.Pool, auction_id: UUID) -> int:
    """Count the signings of an auction's record."""
    return int(await pool.fetchval(_ROUNDS, auction_id))


async def prepare(pool: asyncpg.Pool, one: Preparation) -> None:
    """Keep what one person is to sign, in place of what they were to sign before; forget what has expired."""
    await pool.execute(
        _PREPARE,
        *(one.id, one.signing_id, one.user_id, one.before, one.tail, one.hole_start, one.hole_end),
        *(one.digest, one.to_sign, one.algorithm, one.certificates, one.prepared_at),
        one.prepared_at - PREPARED_FOR,
    )


async def prepared(
    pool: asyncpg.Pool, *, signing_id: UUID, user_id: UUID | None, preparation_id: UUID
) -> Preparation | None:
    """Find what was prepared; ``None`` when it was replaced or forgotten."""
    row = await pool.fetchrow(_PREPARED, signing_id, user_id, preparation_id)
    if row is None:
        return None
    return Preparation(**{**dict(row), "certificates": tuple(row["certificates"])})


async def falling_due(pool: asyncpg.Pool, at: datetime, *, limit: int) -> list[UUID]:
    """List signings that wait for nothing but the seal, those that wait longest first."""
    return [row[0] for row in await pool.fetch(_DUE, at - SEALED_AFTER, limit)]
