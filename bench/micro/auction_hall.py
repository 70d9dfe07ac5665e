"""
Time for a hall to take in an offer, and to show a flush to 100 bidders, the host and the public.

    python bench/micro/auction_hall.py

Leaves out: sockets. A flush covers 20 offers, as a burst would. Prints medians of 5 rounds.
"""

import statistics
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kernel.journal.streams import Recorded
from kernel.live.audience import HOST, PUBLIC, Audience, Standing
from market.auctions.lifecycle import MinimumStep, Offered
from market.auctions.live import AuctionHall
from tests.builders.market_auctions import MINUTE, NOON, a_supplier, events_of_a_live_auction

BIDDERS = 100
BURST = 20
FLUSHES = 100


def burst(number: int) -> Iterator[Offered]:
    """Make the offers of one flush: bidders take turns, each a fen below everybody before."""
    for offer in range(number * BURST, (number + 1) * BURST):
        bidder = a_supplier(offer % BIDDERS)
        yield Offered(bidder, 10**12 - offer, f"k{offer}", "供应商" if offer < BIDDERS else None)


def round_us() -> tuple[float, float, float]:
    """Return microseconds an offer, microseconds a viewer's frame, and the bytes of one."""
    encode = msgspec.json.Encoder().encode
    hall = AuctionHall()
    invited = tuple(a_supplier(n) for n in range(BIDDERS))
    for event, at in events_of_a_live_auction(ceiling_fen=10**12, step=MinimumStep(amount_fen=1), invited=invited):
        hall.apply([Recorded(hall.version + 1, at, event)])
    audiences = [PUBLIC, HOST, *(Audience(Standing.BIDDER, supplier) for supplier in invited)]
    at, taking_s, showing_s, size = NOON + MINUTE, 0.0, 0.0, 0
    for number in range(FLUSHES):
        offers = list(burst(number))
        shown = hall.version
        begin = perf_counter()
        for offer in offers:
            at += timedelta(microseconds=1)
            hall.apply([Recorded(hall.version + 1, at, offer)])
        taken = perf_counter()
        frames = [encode(hall.delta(audience, shown)) for audience in audiences]
        showing_s += perf_counter() - taken
        taking_s += taken - begin
        size = len(frames[0])
    return taking_s / FLUSHES / BURST * 1e6, showing_s / FLUSHES / len(audiences) * 1e6, size


def main() -> None:
    """Print the figures."""
    taking, showing, size = (statistics.median(column) for column in zip(*(round_us() for _ in range(5)), strict=True))
    print(f"taking in an offer, {BIDDERS} bidders: {taking:.2f} µs")
    print(f"a frame for one of {BIDDERS + 2} viewers after {BURST} offers: {showing:.2f} µs, {size:.0f} bytes")


if __name__ == "__main__":
    main()
