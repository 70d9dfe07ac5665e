"""Opening, changing and closing the accounts of the own organisation."""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from kernel.access.actors import Actor, Role
from kernel.access.passwords import hash_password
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.journal.streams import StreamRef
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from registries.controls.rules import takes_the_last_approver
from registries.controls.service import CONTROL
from registries.factors import service as factors
from registries.members import queries
from registries.members.queries import Member
from registries.organisations.rules import Kind, today
from registries.organisations.service import ORGANISATION
from registries.users import service as users
from registries.users.rules import (
    ROLES_OF,
    TEXTS,
    Event,
    Refusal,
    User,
    decide_disable,
    decide_enable,
    decide_reset,
    decide_roles,
    decide_set_password,
    evolve,
    keeps_an_administrator,
    password_is_weak,
)
from registries.users.service import USER

__all__ = ["Member"]

RESETS_BY_ONE_MAX: Final = 20
RESETS_BY_ONE_S: Final = 3_600
RESETS_OF_ONE_MAX: Final = 5
RESETS_OF_ONE_S: Final = 86_400
"""Resets by one administrator within an hour, and of one colleague within a day."""


def _absent() -> NotFound:
    return NotFound("本单位没有这个账号。", "Your organisation has no such account.")


def _refused(refusal: Refusal) -> Refused:
    return Refused(*TEXTS[refusal], reason=refusal.value)


def _own(actor: Actor) -> UUID:
    if actor.organisation_id is None:
        raise _absent()
    return actor.organisation_id


async def members(kernel: Kernel, actor: Actor) -> tuple[list[Member], tuple[Role, ...]]:
    """List the accounts of the own organisation, and the roles that they may have."""
    organisation_id = _own(actor)
    async with kernel.db.read() as tx:
        found = await queries.members(tx, organisation_id)
    return found, ROLES_OF[await _kind(kernel, organisation_id)]


async def _kind(kernel: Kernel, organisation_id: UUID) -> Kind:
    found = (await ORGANISATION.load(kernel.db.pool, [organisation_id])).get(organisation_id)
    if found is None:
        raise _absent()
    return found.state.kind


async def add(kernel: Kernel, by: By, *, login: str, name: str, password: str, roles: tuple[Role, ...]) -> UUID:
    """Open an account for a colleague. Raises ``Refused``, and ``Conflict`` where the login is taken."""
    return await users.create_user(
        kernel,
        by.actor,
        login=login,
        name=name,
        password=password,
        organisation_id=_own(by.actor),
        roles=roles,
        origin=by.origin,
        key=by.key,
    )


async def set_roles(kernel: Kernel, by: By, user_id: UUID, roles: tuple[Role, ...]) -> UUID:
    """Let a colleague act as something else; what was taken away is gone at once. Raises ``NotFound``, ``Refused``."""
    kind = await _kind(kernel, _own(by.actor))
    return await _change(kernel, by, user_id, lambda user: _not_ones_own(by, user) or decide_roles(user, kind, roles))


async def disable(kernel: Kernel, by: By, user_id: UUID, reason: str) -> UUID:
    """Close a colleague's account: its sessions end at once. Raises ``NotFound``, ``Refused``."""
    done = await _change(
        kernel, by, user_id, lambda user: _not_ones_own(by, user) or decide_disable(user, reason=reason)
    )
    await kernel.sessions.revoke_others(user_id, None)
    return done


async def enable(kernel: Kernel, by: By, user_id: UUID, reason: str) -> UUID:
    """Open a closed account again. Raises ``NotFound``, ``Refused``."""
    return await _change(kernel, by, user_id, lambda user: decide_enable(user, reason=reason))


async def set_password(kernel: Kernel, by: By, user_id: UUID, password: str) -> UUID:
    """Give a colleague a new password; sessions under the old one end. Raises ``NotFound``, ``Refused``."""

    def decide(user: User) -> Event | Refusal:
        decision = decide_set_password(user, password, by.actor.user_id)
        weak = not isinstance(decision, Refusal) and password_is_weak(password, user.login)
        return Refusal.PASSWORD_WEAK if weak else decision

    done = await _change(kernel, by, user_id, decide)
    await users.keep_hash(kernel, user_id, await asyncio.to_thread(hash_password, password), by.at)
    await kernel.sessions.revoke_others(user_id, None)
    return done


async def reset_factors(kernel: Kernel, by: By, user_id: UUID, reason: str) -> UUID:
    """
    Make a colleague's second factors void: the sessions end, and the next login sets one up before anything else.

    Raises:
        TooMany: too many resets by this administrator, or of this colleague.
        NotFound: the own organisation has no such account.
        Refused: it is the own account, or its password was given by who asks.
    """
    assert by.actor.user_id is not None
    own, asked_by = _own(by.actor), by.actor.user_id
    await kernel.limits.hit(f"factor-reset/by/{asked_by}", RESETS_BY_ONE_MAX, RESETS_BY_ONE_S)
    await kernel.limits.hit(f"factor-reset/of/{own}/{user_id}", RESETS_OF_ONE_MAX, RESETS_OF_ONE_S)
    done = await _change(kernel, by, user_id, lambda user: decide_reset(user, by=asked_by, reason=reason))
    await factors.drop_reset(kernel, user_id)  # behind the commit: from there on the account must set one up
    await kernel.sessions.revoke_others(user_id, None)
    return done


def _not_ones_own(by: By, user: User) -> Refusal | None:
    return Refusal.NOT_ONES_OWN if user.id == by.actor.user_id else None


async def _change(kernel: Kernel, by: By, user_id: UUID, decide: Callable[[User], Event | Refusal]) -> UUID:
    """
    Have a change of an account decided, together with who else administers the organisation or approves in it.

    Two administrators who close each other's account at the same moment: one of them is told no. So is who closes the
    other of two approvers' accounts, or the last one's while a limit is being set: all of these are compared at commit.
    Somebody who gets the role in this very moment is not counted; asked again, it is.
    """
    organisation_id, ref = _own(by.actor), USER.ref(user_id)
    control = CONTROL.ref(organisation_id)
    async with kernel.db.read() as tx:
        others = [USER.ref(id_) for id_ in await queries.indispensable(tx, organisation_id) if id_ != user_id]

    def decided(states: States) -> Decided[UUID] | Problem:
        user = states.get(ref)
        if user is None or user.organisation_id != organisation_id:
            return _absent()
        decision = decide(user)
        if isinstance(decision, Refusal):
            return _refused(decision)
        after, colleagues = evolve(user, decision, by.at), [states.get(other) for other in others]
        if not keeps_an_administrator([user, *colleagues], after):
            return _refused(Refusal.LAST_ADMINISTRATOR)
        if takes_the_last_approver(states.get(control), before=user, after=after, others=colleagues, day=today(by.at)):
            return _refused(Refusal.LAST_APPROVER)
        return Decided(user_id, [Happened(ref, decision)])

    streams: list[StreamRef[Any, Any]] = [ref, control, *others]
    command = by.command(streams, decided, UUID)
    return await kernel.committer.submit(command)
