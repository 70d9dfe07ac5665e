"""Every statement about the accounts of one organisation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import Role
from registries.factors.tables import passkeys, totp_seeds
from registries.users.rules import Status
from registries.users.tables import users

MEMBERS_MAX: Final = 1_000
"""Accounts of one organisation that are listed."""

_u: Final = users.c


class Member(msgspec.Struct, frozen=True):
    """An account as its organisation's administrators see it."""

    user_id: UUID
    login: str
    name: str
    roles: tuple[Role, ...]
    status: Status
    created_at: datetime
    second_factor: bool
    must_enrol: bool
    """Second factors: whether there is one; whether those there were have been reset, and none is set up yet."""


async def members(tx: AsyncConnection, organisation_id: UUID) -> list[Member]:
    """List the accounts of an organisation, those that can log in first."""
    statement = (
        sa.select(
            _u.id.label("user_id"),
            _u.login,
            _u.name,
            _u.roles,
            _u.status,
            _u.created_at,
            sa.or_(
                sa.exists().where(totp_seeds.c.user_id == _u.id, totp_seeds.c.confirmed_at.is_not(None)),
                sa.exists().where(passkeys.c.user_id == _u.id),
            ).label("second_factor"),
            (sa.func.coalesce(_u.reset["enrolled"].astext, "true") == "false").label("must_enrol"),
        )
        .where(_u.organisation_id == organisation_id)
        .order_by(_u.status, _u.login)
        .limit(MEMBERS_MAX)
    )
    rows: Sequence[Any] = (await tx.execute(statement)).all()
    return [msgspec.convert(row, Member, from_attributes=True) for row in rows]


async def indispensable(tx: AsyncConnection, organisation_id: UUID) -> list[UUID]:
    """List who administers an organisation or approves in it: without any of them it cannot go on."""
    held = sa.or_(*(_u.roles.contains([role.value]) for role in (Role.ADMINISTRATOR, Role.APPROVER)))
    return list((await tx.execute(sa.select(_u.id).where(_u.organisation_id == organisation_id, held))).scalars())
