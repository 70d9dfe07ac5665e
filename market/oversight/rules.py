"""
Visits to running halls by those who oversee them, decided purely.

Source: ADR-0055; 政府采购法 第五十九条 (what supervision looks at), 第十三条 (who supervises).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from kernel.access.actors import Actor
from market.auctions.lifecycle import ENDED, Auction

VISIT: Final = timedelta(hours=4)
"""How long a visit opens its hall: a line that is lost and found again is the same visit."""
NOTE_LENGTH_MIN: Final = 2
NOTE_LENGTH_MAX: Final = 500


class VisitPurpose(StrEnum):
    """Why somebody looks."""

    ROUTINE = "routine"  # 日常巡查
    INSPECTION = "inspection"  # 专项检查
    COMPLAINT = "complaint"  # 投诉举报核查
    AUDIT = "audit"  # 审计
    OTHER = "other"


class Refusal(StrEnum):
    """Why a visit is refused, in order of precedence."""

    OVER = "auction-over"
    NOTE_NEEDED = "note-needed"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.OVER: (
        "竞价已结束，全部报价已经公开，无需登记即可查看。",
        "The auction is over: every price is public, and no visit is needed to see them.",
    ),
    Refusal.NOTE_NEEDED: (
        f"请用{NOTE_LENGTH_MIN}至{NOTE_LENGTH_MAX}字说明查看事由。",
        f"Say why you look, in {NOTE_LENGTH_MIN} to {NOTE_LENGTH_MAX} characters.",
    ),
}


class Visited(msgspec.Struct, frozen=True, tag_field="kind", tag="oversight.visited"):
    """Somebody who oversees an auction's region began to look into its hall; names are those of that moment."""

    id: UUID
    auction_id: UUID
    number: str
    title: str
    region: str
    user_id: UUID
    name: str
    organisation_name: str
    purpose: VisitPurpose
    note: str


class Visit(msgspec.Struct, frozen=True):
    """A visit as it stands: it does not change."""

    id: UUID
    auction_id: UUID
    number: str
    title: str
    region: str
    user_id: UUID
    name: str
    organisation_name: str
    purpose: VisitPurpose
    note: str
    visited_at: datetime


def evolve(visit: Visit | None, event: Visited, at: datetime) -> Visit:
    """Apply what was decided."""
    assert visit is None
    return Visit(**msgspec.structs.asdict(event), visited_at=at)


def decide_visit(
    id_: UUID, auction_id: UUID, auction: Auction, actor: Actor, *, purpose: VisitPurpose, note: str
) -> Visited | Refusal:
    """
    Decide a visit to a hall by somebody who oversees its region.

    Every purpose but a routine look is explained: which complaint, which inspection. What everybody sees needs none.
    """
    assert actor.user_id is not None
    if auction.stage in ENDED:
        return Refusal.OVER
    note = note.strip()
    if len(note) > NOTE_LENGTH_MAX or (purpose is not VisitPurpose.ROUTINE and len(note) < NOTE_LENGTH_MIN):
        return Refusal.NOTE_NEEDED
    return Visited(
        id=id_,
        auction_id=auction_id,
        number=auction.number,
        title=auction.terms.title,
        region=auction.region,
        user_id=actor.user_id,
        name=actor.name,
        organisation_name=actor.organisation_name,
        purpose=purpose,
        note=note,
    )


def opens(visit: Visit, auction_id: UUID, user_id: UUID | None, *, at: datetime) -> bool:
    """Tell whether a visit shows its visitor the hall of an auction: its own, for ``VISIT`` from its beginning."""
    return (visit.auction_id, visit.user_id) == (auction_id, user_id) and at < visit.visited_at + VISIT
