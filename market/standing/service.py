"""
Suspending, reinstating and striking off organisations: what each does to running trade is in the same commit.

What a suspended organisation may still do is in ADR-0053. Placing orders, publishing and awarding auctions and putting
offers on the shelf read the organisation's stream in their own commands, so a suspension holds for them from its
commit on. Offers in auctions do not (ADR-0013): the auctions are told here.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.access.actors import system_actor
from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Happened, States
from kernel.journal.streams import StreamRef
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from market.auctions.lifecycle import Auction
from market.auctions.rules import decide_bar
from market.auctions.service import AUCTION
from market.standing import queries, rules
from market.standing.rules import decide_cancel, decide_due, decide_plan
from registries.organisations.lifecycle import Event, Organisation, Status, evolve
from registries.organisations.rules import (
    TEXTS,
    Refusal,
    decide_deregister,
    decide_leave,
    decide_reinstate,
    decide_stay,
    decide_suspend,
    may_supervise,
    may_trade,
)
from registries.organisations.service import ORGANISATION
from registries.organisations.service import falling_due as organisations_due

DUE_MAX: Final = 200
WORKER: Final = system_actor("worker")

_AuctionRef = StreamRef[Auction, Any]
AnyRefusal = Refusal | rules.Refusal
Decide = Callable[[Organisation], Event | AnyRefusal | None]


class Standing(msgspec.Struct, frozen=True):
    """Where an organisation stands after an act, and how many open auctions were told of it."""

    organisation_id: UUID
    status: Status
    revision: int
    auctions: int


def _absent() -> NotFound:
    return NotFound("没有这个单位，或您无权查看。", "There is no such organisation, or it is not yours to see.")


async def suspend(kernel: Kernel, by: By, organisation_id: UUID, *, reason: str, until: date | None) -> Standing:
    """
    Suspend an organisation at once, until the end of a day in Beijing or until it is lifted (暂停).

    Raises:
        NotFound: there is none, or it lies outside the region of the caller.
        Refused: not at this stage, or ``until`` is out of range.
    """

    def decide(found: Organisation) -> Event | Refusal:
        return decide_suspend(found, reason=reason, at=by.at, until=until)

    return await _supervise(kernel, by, organisation_id, decide)


async def plan(
    kernel: Kernel, by: By, organisation_id: UUID, *, reason: str, start: date, until: date | None
) -> Standing:
    """Suspend an organisation from the beginning of a day to come, in Beijing (预定暂停). Raises as :func:`suspend`."""

    def decide(found: Organisation) -> Event | AnyRefusal:
        return decide_plan(found, reason=reason, at=by.at, start=start, until=until)

    return await _supervise(kernel, by, organisation_id, decide)


async def cancel(kernel: Kernel, by: By, organisation_id: UUID, *, reason: str) -> Standing:
    """Cancel a suspension that is planned and has not begun (撤销预定暂停). Raises as :func:`suspend`."""
    return await _supervise(kernel, by, organisation_id, lambda found: decide_cancel(found, reason=reason))


async def reinstate(kernel: Kernel, by: By, organisation_id: UUID, *, reason: str) -> Standing:
    """Lift a suspension (恢复). Raises as :func:`suspend`."""
    return await _supervise(kernel, by, organisation_id, lambda found: decide_reinstate(found, reason=reason))


async def deregister(kernel: Kernel, by: By, organisation_id: UUID, *, reason: str) -> Standing:
    """
    Strike an organisation off that is leaving or suspended (注销), once nothing of it is open.

    Who is leaving or suspended enters into nothing new, so the count of what is open only falls while the organisation
    stays as it was read before counting. Raises as :func:`suspend`.
    """
    before = (await ORGANISATION.load(kernel.db.pool, [organisation_id])).get(organisation_id)
    count = await queries.unfinished(kernel.db.pool, organisation_id)

    def decide(found: Organisation) -> Event | Refusal:
        if before is None or found.revision != before.state.revision:
            return Refusal.CHANGED_SINCE
        return decide_deregister(found, reason=reason, still_open=count)

    return await _supervise(kernel, by, organisation_id, decide)


async def leave(kernel: Kernel, by: By, *, reason: str) -> Standing:
    """Ask to be struck off; from now on nothing new (申请注销). Raises ``NotFound``, ``Refused``."""
    return await _own(kernel, by, lambda found: decide_leave(found, reason=reason))


async def stay(kernel: Kernel, by: By) -> Standing:
    """Take back the wish to be struck off. Raises ``NotFound``, ``Refused``."""
    return await _own(kernel, by, decide_stay)


async def _own(kernel: Kernel, by: By, decide: Decide) -> Standing:
    if by.actor.organisation_id is None:
        raise _absent()
    return await _act(kernel, by, by.actor.organisation_id, decide)


async def _supervise(kernel: Kernel, by: By, organisation_id: UUID, decide: Decide) -> Standing:
    def supervised(found: Organisation) -> Event | AnyRefusal | None:
        if not may_supervise(by.actor.region, found):
            raise _absent()
        return decide(found)

    return await _act(kernel, by, organisation_id, supervised)


async def _act(kernel: Kernel, by: By, organisation_id: UUID, decide: Decide) -> Standing:
    """Have it decided, and tell the open auctions in the same commit."""
    ref = ORGANISATION.ref(organisation_id)
    auctions = [AUCTION.ref(id_) for id_ in await queries.open_auctions(kernel.db.pool, organisation_id)]

    def decided(states: States) -> Decided[Standing] | Problem:
        found = states.get(ref)
        if found is None:
            return _absent()
        decision = decide(found)
        if decision is None:
            return Decided(_standing(found, 0))
        if isinstance(decision, AnyRefusal):
            text = TEXTS[decision] if isinstance(decision, Refusal) else rules.TEXTS[decision]
            return Refused(*text, reason=decision.value, status=found.status.value)
        after = evolve(found, decision, by.at)
        told = _told(states, auctions, after)
        return Decided(_standing(after, len(told)), [Happened(ref, decision), *told])

    command = by.command([ref, *auctions], decided, Standing)
    return await kernel.live_committer.submit(command)  # as the offers: no clash with them within the process


def _standing(organisation: Organisation, auctions: int) -> Standing:
    return Standing(organisation.id, organisation.status, organisation.revision, auctions)


def _told(states: States, auctions: Iterable[_AuctionRef], organisation: Organisation) -> list[Happened]:
    """Bar the supplier from the auctions that admit it, or let it in again."""
    happened: list[Happened] = []
    for ref in auctions:
        auction = states.get(ref)
        event = decide_bar(auction, organisation.id, trades=may_trade(organisation)) if auction else None
        if event:
            happened.append(Happened(ref, event))
    return happened


async def fire(kernel: Kernel, organisation_id: UUID, at: datetime) -> bool:
    """Begin or end a suspension whose day has come; tell whether anything happened. Twice is harmless."""
    happened = False

    def decide(found: Organisation) -> Event | None:
        nonlocal happened
        decision = decide_due(found, at)
        happened = decision is not None  # the last decision is the one that holds
        return decision

    await _act(kernel, By(WORKER, "local", at), organisation_id, decide)
    return happened


async def settle(kernel: Kernel, organisation_id: UUID, auction_id: UUID, at: datetime) -> bool:
    """Tell one auction what it has missed of a supplier; tell whether anything happened. Twice is harmless."""
    ref, auction = ORGANISATION.ref(organisation_id), AUCTION.ref(auction_id)

    def decide(states: States) -> Decided[bool] | Problem:
        found = states.get(ref)
        told = _told(states, [auction], found) if found else []
        return Decided(bool(told), told)

    return await kernel.live_committer.submit(Command([ref, auction], decide, WORKER.journal, "local", at))


async def falling_due(kernel: Kernel, at: datetime) -> list[UUID]:
    """List at most ``DUE_MAX`` organisations whose suspension begins or is over."""
    return await organisations_due(kernel, at, limit=DUE_MAX)


async def unsettled(kernel: Kernel) -> list[queries.Unsettled]:
    """List at most ``DUE_MAX`` auctions that have to be told of a supplier."""
    return await queries.unsettled(kernel.db.pool, DUE_MAX)
