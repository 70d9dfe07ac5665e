"""Visits to running halls: begun with a reason, entered in the journal, and looked up at the door of the hall."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.ids import uuid7
from kernel.live.audience import PUBLIC, SUPERVISOR, Audience
from kernel.paging import Page
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from market.auctions.lifecycle import Auction
from market.auctions.rules import oversees
from market.auctions.service import AUCTION, auction_of
from market.oversight import queries
from market.oversight.queries import OVERSIGHT
from market.oversight.rules import TEXTS, VISIT, Refusal, Visit, VisitPurpose, decide_visit, opens

__all__ = ["OVERSIGHT", "Visit"]

VISITS_MAX: Final = 120
VISITS_S: Final = 3_600
"""Visits that one account may begin within an hour."""


class Begun(msgspec.Struct, frozen=True):
    """A visit that has begun: the hall is told ``visit_id`` until ``until``."""

    visit_id: UUID
    until: datetime


async def begin(kernel: Kernel, by: By, auction_id: UUID, *, purpose: VisitPurpose, note: str) -> Begun:
    """
    Begin a visit to a hall; it is in the journal before anything is shown.

    The auction's own stream is not touched: bidders must not learn from its version that somebody looks (ADR-0055).

    Raises:
        TooMany: more than ``VISITS_MAX`` within an hour.
        NotFound: there is none, or it lies outside the region of the caller.
        Refused: the auction is over, or the reason is not explained.
    """
    await kernel.limits.hit(f"oversight/{by.actor.user_id}", VISITS_MAX, VISITS_S)
    if not oversees(by.actor, await auction_of(kernel, by.actor, auction_id)):
        raise NotFound("没有这场竞价，或不在您的辖区。", "There is no such auction, or it is not in your region.")
    visit, hall = OVERSIGHT.ref(uuid7(by.at)), AUCTION.ref(auction_id)

    def decide(states: States) -> Decided[Begun] | Problem:
        auction = states.get(hall)
        assert auction is not None
        decision = decide_visit(visit.id, auction_id, auction, by.actor, purpose=purpose, note=note)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(Begun(visit.id, by.at + VISIT), [Happened(visit, decision)])

    command = by.command([visit, hall], decide, Begun, creates=[visit])
    return await kernel.live_committer.submit(command)


async def audience_at(
    kernel: Kernel, actor: Actor, auction_id: UUID, auction: Auction, visit_id: str | None
) -> Audience:
    """Tell as what somebody without a part in an auction watches its hall: in a visit, all of it; else as everybody."""
    if visit_id is None or not oversees(actor, auction):
        return PUBLIC
    try:
        id_ = UUID(visit_id)
    except ValueError:
        return PUBLIC
    visit = (await OVERSIGHT.load(kernel.db.pool, [id_])).get(id_)
    at = kernel.clock.now()
    return SUPERVISOR if visit and opens(visit.state, auction_id, actor.user_id, at=at) else PUBLIC


async def visits(
    kernel: Kernel, actor: Actor, *, auction_id: UUID | None, cursor: str | None, limit: int
) -> Page[Visit]:
    """List the visits of the actor's region, the latest first."""
    async with kernel.db.read() as tx:
        return await queries.visits(tx, actor, auction_id=auction_id, cursor=cursor, limit=limit)
