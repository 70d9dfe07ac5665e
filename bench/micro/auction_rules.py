"""
Time to decide an offer and to apply it, with 100 bidders on the ladder.

    python bench/micro/auction_rules.py

Leaves out: the journal entry and its leaf, the commit, JSON. Each round is a fresh offer of the next bidder that
undercuts its own last by the step, so the ladder is cut and inserted into each time. Prints the median of 5 rounds.
"""

import statistics
import sys
from datetime import timedelta
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from market.auctions.lifecycle import MinimumStep, Visibility, evolve
from market.auctions.rules import Refusal, decide_offer
from tests.builders.market_auctions import MINUTE, NOON, a_supplier, an_auction, an_offer

BIDDERS = 100
OFFERS = 20_000
BAR_US = 10.0


def round_us() -> float:
    """Run one round and return microseconds an offer."""
    auction = an_auction(
        ceiling_fen=10**12,
        step=MinimumStep(amount_fen=100),
        visibility=Visibility.BOTH,
        invited=tuple(a_supplier(n) for n in range(BIDDERS)),
    )
    offers = [an_offer(10**12 - n * 100 - n % BIDDERS, n % BIDDERS) for n in range(OFFERS)]
    at = NOON + MINUTE
    begin = perf_counter()
    for offer in offers:
        decision = decide_offer(auction, offer, at)
        assert not isinstance(decision, Refusal), decision
        for event in decision[1]:
            auction = evolve(auction, event, at)
        at += timedelta(microseconds=1)
    assert auction.offers == OFFERS
    return (perf_counter() - begin) / OFFERS * 1e6


def main() -> int:
    """Print the figure; 1 when it is over the bar."""
    median = statistics.median(round_us() for _ in range(5))
    print(f"decide_offer + evolve, {BIDDERS} bidders: {median:.2f} µs (bar {BAR_US} µs)")
    return int(median > BAR_US)


if __name__ == "__main__":
    raise SystemExit(main())
