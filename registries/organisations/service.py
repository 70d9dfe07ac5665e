"""Registering organisations and looking them up."""

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from kernel.access.actors import Actor
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.ids import uuid7
from kernel.paging import Page
from kernel.problems import Conflict, NotFound, Problem, Refused
from kernel.runtime import Kernel
from registries.organisations import queries
from registries.organisations.lifecycle import IN_REVIEW
from registries.organisations.queries import ORGANISATION, OrganisationRow
from registries.organisations.rules import (
    TEXTS,
    Event,
    Kind,
    Organisation,
    Refusal,
    Registered,
    decide_register,
    decide_reinstate,
    decide_rename,
    decide_suspend,
)

__all__ = [
    "ORGANISATION",
    "OrganisationRow",
    "by_credit_code",
    "code_taken",
    "falling_due",
    "find",
    "get",
    "names",
    "register_organisation",
    "reinstate_organisation",
    "rename_organisation",
    "suspend_organisation",
]


async def register_organisation(
    kernel: Kernel,
    actor: Actor,
    *,
    kind: Kind,
    name: str,
    credit_code: str,
    region: str,
    origin: str = "local",
    key: Key | None = None,
) -> UUID:
    """
    Enter an organisation in the register.

    Raises:
        Refused: the code, the name or the region is wrong.
        Conflict: the credit code is registered already.
    """
    at = kernel.clock.now()
    registered = Registered(uuid7(at), kind, name, credit_code, region)
    return await _change(
        kernel, actor, registered.id, lambda before: decide_register(before, registered), at=at, origin=origin, key=key
    )


async def rename_organisation(
    kernel: Kernel, actor: Actor, organisation_id: UUID, name: str, *, origin: str = "local", key: Key | None = None
) -> UUID:
    """Give an organisation another name; raises ``Refused``."""
    at = kernel.clock.now()
    return await _change(
        kernel, actor, organisation_id, lambda before: decide_rename(before, name=name), at=at, origin=origin, key=key
    )


async def suspend_organisation(
    kernel: Kernel, actor: Actor, organisation_id: UUID, reason: str, *, origin: str = "local", key: Key | None = None
) -> UUID:
    """
    Suspend an organisation as the operator does from the command line: it may not trade; raises ``Refused``.

    Running auctions are told by the worker; a finance department suspends through ``market.standing``.
    """
    at = kernel.clock.now()
    return await _change(
        kernel,
        actor,
        organisation_id,
        lambda before: decide_suspend(before, reason=reason, at=at),
        at=at,
        origin=origin,
        key=key,
    )


async def reinstate_organisation(
    kernel: Kernel, actor: Actor, organisation_id: UUID, reason: str, *, origin: str = "local", key: Key | None = None
) -> UUID:
    """End a suspension; raises ``Refused``."""
    at = kernel.clock.now()
    return await _change(
        kernel,
        actor,
        organisation_id,
        lambda before: decide_reinstate(before, reason=reason),
        at=at,
        origin=origin,
        key=key,
    )


async def _change(
    kernel: Kernel,
    actor: Actor,
    organisation_id: UUID,
    decide: Callable[[Organisation | None], Event | Refusal],
    *,
    at: datetime,
    origin: str,
    key: Key | None,
) -> UUID:
    ref = ORGANISATION.ref(organisation_id)

    def decided(states: States) -> Decided[UUID] | Problem:
        decision = decide(states.get(ref))
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(organisation_id, [Happened(ref, decision)])

    command = Command([ref], decided, actor.journal, origin, at, key, UUID)
    return await kernel.committer.submit(command)


async def find(
    kernel: Kernel, *, kind: Kind | None = None, text: str = "", cursor: str | None = None, limit: int = 50
) -> Page[OrganisationRow]:
    """List organisations by name: the register is public."""
    async with kernel.db.read() as tx:
        return await queries.find(tx, kind=kind, text=text.strip(), cursor=cursor, limit=limit)


async def get(kernel: Kernel, organisation_id: UUID) -> OrganisationRow:
    """Read one organisation; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        row = await queries.get(tx, organisation_id)
    if row is None:
        raise NotFound("没有这个单位。", "There is no such organisation.")
    return row


async def by_credit_code(kernel: Kernel, credit_code: str) -> OrganisationRow:
    """Read the organisation with a credit code; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        row = await queries.by_credit_code(tx, credit_code)
    if row is None:
        raise NotFound(
            f"没有统一社会信用代码为 {credit_code} 的单位。", f"No organisation has the credit code {credit_code}."
        )
    return row


async def code_taken(kernel: Kernel, credit_code: str) -> Conflict:
    """Say that a credit code is taken: one registration serves the whole province (一地注册、全省通用)."""
    async with kernel.db.read() as tx:
        holder = await queries.holder_of(tx, credit_code)
    if holder in IN_REVIEW:
        return Conflict(
            f"统一社会信用代码 {credit_code} 已有一份登记申请正在办理，请用申请编号查询进度，或联系所在地财政部门。",
            f"An application with the credit code {credit_code} is being dealt with; ask with its reference number, "
            "or turn to the finance department of its region.",
            reason="application-in-review",
            field="credit_code",
        )
    return Conflict(
        f"统一社会信用代码 {credit_code} 已在本省登记，全省通用，不必再次登记；请联系本单位管理员开通账号。",
        f"The credit code {credit_code} is registered in the province already, and that serves all of it; ask your "
        "organisation's administrator for an account.",
        reason="organisation-exists",
        field="credit_code",
    )


async def falling_due(kernel: Kernel, at: datetime, *, limit: int) -> list[UUID]:
    """List organisations whose suspension has come to its end at ``at``."""
    return await queries.falling_due(kernel.db.pool, at, limit=limit)


async def names(kernel: Kernel, ids: Collection[UUID]) -> dict[UUID, str]:
    """Name organisations; unknown ones are left out."""
    if not ids:
        return {}
    async with kernel.db.read() as tx:
        return await queries.names(tx, ids)
