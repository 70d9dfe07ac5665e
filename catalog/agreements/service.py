"""Concluding framework agreements, admitting and removing suppliers, looking agreements up."""

from collections.abc import Callable
from datetime import date
from uuid import UUID

from catalog.agreements import queries
from catalog.agreements.queries import AGREEMENT, AgreementRow
from catalog.agreements.rules import (
    TEXTS,
    Agreement,
    Concluded,
    Event,
    Package,
    Refusal,
    Subject,
    decide_admit,
    decide_conclude,
    decide_remove,
    decide_terminate,
)
from kernel.access.actors import Actor
from kernel.clock import beijing_day
from kernel.commit.command import Command, Decided, Happened, States
from kernel.ids import uuid7
from kernel.paging import Page
from kernel.problems import Invalid, NotFound, Problem, Refused
from kernel.runtime import Kernel
from registries.organisations.rules import Kind
from registries.organisations.service import ORGANISATION
from registries.regions.rules import UnknownRegionError, path_of

__all__ = [
    "AGREEMENT",
    "AgreementRow",
    "admit_supplier",
    "by_number",
    "conclude_agreement",
    "find",
    "get",
    "remove_supplier",
    "terminate_agreement",
]


async def conclude_agreement(  # noqa: PLR0913  each by name
    kernel: Kernel,
    actor: Actor,
    *,
    number: str,
    title: str,
    organiser: str,
    subject: Subject,
    valid_from: date,
    valid_to: date,
    regions: tuple[str, ...],
    packages: tuple[Package, ...],
    origin: str = "local",
) -> UUID:
    """
    Enter a concluded agreement.

    Raises:
        Refused: the period is too long for its subject, a region is unknown, packages repeat.
        Conflict: the number is taken.

    Source: 财政部令第110号 第十五条.
    """
    at = kernel.clock.now()
    concluded = Concluded(uuid7(at), number, title, organiser, subject, valid_from, valid_to, regions, packages)
    return await _change(kernel, actor, concluded.id, lambda before: decide_conclude(before, concluded), origin=origin)


async def admit_supplier(
    kernel: Kernel, actor: Actor, agreement_id: UUID, *, package: int, supplier_id: UUID, origin: str = "local"
) -> UUID:
    """
    Admit a supplier to a package (入围).

    Raises:
        NotFound: there is no such supplier.
        Refused: see :class:`~catalog.agreements.rules.Refusal`.
    """
    ref, supplier = AGREEMENT.ref(agreement_id), ORGANISATION.ref(supplier_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        found = states.get(supplier)
        if found is None or found.kind is not Kind.SUPPLIER:
            return NotFound("没有这个供应商。", "There is no such supplier.")
        decision = decide_admit(states.get(ref), package=package, supplier_id=supplier_id)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(agreement_id, [Happened(ref, decision)])

    command = Command([ref, supplier], decide, actor.journal, origin, kernel.clock.now())
    return await kernel.committer.submit(command)


async def remove_supplier(
    kernel: Kernel, actor: Actor, agreement_id: UUID, *, supplier_id: UUID, reason: str, origin: str = "local"
) -> UUID:
    """Remove a supplier for good (清退); raises ``Refused``. Source: 财政部令第110号 第十九条."""
    return await _change(
        kernel,
        actor,
        agreement_id,
        lambda before: decide_remove(before, supplier_id=supplier_id, reason=reason),
        origin=origin,
    )


async def terminate_agreement(
    kernel: Kernel, actor: Actor, agreement_id: UUID, *, reason: str, origin: str = "local"
) -> UUID:
    """End an agreement before its day; raises ``Refused``."""
    return await _change(
        kernel, actor, agreement_id, lambda before: decide_terminate(before, reason=reason), origin=origin
    )


async def _change(
    kernel: Kernel,
    actor: Actor,
    agreement_id: UUID,
    decide: Callable[[Agreement | None], Event | Refusal],
    *,
    origin: str,
) -> UUID:
    ref = AGREEMENT.ref(agreement_id)

    def decided(states: States) -> Decided[UUID] | Problem:
        decision = decide(states.get(ref))
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(agreement_id, [Happened(ref, decision)])

    return await kernel.committer.submit(Command([ref], decided, actor.journal, origin, kernel.clock.now()))


async def find(
    kernel: Kernel,
    *,
    valid: bool = False,
    supplier_id: UUID | None = None,
    region: str = "",
    cursor: str | None = None,
    limit: int = 20,
) -> Page[AgreementRow]:
    """List agreements by number: they are public. ``valid`` keeps those valid today."""
    try:
        regions = path_of(region) if region else ()
    except UnknownRegionError as error:
        raise Invalid("区划代码不存在", "There is no such region", field="region") from error
    day = beijing_day(kernel.clock.now()) if valid else None
    async with kernel.db.read() as tx:
        return await queries.find(tx, day=day, supplier_id=supplier_id, regions=regions, cursor=cursor, limit=limit)


async def get(kernel: Kernel, agreement_id: UUID) -> AgreementRow:
    """Read one agreement; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        row = await queries.get(tx, agreement_id)
    if row is None:
        raise NotFound("没有这份框架协议。", "There is no such agreement.")
    return row


async def by_number(kernel: Kernel, number: str) -> AgreementRow:
    """Read the agreement with a number; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        row = await queries.by_number(tx, number)
    if row is None:
        raise NotFound(f"没有编号为 {number} 的框架协议。", f"There is no agreement number {number}.")
    return row
