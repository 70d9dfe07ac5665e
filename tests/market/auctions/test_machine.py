"""A whole auction, driven at random, against a slow model that knows no ladder, no versions and no events."""

from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from kernel.journal.streams import Recorded
from market.auctions.lifecycle import (
    Auction,
    AuctionStage,
    Event,
    ExtendFrom,
    Extension,
    MinimumStep,
    Offered,
    Shortfall,
    StepFrom,
    Visibility,
    due,
    evolve,
    evolve_offers,
)
from market.auctions.rules import (
    Accepted,
    HostRefusal,
    Offer,
    Refusal,
    decide_close,
    decide_offer,
    decide_pause,
    decide_resume,
    decide_start,
    highest_allowed,
    rank,
)
from tests.builders.market_auctions import MINUTE, NOON, a_published, a_supplier, after, an_auction

CEILING = 2_000
BIDDERS = st.integers(1, 6)
"""Five are invited, the sixth is not."""

PRICES = st.integers(1, CEILING + 50)
DRAIN = timedelta(seconds=2)


@st.composite
def terms(draw: st.DrawFn) -> dict[str, Any]:
    amounts = st.builds(MinimumStep, amount_fen=st.integers(1, 300))
    ratios = st.builds(MinimumStep, ratio_bp=st.integers(1, 2_000))
    return {
        "ceiling_fen": CEILING,
        "duration_s": draw(st.integers(10, 60)),
        "step": draw(st.one_of(amounts, ratios)),
        "step_from": draw(st.sampled_from(StepFrom)),
        "visibility": draw(st.sampled_from([Visibility.BEST, Visibility.BOTH])),
        "extension": Extension(
            draw(st.integers(0, 30)),
            draw(st.integers(0, 30)),
            draw(st.integers(0, 4)),
            draw(st.sampled_from(ExtendFrom)),
        ),
        "bidders_min": draw(st.integers(1, 4)),
        "short_extension_s": draw(st.integers(0, 20)),
        "shortfall": draw(st.sampled_from(Shortfall)),
    }


@given(terms(), st.lists(st.tuples(BIDDERS, PRICES, st.integers(-2, 70)), max_size=40))
def test_prices_only_fall_the_close_only_moves_later_and_the_ladder_stays_sorted(
    drawn: dict[str, Any], offers: list[tuple[int, int, int]]
) -> None:
    auction = an_auction(**drawn)
    for bidder, price_fen, second in offers:
        at = NOON + timedelta(seconds=second)
        supplier = a_supplier(bidder)
        allowed = highest_allowed(auction, auction.standings.get(supplier))
        decision = decide_offer(auction, Offer(supplier, "", price_fen, f"k{auction.offers}"), at)
        if isinstance(decision, Refusal):
            continue
        changed = after(auction, decision[1], at)
        assert price_fen <= allowed
        assert auction.closes_at
        assert changed.closes_at
        assert auction.closes_at <= changed.closes_at
        assert list(changed.ladder) == sorted(changed.ladder)
        assert {rung.supplier_id for rung in changed.ladder} == set(changed.standings)
        assert decision[0].rank in (None, rank(changed, supplier))
        assert decision[0].best_fen == changed.ladder[0].price_fen
        assert decision[0].version == changed.version
        auction = changed


@given(st.lists(PRICES, min_size=5, max_size=5), st.permutations(range(5)))
def test_the_ranking_goes_by_the_moment_of_receipt_whatever_was_written_first(
    prices: list[int], written: list[int]
) -> None:
    auction = an_auction(ceiling_fen=CEILING + 50, extension=Extension(0, 0, 0))
    for bidder in written:
        at = NOON + timedelta(seconds=bidder)
        decision = decide_offer(auction, Offer(a_supplier(bidder + 1), "", prices[bidder], "k"), at)
        assert not isinstance(decision, Refusal)
        auction = after(auction, decision[1], at)

    ranking = sorted(range(5), key=lambda bidder: (prices[bidder], bidder))
    assert [rung.supplier_id for rung in auction.ladder] == [a_supplier(bidder + 1) for bidder in ranking]


