from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from market.auctions.lifecycle import (
    AuctionStage,
    Barred,
    Drafted,
    ExtendFrom,
    Extension,
    MinimumStep,
    Offered,
    Resumed,
    Started,
    StepFrom,
    Visibility,
    evolve,
)
from market.auctions.rules import (
    TEXTS,
    Accepted,
    HostRefusal,
    Offer,
    Refusal,
    TermsFault,
    decide_bar,
    decide_offer,
    highest_allowed,
    lowered,
    rank,
)
from tests.builders.market_auctions import (
    HALF_PAST,
    MINUTE,
    NOON,
    PURCHASER,
    SECOND,
    a_draft,
    a_published,
    a_supplier,
    after,
    an_auction,
    an_offer,
    closed,
    decided,
    offered,
    paused,
)

MICRO = timedelta(microseconds=1)
DRAIN = 2 * SECOND


# The moment of an offer.


def test_an_offer_at_the_stroke_of_the_start_is_in_time_and_a_microsecond_before_is_not() -> None:
    assert decide_offer(an_auction(), an_offer(900_000), NOON - MICRO) is Refusal.NOT_STARTED
    decided(an_auction(), an_offer(900_000), NOON)


def test_an_offer_at_exactly_the_close_is_late_and_a_microsecond_before_is_not() -> None:
    assert decide_offer(an_auction(), an_offer(900_000), HALF_PAST) is Refusal.CLOSED
    decided(an_auction(), an_offer(900_000), HALF_PAST - MICRO)


def test_a_punctual_offer_starts_the_auction_that_the_worker_has_not_started_yet() -> None:
    accepted, events = decided(a_published(), an_offer(900_000), NOON)

    assert events == (
        Started(NOON, HALF_PAST),
        Offered(a_supplier(1), 900_000, "s1-900000", "供应商1有限公司"),
    )
    assert accepted.version == a_published().version + 2
    assert after(a_published(), events, NOON).standings[a_supplier(1)].version == accepted.version


def test_an_offer_before_the_start_or_after_the_close_does_not_start_a_published_auction() -> None:
    assert decide_offer(a_published(), an_offer(900_000), NOON - MICRO) is Refusal.NOT_STARTED
    assert decide_offer(a_published(), an_offer(900_000), HALF_PAST) is Refusal.CLOSED


def test_an_offer_received_before_or_in_a_pause_is_refused_also_after_it() -> None:
    resumed = evolve(paused(), Resumed("", NOON + 60 * MINUTE), NOON + 31 * MINUTE)

    assert decide_offer(paused(), an_offer(900_000), NOON + 2 * MINUTE) is Refusal.PAUSED
    assert decide_offer(resumed, an_offer(900_000), NOON + 31 * MINUTE - MICRO) is Refusal.PAUSED
    decided(resumed, an_offer(900_000), NOON + 31 * MINUTE)


@pytest.mark.parametrize(
    ("stage", "refusal"),
    [
        (AuctionStage.DRAFT, Refusal.NOT_STARTED),
        (AuctionStage.PUBLISHED, Refusal.NOT_STARTED),
        (AuctionStage.PAUSED, Refusal.PAUSED),
        (AuctionStage.CLOSED, Refusal.CLOSED),
        (AuctionStage.AWARDED, Refusal.CLOSED),
        (AuctionStage.FAILED, Refusal.CLOSED),
    ],
)
def test_no_stage_but_live_takes_offers(stage: AuctionStage, refusal: Refusal) -> None:
    auction = msgspec.structs.replace(an_auction(), stage=stage)

    assert decide_offer(auction, an_offer(900_000), NOON - MICRO) is refusal


# Who offers, and how much.


def test_the_purchaser_cannot_bid_in_its_own_auction_even_if_it_were_admitted() -> None:
    auction = msgspec.structs.replace(an_auction(), admitted=frozenset({PURCHASER}))

    assert decide_offer(auction, Offer(PURCHASER, "采购中心", 900_000, "k"), NOON) is Refusal.OWN_AUCTION


def test_only_admitted_suppliers_may_bid() -> None:
    assert decide_offer(an_auction(), an_offer(900_000, 6), NOON) is Refusal.NOT_ADMITTED
    decided(an_auction(), an_offer(900_000, 5))


def test_a_first_offer_may_be_the_ceiling_and_not_a_fen_more() -> None:
    assert decide_offer(an_auction(), an_offer(1_000_001), NOON) is Refusal.ABOVE_CEILING
    decided(an_auction(), an_offer(1_000_000))


