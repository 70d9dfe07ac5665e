from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import Actor, Role
from market.auctions.lifecycle import ENDED, AuctionStage
from market.oversight.rules import (
    NOTE_LENGTH_MAX,
    TEXTS,
    VISIT,
    Refusal,
    Visited,
    VisitPurpose,
    decide_visit,
    evolve,
    opens,
)
from tests.builders.market_auctions import an_auction
from tests.conftest import NOON

VISITOR = Actor(UUID(int=1), "a", "赵监管", UUID(int=2), "杭州市财政局", "330100", (Role.SUPERVISOR,))
VISIT_ID, AUCTION_ID = UUID(int=3), UUID(int=4)
MOMENT = timedelta(microseconds=1)


def visit(
    purpose: VisitPurpose = VisitPurpose.ROUTINE, note: str = "", stage: AuctionStage = AuctionStage.LIVE
) -> Visited | Refusal:
    auction = msgspec.structs.replace(an_auction(), stage=stage)
    return decide_visit(VISIT_ID, AUCTION_ID, auction, VISITOR, purpose=purpose, note=note)


def test_a_visit_says_who_looks_where_and_why() -> None:
    begun = visit(VisitPurpose.COMPLAINT, " 第12号投诉 ")
    assert isinstance(begun, Visited)
    assert (begun.user_id, begun.name, begun.organisation_name) == (VISITOR.user_id, "赵监管", "杭州市财政局")
    assert (begun.auction_id, begun.number, begun.title) == (AUCTION_ID, an_auction().number, an_auction().terms.title)
    assert (begun.purpose, begun.note, begun.region) == (VisitPurpose.COMPLAINT, "第12号投诉", an_auction().region)


@pytest.mark.parametrize("purpose", VisitPurpose)
def test_every_purpose_but_a_routine_look_is_explained(purpose: VisitPurpose) -> None:
    routine = purpose is VisitPurpose.ROUTINE
    assert isinstance(visit(purpose, "一二"), Visited)
    for short in ("", "  ", "一 "):
        assert (visit(purpose, short) is Refusal.NOTE_NEEDED) == (not routine)
    assert isinstance(visit(purpose, "长" * NOTE_LENGTH_MAX), Visited)
    assert visit(purpose, "长" * (NOTE_LENGTH_MAX + 1)) is Refusal.NOTE_NEEDED


@pytest.mark.parametrize("stage", AuctionStage)
def test_what_everybody_sees_needs_no_visit(stage: AuctionStage) -> None:
    assert (visit(stage=stage) is Refusal.OVER) == (stage in ENDED)


def test_a_visit_opens_its_own_hall_to_its_visitor_for_so_long_and_no_longer() -> None:
    begun = visit()
    assert isinstance(begun, Visited)
    found = evolve(None, begun, NOON)
    assert opens(found, AUCTION_ID, VISITOR.user_id, at=NOON)
    assert opens(found, AUCTION_ID, VISITOR.user_id, at=NOON + VISIT - MOMENT)
    assert not opens(found, AUCTION_ID, VISITOR.user_id, at=NOON + VISIT)
    assert not opens(found, UUID(int=9), VISITOR.user_id, at=NOON)
    assert not opens(found, AUCTION_ID, UUID(int=9), at=NOON)
    assert not opens(found, AUCTION_ID, None, at=NOON)


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
