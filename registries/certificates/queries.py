"""Every statement about users' certificates."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import Actor
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from registries.certificates.rules import Event, Source, Status, UserCertificate, evolve
from registries.certificates.tables import user_certificates

_rows: Final[StateTable[UserCertificate, Event]] = StateTable(user_certificates, UserCertificate)
CERTIFICATE: Final[StreamKind[UserCertificate, Event]] = StreamKind(
    "certificate", Event, evolve, _rows.load, _rows.save
)

LISTED_MAX: Final = 200
"""Certificates of one account that are shown, the newest first."""
REVOKED_MAX: Final = 100_000
"""Lines of the revocation list: 40 bytes each."""

_c: Final = user_certificates.c


class RevokedRow(NamedTuple):
    """A line of the revocation list."""

    serial: str
    revoked_at: datetime


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """A certificate is its account's own affair."""
    return _c.user_id == actor.user_id


async def list_of(tx: AsyncConnection, actor: Actor) -> list[UserCertificate]:
    """List an account's certificates, the newest first."""
    statement = _whole().where(visible_to(actor)).order_by(_c.enrolled_at.desc(), _c.id.desc()).limit(LISTED_MAX)
    return [_rows.state(row) for row in (await tx.execute(statement)).mappings()]


async def get(tx: AsyncConnection, actor: Actor, certificate_id: UUID) -> UserCertificate | None:
    """Read one certificate of an account."""
    statement = _whole().where(visible_to(actor), _c.id == certificate_id)
    row = (await tx.execute(statement)).mappings().one_or_none()
    return _rows.state(row) if row else None


async def by_fingerprint(tx: AsyncConnection, fingerprint: str) -> UserCertificate | None:
    """Find whose certificate it is."""
    row = (await tx.execute(_whole().where(_c.fingerprint == fingerprint))).mappings().one_or_none()
    return _rows.state(row) if row else None


async def in_use(tx: AsyncConnection, user_id: UUID, at: datetime) -> int:
    """Count an account's certificates that are in use."""
    statement = sa.select(sa.func.count()).where(_c.user_id == user_id, _c.status == Status.ACTIVE, _c.not_after >= at)
    return int((await tx.execute(statement)).scalar_one())


async def revoked(tx: AsyncConnection, not_after_from: datetime, serial: str | None = None) -> list[RevokedRow]:
    """List what we have issued and revoked and what would otherwise still be valid; of ``serial`` alone, if given."""
    statement = (
        sa.select(_c.serial, _c.revoked_at)
        .where(_c.status == Status.REVOKED, _c.source == Source.PLATFORM, _c.not_after >= not_after_from)
        .order_by(_c.serial)
        .limit(REVOKED_MAX)
    )
    if serial is not None:
        statement = statement.where(_c.serial == serial)
    return [RevokedRow(row.serial, row.revoked_at) for row in await tx.execute(statement)]


def _whole() -> sa.Select[Any]:
    return sa.select(*(_c[name] for name in UserCertificate.__struct_fields__))