def test_a_later_offer_undercuts_the_own_last_by_the_step_and_may_stay_above_the_best() -> None:
    auction = offered(an_auction(), an_offer(900_000, 1), an_offer(500_000, 2))

    assert decide_offer(auction, an_offer(895_001, 1), NOON) is Refusal.STEP_TOO_SMALL
    assert decided(auction, an_offer(895_000, 1))[0].rank == 2


def test_counted_from_the_best_the_step_binds_first_offers_too() -> None:
    auction = offered(an_auction(step_from=StepFrom.BEST), an_offer(900_000, 1))

    assert decide_offer(auction, an_offer(895_001, 2), NOON) is Refusal.STEP_TOO_SMALL
    assert decided(auction, an_offer(895_000, 2))[0].rank == 1
    assert highest_allowed(an_auction(step_from=StepFrom.BEST), None) == 1_000_000


@pytest.mark.parametrize(
    ("price_fen", "ratio_bp", "highest"),
    [(1_000_000, 100, 990_000), (980_100, 100, 970_299), (999, 1, 998), (1, 1, 0), (10_001, 5_000, 5_000)],
)
def test_a_ratio_is_taken_off_exactly_and_rounded_down_to_the_fen(price_fen: int, ratio_bp: int, highest: int) -> None:
    assert lowered(price_fen, MinimumStep(ratio_bp=ratio_bp)) == highest


def test_refusals_come_in_the_order_of_their_declaration() -> None:
    """One offer with every fault that can go together, mended one by one."""
    live, stranger = an_auction(), Offer(PURCHASER, "采购中心", 2_000_000, "s1-900000")
    bidding = offered(live, an_offer(900_000, 1))

    assert decide_offer(live, stranger, NOON - MICRO) is Refusal.NOT_STARTED
    assert decide_offer(paused(), stranger, NOON) is Refusal.PAUSED
    assert decide_offer(live, stranger, HALF_PAST) is Refusal.CLOSED
    assert decide_offer(live, stranger, NOON) is Refusal.OWN_AUCTION
    assert decide_offer(live, msgspec.structs.replace(stranger, supplier_id=UUID(int=9)), NOON) is Refusal.NOT_ADMITTED
    assert (
        decide_offer(bidding, msgspec.structs.replace(stranger, supplier_id=a_supplier(1)), NOON) is Refusal.KEY_REUSED
    )
    assert (
        decide_offer(bidding, msgspec.structs.replace(stranger, supplier_id=a_supplier(1), key="k"), NOON)
        is Refusal.ABOVE_CEILING
    )
    assert decide_offer(bidding, an_offer(900_000, 1, "k"), NOON) is Refusal.STEP_TOO_SMALL


# The same offer again.


def test_the_last_offer_sent_again_gets_its_version_again_and_nothing_happens() -> None:
    auction = offered(an_auction(), an_offer(900_000, 1), an_offer(800_000, 2))
    first = auction.standings[a_supplier(1)].version

    again = decided(auction, an_offer(900_000, 1), NOON + MINUTE)

    assert again == (Accepted("s1-900000", first, 900_000, HALF_PAST, 800_000, 2), ())


def test_an_accepted_offer_sent_again_after_the_close_is_still_accepted() -> None:
    auction = closed()

    assert decided(auction, an_offer(900_000, 1), NOON + 60 * MINUTE)[1] == ()


def test_the_last_key_with_another_price_is_refused() -> None:
    auction = offered(an_auction(), an_offer(900_000, 1, "k"))

    assert decide_offer(auction, an_offer(800_000, 1, "k"), NOON) is Refusal.KEY_REUSED


@pytest.mark.parametrize(
    ("visibility", "best_fen", "place"),
    [(Visibility.RANK, None, 2), (Visibility.BEST, 800_000, None), (Visibility.BOTH, 800_000, 2)],
)
def test_an_answer_tells_no_more_than_the_terms_allow(
    visibility: Visibility, best_fen: int | None, place: int | None
) -> None:
    auction = offered(an_auction(visibility=visibility), an_offer(800_000, 2))

    accepted, events = decided(auction, an_offer(900_000, 1))
    again, _ = decided(after(auction, events, NOON), an_offer(900_000, 1))

    assert (accepted.best_fen, accepted.rank) == (again.best_fen, again.rank) == (best_fen, place)


# Ranking.


def test_of_two_equal_prices_the_earlier_received_ranks_first_whatever_was_written_first() -> None:
    auction = offered(an_auction(), an_offer(800_000, 1), at=NOON + 2 * SECOND)
    auction = offered(auction, an_offer(800_000, 2), at=NOON + SECOND)

    assert [rank(auction, a_supplier(n)) for n in (1, 2, 3)] == [2, 1, None]


