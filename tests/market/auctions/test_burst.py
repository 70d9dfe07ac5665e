"""A burst of offers to one hall: thousands between two frames."""

from kernel.journal.streams import Recorded
from kernel.live.audience import Audience, Standing
from market.auctions.lifecycle import Event, MinimumStep, evolve
from market.auctions.live import DELTA_OFFERS_MAX, FRESH_MIN, AuctionHall, HallDelta
from market.auctions.rules import Refusal, decide_offer
from tests.builders.market_auctions import NOON, a_supplier, an_auction, an_offer, events_of_a_live_auction

STEP = MinimumStep(amount_fen=1)
OFFERS = 3 * FRESH_MIN
PART = 100


def a_burst() -> list[Recorded[Event]]:
    """Offers of five bidders, each a fen below the one before."""
    auction = an_auction(step=STEP)
    burst: list[Recorded[Event]] = []
    for number in range(OFFERS):
        decision = decide_offer(auction, an_offer(1_000_000 - number, 1 + number % 5), NOON)
        assert not isinstance(decision, Refusal), decision
        (event,) = decision[1]
        auction = evolve(auction, event, NOON)
        burst.append(Recorded(auction.version, NOON, event))
    return burst


def test_it_is_worked_through_by_parts_before_anybody_looks() -> None:
    hall, auction, burst = AuctionHall(), an_auction(step=STEP), a_burst()
    hall.apply([Recorded(n, at, event) for n, (event, at) in enumerate(events_of_a_live_auction(step=STEP), 1)])

    for first in range(0, OFFERS, PART):
        hall.apply(burst[first : first + PART])
        assert len(hall._fresh) < FRESH_MIN

    for one in burst:
        auction = evolve(auction, one.event, one.at)
    assert hall.auction == auction
    delta = hall.delta(Audience(Standing.BIDDER, a_supplier(1)), burst[0].version)
    assert isinstance(delta, HallDelta)
    assert delta.version == burst[-1].version
    assert delta.left_out == OFFERS - 1 - DELTA_OFFERS_MAX
