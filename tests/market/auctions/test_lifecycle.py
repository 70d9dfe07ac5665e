from itertools import product
from pathlib import Path

import pytest

from market.auctions.lifecycle import (
    ENDED,
    FINAL,
    NEXT,
    OPEN,
    Act,
    AuctionStage,
    Barred,
    Edited,
    IllegalActError,
    Paused,
    Published,
    Resumed,
    after,
    due,
    evolve,
    may,
    picture,
)
from tests.builders.market_auctions import MINUTE, NOON, a_draft, a_published, a_supplier, an_auction, some_terms

PICTURE = Path(__file__).parents[3] / "docs" / "lifecycles" / "auction.md"


def test_final_stages_have_no_way_out() -> None:
    assert {stage for stage, _ in NEXT} & FINAL == set()


def test_every_stage_is_reachable_from_a_draft() -> None:
    reached, found = set[AuctionStage](), {AuctionStage.DRAFT}
    while found:
        reached |= found
        found = {to for (stage, _), to in NEXT.items() if stage in reached} - reached

    assert reached == set(AuctionStage)


@pytest.mark.parametrize(("stage", "act"), list(product(AuctionStage, Act)))
def test_every_pair_that_is_not_named_is_refused(stage: AuctionStage, act: Act) -> None:
    if (stage, act) in NEXT:
        assert may(stage, act)
        assert after(stage, act) is NEXT[stage, act]
        return

    assert not may(stage, act)
    with pytest.raises(IllegalActError, match=f"{act} at {stage}"):
        after(stage, act)


def test_a_stage_is_a_draft_or_open_or_ended() -> None:
    assert {AuctionStage.DRAFT} | OPEN | ENDED == set(AuctionStage)
    assert not OPEN & ENDED


def test_the_picture_in_the_documents_is_up_to_date() -> None:
    assert PICTURE.read_text() == picture()


def test_a_start_and_then_a_close_fall_due_and_nothing_in_a_pause() -> None:
    live = an_auction()
    paused = evolve(live, Paused("查询", 60_000), NOON + 29 * MINUTE)

    assert due(a_draft()) is None
    assert due(a_published()) == (NOON, Act.START)
    assert due(live) == (NOON + 30 * MINUTE, Act.CLOSE)
    assert due(paused) is None
    assert paused.closes_at is None


def test_a_resumption_clears_what_the_pause_noted() -> None:
    paused = evolve(an_auction(), Paused("查询", 60_000), NOON + 29 * MINUTE)

    resumed = evolve(paused, Resumed("", NOON + 41 * MINUTE), NOON + 40 * MINUTE)

    assert (resumed.stage, resumed.remaining_ms, resumed.reason) == (AuctionStage.LIVE, None, "")
    assert (resumed.live_from, resumed.closes_at) == (NOON + 40 * MINUTE, NOON + 41 * MINUTE)


def test_every_event_counts_as_one_version() -> None:
    draft = a_draft()
    edited = evolve(draft, Edited(some_terms(title="显示器")), NOON)
    published = evolve(edited, Published(()), NOON)

    assert [auction.version for auction in (draft, edited, published)] == [1, 2, 3]
    assert published.terms.title == "显示器"


def test_the_first_event_makes_a_draft_and_is_not_applied_again() -> None:
    with pytest.raises(AssertionError):
        evolve(None, Published(()), NOON)


def test_who_may_not_trade_is_barred_until_that_is_lifted() -> None:
    supplier = a_supplier(1)
    barred = evolve(an_auction(), Barred(supplier), NOON)

    assert barred.barred == {supplier}
    assert evolve(barred, Barred(supplier, lifted=True), NOON).barred == frozenset()