def test_of_two_equal_prices_at_one_moment_the_one_written_first_ranks_first() -> None:
    auction = offered(an_auction(), an_offer(800_000, 2), an_offer(800_000, 1))

    assert [rank(auction, a_supplier(n)) for n in (1, 2)] == [2, 1]


def test_bidders_are_numbered_in_the_order_of_their_first_offers() -> None:
    auction = offered(an_auction(), an_offer(900_000, 4), an_offer(800_000, 2), an_offer(700_000, 4))

    assert {s: (b.label, b.name, b.offers) for s, b in auction.standings.items()} == {
        a_supplier(4): (1, "供应商4有限公司", 2),
        a_supplier(2): (2, "供应商2有限公司", 1),
    }


# Extension.


@pytest.mark.parametrize(("before", "extended"), [(180 * SECOND + MICRO, False), (180 * SECOND, True), (MICRO, True)])
def test_the_edge_of_the_window_is_inside(before: timedelta, extended: bool) -> None:  # noqa: FBT001 - a column
    auction = an_auction(extension=Extension(180, 200, 3, ExtendFrom.OFFER))

    accepted, _ = decided(auction, an_offer(900_000), HALF_PAST - before)

    assert accepted.closes_at == (HALF_PAST - before + 200 * SECOND if extended else HALF_PAST)


def test_counted_from_the_close_an_extension_adds_to_the_close() -> None:
    auction = an_auction(extension=Extension(180, 200, 3, ExtendFrom.CLOSE))

    accepted, events = decided(auction, an_offer(900_000), HALF_PAST - 10 * SECOND)

    assert accepted.closes_at == HALF_PAST + 200 * SECOND
    assert after(auction, events, HALF_PAST).extensions == 1


def test_an_extension_never_moves_the_close_back() -> None:
    auction = an_auction(extension=Extension(180, 60, 3, ExtendFrom.OFFER))

    for before, moved in ((61, None), (60, None), (59, HALF_PAST + SECOND)):
        _, (event,) = decided(auction, an_offer(900_000), HALF_PAST - before * SECOND)
        assert event.closes_at == moved


def test_after_the_last_extension_the_close_stays() -> None:
    auction = an_auction(extension=Extension(180, 180, 1, ExtendFrom.OFFER))
    auction = offered(auction, an_offer(900_000), at=HALF_PAST - SECOND)

    accepted, _ = decided(auction, an_offer(800_000), HALF_PAST + 170 * SECOND)

    assert auction.extensions == 1
    assert accepted.closes_at == HALF_PAST + 179 * SECOND


def test_every_refusal_has_a_chinese_and_an_english_text() -> None:
    assert set(TEXTS) == {*Refusal, *HostRefusal, *TermsFault}
    assert all(zh and en.isascii() for zh, en in TEXTS.values())


def test_a_drafted_event_is_not_applied_to_what_exists() -> None:
    auction = an_auction()
    with pytest.raises(AssertionError):
        evolve(auction, Drafted("JJ", PURCHASER, "", "", auction.terms), NOON)


def test_a_barred_supplier_does_not_offer_whether_it_has_before_or_not() -> None:
    live = an_auction()
    barred = evolve(live, Barred(a_supplier(1)), NOON)
    offered = after(live, [Offered(a_supplier(1), 900_000, an_offer(900_000).key, "甲", None)], NOON)
    both = evolve(offered, Barred(a_supplier(1)), NOON)

    assert decide_offer(barred, an_offer(900_000), NOON) is Refusal.SUSPENDED
    assert decide_offer(both, an_offer(800_000), NOON) is Refusal.SUSPENDED
    assert not isinstance(decide_offer(both, an_offer(900_000), NOON), Refusal)  # the offer that stands, sent again
    assert not isinstance(decide_offer(barred, an_offer(900_000, 2), NOON), Refusal)


def test_an_open_auction_is_told_of_a_supplier_that_it_admits_once() -> None:
    live, supplier = an_auction(), a_supplier(1)
    barred = evolve(live, Barred(supplier), NOON)

    assert decide_bar(live, supplier, trades=False) == Barred(supplier)
    assert decide_bar(live, supplier, trades=True) is None
    assert decide_bar(barred, supplier, trades=True) == Barred(supplier, lifted=True)
    assert decide_bar(barred, supplier, trades=False) is None
    assert decide_bar(live, UUID(int=5), trades=False) is None
    assert decide_bar(a_draft(), supplier, trades=False) is None