@given(
    st.lists(st.tuples(BIDDERS, PRICES), max_size=20),
    st.lists(st.tuples(BIDDERS, PRICES, st.none() | st.integers(1, 9)), min_size=1, max_size=30),
)
def test_a_run_of_offers_taken_at_once_leaves_what_they_leave_one_by_one(
    earlier: list[tuple[int, int]], run: list[tuple[int, int, int | None]]
) -> None:
    auction = an_auction(ceiling_fen=CEILING + 50)
    for place, (bidder, price_fen) in enumerate(earlier):
        auction = evolve(auction, Offered(a_supplier(bidder), price_fen, f"e{place}", f"n{bidder}"), NOON)
    offers = [
        Recorded(
            auction.version + place + 1,
            NOON + timedelta(seconds=place),
            Offered(a_supplier(bidder), price_fen, f"k{place}", f"m{bidder}", closes and NOON + closes * MINUTE),
        )
        for place, (bidder, price_fen, closes) in enumerate(run)
    ]
    one_by_one = auction
    for offer in offers:
        one_by_one = evolve(one_by_one, offer.event, offer.at)

    assert evolve_offers(auction, offers) == one_by_one


class Model:
    """What people would write down on paper."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.stage = "published"
        self.closes = NOON + timedelta(seconds=given["duration_s"])
        self.runs_since = NOON
        self.left = timedelta(0)
        self.extensions = 0
        self.short_used = False
        self.offers: list[tuple[int, int, datetime, str]] = []

    def start_if_due(self, at: datetime) -> None:
        if self.stage == "published" and at >= NOON:
            self.stage = "live"

    def last(self, bidder: int) -> tuple[int, int, datetime, str] | None:
        return next((offer for offer in reversed(self.offers) if offer[0] == bidder), None)

    def ranking(self) -> list[int]:
        standing = {bidder: (price, at, n) for n, (bidder, price, at, _) in enumerate(self.offers)}
        return sorted(standing, key=lambda bidder: standing[bidder])

    def limit(self, bidder: int) -> int:
        prices = [
            price for who, price, _, _ in self.offers if who == bidder or self.given["step_from"] is StepFrom.BEST
        ]
        if not prices:
            return CEILING
        step: MinimumStep = self.given["step"]
        if step.amount_fen is not None:
            return min(prices) - step.amount_fen
        assert step.ratio_bp is not None
        cut = -(-min(prices) * step.ratio_bp // 10_000)
        return min(prices) - cut

    def offer(self, bidder: int, price: int, at: datetime, key: str) -> str:  # noqa: C901, PLR0911 - one return a case
        last = self.last(bidder)
        if last and last[3] == key and last[1] == price:
            return "repeated"
        if self.stage == "published" and at < NOON:
            return "not-started"
        if self.stage == "paused":
            return "paused"
        if self.stage not in ("published", "live"):
            return "closed"
        if at < self.runs_since:
            return "not-started" if at < NOON else "paused"
        if at >= self.closes:
            return "closed"
        if bidder > 5:
            return "not-admitted"
        if last and last[3] == key:
            return "key-reused"
        if price > CEILING:
            return "above-ceiling"
        if price > self.limit(bidder):
            return "step-too-small"
        self.start_if_due(at)
        self.offers.append((bidder, price, at, key))
        rule: Extension = self.given["extension"]
        if self.extensions < rule.extensions_max and self.closes - at <= timedelta(seconds=rule.window_s):
            base = at if rule.extend_from is ExtendFrom.OFFER else self.closes
            if base + timedelta(seconds=rule.extend_by_s) > self.closes:
                self.closes = base + timedelta(seconds=rule.extend_by_s)
                self.extensions += 1
        return "accepted"

    def close_if_due(self, at: datetime) -> None:
        if self.stage != "live" or at < self.closes + DRAIN:
            return
        bidders = len({bidder for bidder, *_ in self.offers})
        short = bidders < self.given["bidders_min"]
        longer = timedelta(seconds=self.given["short_extension_s"])
        if short and longer and not self.short_used:
            self.short_used = True
            self.closes = self.closes + longer if self.closes + longer > at else at + longer
        elif not bidders or (short and self.given["shortfall"] is Shortfall.FAIL):
            self.stage = "failed"
        else:
            self.stage = "closed"


class WholeAuction(RuleBasedStateMachine):
    """Offers in and out of order, pauses, a worker that is late or fires twice."""

    sent = Bundle("sent")

    @initialize(drawn=terms())
    def publish(self, drawn: dict[str, Any]) -> None:
        self.model = Model(drawn)
        self.auction: Auction = a_published(**drawn)
        self.journal: list[tuple[Event, datetime]] = []
        self.first = self.auction
        self.now = NOON - timedelta(seconds=3)

    def _apply(self, events: tuple[Event, ...]) -> None:
        self.journal += [(event, self.now) for event in events]
        self.auction = after(self.auction, events, self.now)

    @rule(ms=st.integers(0, 15_000))
    def time_passes(self, ms: int) -> None:
        self.now += timedelta(milliseconds=ms)

    @rule(target=sent, bidder=BIDDERS, price=PRICES, fresh=st.booleans())
    def offer(self, bidder: int, price: int, fresh: bool) -> tuple[int, int, str]:  # noqa: FBT001 - drawn
        key = f"k{len(self.journal)}" if fresh else "the same"
        self._offer(bidder, price, key)
        return bidder, price, key

    @rule(target=sent, bidder=BIDDERS, below=st.integers(-1, 40))
    def offer_close_to_the_limit(self, bidder: int, below: int) -> tuple[int, int, str]:
        price = max(1, self.model.limit(bidder) - below)
        self._offer(bidder, price, f"k{len(self.journal)}")
        return bidder, price, f"k{len(self.journal)}"

    @rule(again=sent)
    def send_again(self, again: tuple[int, int, str]) -> None:
        self._offer(*again)

    def _offer(self, bidder: int, price: int, key: str) -> None:
        expected = self.model.offer(bidder, price, self.now, key)
        decision = decide_offer(self.auction, Offer(a_supplier(bidder), f"{bidder}", price, key), self.now)
        if isinstance(decision, Refusal):
            assert decision == expected
            return
        accepted, events = decision
        assert expected == ("accepted" if events else "repeated")
        self._apply(events)
        assert isinstance(accepted, Accepted)
        assert accepted.version == self.auction.standings[a_supplier(bidder)].version
        assert accepted.closes_at == self.auction.closes_at

    @rule()
    def worker_fires_twice(self) -> None:
        for _ in range(2):
            self._apply(decide_start(self.auction, self.now))
            self._apply(decide_close(self.auction, self.now, DRAIN))
        self.model.start_if_due(self.now)
        self.model.close_if_due(self.now)
        self.model.close_if_due(self.now)

    @rule()
    def pause(self) -> None:
        decision = decide_pause(self.auction, "查询", self.now)
        startable = self.model.stage == "live" or (self.model.stage == "published" and self.now >= NOON)
        if not startable:
            assert decision is HostRefusal.WRONG_STAGE
        elif self.now >= self.model.closes:
            assert decision is HostRefusal.CLOSING
        else:
            assert isinstance(decision, tuple)
            self._apply(decision)
            self.model.stage, self.model.left = "paused", self.model.closes - self.now

    @rule()
    def resume(self) -> None:
        decision = decide_resume(self.auction, "", self.now)
        if self.model.stage != "paused":
            assert decision is HostRefusal.WRONG_STAGE
            return
        assert not isinstance(decision, HostRefusal)
        self._apply((decision,))
        self.model.stage, self.model.runs_since = "live", self.now
        self.model.closes = self.now + self.model.left

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        model, auction = self.model, self.auction
        assert auction.stage == model.stage
        assert [rung.supplier_id for rung in auction.ladder] == [a_supplier(bidder) for bidder in model.ranking()]
        for rung in auction.ladder:
            last = model.last(rung.supplier_id.int - a_supplier(0).int)
            assert last
            assert rung.price_fen == last[1]
        assert auction.offers == len(model.offers)
        assert auction.extensions == model.extensions
        if auction.stage is AuctionStage.LIVE:
            assert auction.closes_at == model.closes
            assert due(auction) is not None
        labels = sorted(standing.label for standing in auction.standings.values())
        assert labels == list(range(1, len(labels) + 1))

    def teardown(self) -> None:
        """The state follows from the journal alone."""
        if hasattr(self, "journal"):
            state = self.first
            for event, at in self.journal:
                state = evolve(state, event, at)
            assert state == self.auction
            assert state.version == self.first.version + len(self.journal)


TestWholeAuction = WholeAuction.TestCase
