"""Every statement about users and their credentials."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import Actor, Role
from kernel.access.assurance import Method
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from registries.certificates.tables import user_certificates
from registries.factors.tables import passkeys, recovery_codes, totp_seeds
from registries.organisations.lifecycle import Status as OrganisationStatus
from registries.organisations.tables import organisations
from registries.users.rules import Event, Status, User, evolve, roles_now
from registries.users.tables import credentials, users

_rows: Final[StateTable[User, Event]] = StateTable(users, User)
USER: Final[StreamKind[User, Event]] = StreamKind("user", Event, evolve, _rows.load, _rows.save, heard=True)

_u: Final = users.c

_STORE: Final = """
    INSERT INTO credentials (user_id, password_hash, set_at) VALUES ($1, $2, $3)
    ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, set_at = excluded.set_at
"""
_FORGET: Final = "DELETE FROM credentials WHERE user_id = $1"


class Login(NamedTuple):
    """What a login is checked against."""

    user_id: UUID
    password_hash: str
    status: Status


async def login_of(tx: AsyncConnection, login: str) -> Login | None:
    """Read what a login is checked against; ``None`` for an unknown one."""
    statement = (
        sa.select(_u.id, credentials.c.password_hash, _u.status)
        .join(credentials, credentials.c.user_id == _u.id)
        .where(_u.login == login)
    )
    row = (await tx.execute(statement)).one_or_none()
    return Login(row.id, row.password_hash, Status(row.status)) if row else None


async def password_of(tx: AsyncConnection, user_id: UUID) -> str | None:
    """Read the hash of an account's password; ``None`` when it has none."""
    found: str | None = await tx.scalar(sa.select(credentials.c.password_hash).where(credentials.c.user_id == user_id))
    return found


async def actor_of(tx: AsyncConnection, user_id: UUID) -> Actor | None:
    """Read who a user is; ``None`` when gone or disabled."""
    row = (await tx.execute(_actors().where(_u.id == user_id, _u.status == Status.ACTIVE))).one_or_none()
    return _actor(row) if row else None


async def first_of_each_organisation(tx: AsyncConnection, limit: int) -> list[Actor]:
    """List the oldest user of each organisation and roles, for the demonstration's login page."""
    oldest = (
        sa.select(_u.id)
        .ext(postgresql.distinct_on(_u.organisation_id, _u.roles))
        .where(_u.status == Status.ACTIVE)
        .order_by(_u.organisation_id, _u.roles, _u.created_at, _u.login)
    )
    statement = _actors().where(_u.id.in_(oldest)).order_by(_u.created_at, _u.login).limit(limit)
    return [actor for row in (await tx.execute(statement)).all() if (actor := _actor(row))]


async def set_password(pool: asyncpg.Pool, user_id: UUID, password_hash: str, at: datetime) -> None:
    """Store a hash in place of the one before."""
    await pool.execute(_STORE, user_id, password_hash, at)


async def forget_password(pool: asyncpg.Pool, user_id: UUID) -> None:
    """Delete a hash."""
    await pool.execute(_FORGET, user_id)


def _actors() -> sa.Select[Any]:
    return sa.select(
        _u.id,
        _u.login,
        _u.name,
        _u.organisation_id,
        organisations.c.name.label("organisation_name"),
        organisations.c.region,
        _u.roles,
        organisations.c.status.label("organisation_status"),
        sa.exists().where(credentials.c.user_id == _u.id).label("password"),
        sa.exists()
        .where(user_certificates.c.user_id == _u.id, user_certificates.c.status == "active")
        .label("certificate"),
        sa.exists().where(totp_seeds.c.user_id == _u.id, totp_seeds.c.confirmed_at.is_not(None)).label("totp"),
        sa.exists().where(passkeys.c.user_id == _u.id).label("passkey"),
        sa.exists().where(recovery_codes.c.user_id == _u.id).label("recovery"),
        (sa.func.coalesce(_u.reset["enrolled"].astext, "true") == "false").label("must_enrol"),
    ).join(organisations, organisations.c.id == _u.organisation_id)


def _actor(row: Any) -> Actor | None:
    """Say who a user is now; ``None`` when its organisation is not in the register."""
    roles = roles_now(msgspec.convert(row.roles, tuple[Role, ...]), OrganisationStatus(row.organisation_status))
    if not roles:
        return None
    methods = tuple(method for method in Method if getattr(row, method.value, False))
    organisation = (row.organisation_id, row.organisation_name, row.region)
    return Actor(row.id, row.login, row.name, *organisation, roles, methods, must_enrol=row.must_enrol)
