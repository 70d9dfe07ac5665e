"""Auctions for tests: valid in every field that a test does not name."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from kernel.access.actors import Actor, Role
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.journal.verify import Difference, verify_kind
from kernel.runtime import Kernel
from market.auctions import service
from market.auctions.lifecycle import (
    Admission,
    Auction,
    AuctionTerms,
    Drafted,
    Event,
    ExtendFrom,
    Extension,
    Item,
    MinimumStep,
    Published,
    Started,
    evolve,
)
from market.auctions.rules import Accepted, Offer, Refusal, decide_close, decide_offer, decide_pause
from market.auctions.service import AUCTION
from market.auctions.worker import run_due
from registries.organisations.rules import Kind
from tests.builders.registries import register

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Noon in Beijing: when the auctions of tests start."""

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HALF_PAST = NOON + 30 * MINUTE
"""When they close, if nobody offers late."""

PURCHASER = UUID(int=1)


def a_supplier(number: int) -> UUID:
    return UUID(int=1_000 + number)


def some_terms(**changes: Any) -> AuctionTerms:
    terms = AuctionTerms(
        title="台式计算机 200 台",
        items=(Item(quantity=200, name="台式计算机", unit="台"),),
        ceiling_fen=1_000_000,
        step=MinimumStep(amount_fen=5_000),
        starts_at=NOON,
        duration_s=1_800,
        extension=Extension(window_s=180, extend_by_s=180, extensions_max=3, extend_from=ExtendFrom.OFFER),
        admission=Admission.INVITED,
        invited=tuple(a_supplier(n) for n in range(1, 6)),
    )
    return msgspec.structs.replace(terms, **changes)


def events_of_a_live_auction(**terms: Any) -> list[tuple[Event, datetime]]:
    """From the draft to the start, at NOON by default."""
    drafted = Drafted("JJ20261123-00001-00001", PURCHASER, "采购中心", "330100", some_terms(**terms))
    starts_at = drafted.terms.starts_at
    return [
        (drafted, NOON - 20 * MINUTE),
        (Published(drafted.terms.invited), NOON - 10 * MINUTE),
        (Started(starts_at, starts_at + timedelta(seconds=drafted.terms.duration_s)), starts_at),
    ]


def _auction(events: Iterable[tuple[Event, datetime]]) -> Auction:
    auction: Auction | None = None
    for event, at in events:
        auction = evolve(auction, event, at)
    assert auction is not None
    return auction


def a_draft(**terms: Any) -> Auction:
    return _auction(events_of_a_live_auction(**terms)[:1])


def a_published(**terms: Any) -> Auction:
    return _auction(events_of_a_live_auction(**terms)[:2])


def an_auction(**terms: Any) -> Auction:
    """A live auction without offers, from NOON to half past by default."""
    return _auction(events_of_a_live_auction(**terms))


def an_offer(price_fen: int, supplier: int = 1, key: str = "") -> Offer:
    return Offer(a_supplier(supplier), f"供应商{supplier}有限公司", price_fen, key or f"s{supplier}-{price_fen}")


def after(auction: Auction, events: Iterable[Event], at: datetime) -> Auction:
    for event in events:
        auction = evolve(auction, event, at)
    return auction


def decided(auction: Auction, offer: Offer, at: datetime = NOON) -> tuple[Accepted, tuple[Event, ...]]:
    """Tell what an offer that is accepted leads to."""
    decision = decide_offer(auction, offer, at)
    assert not isinstance(decision, Refusal), decision
    return decision


def offered(auction: Auction, *offers: Offer, at: datetime = NOON) -> Auction:
    """Take offers that are accepted into an auction."""
    for offer in offers:
        auction = after(auction, decided(auction, offer, at)[1], at)
    return auction


def closed(**terms: Any) -> Auction:
    """Three have offered, the second and the third the same; it is over."""
    auction = offered(an_auction(**terms), an_offer(900_000, 1), an_offer(800_000, 2), an_offer(800_000, 3))
    return after(auction, decide_close(auction, HALF_PAST, timedelta(0)), HALF_PAST)


def paused(at: datetime = NOON + MINUTE) -> Auction:
    auction = an_auction()
    decision = decide_pause(auction, "设备故障", at)
    assert isinstance(decision, tuple)
    return after(auction, decision, at)


class World(NamedTuple):
    """A purchaser and its suppliers, registered in a kernel."""

    kernel: Kernel
    purchaser: Actor
    suppliers: tuple[Actor, ...]

    def by(self, actor: Actor | None = None) -> By:
        """Whatever is asked next: now, by the purchaser unless another is named."""
        return By(actor or self.purchaser, "192.0.2.1", self.kernel.clock.now())

    def terms(self, **changes: Any) -> AuctionTerms:
        """Terms that invite everybody and start in a minute."""
        invited = tuple(actor.organisation_id for actor in self.suppliers if actor.organisation_id)
        return some_terms(**{"invited": invited, "starts_at": self.kernel.clock.now() + MINUTE, **changes})

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        assert isinstance(self.kernel.clock, ManualClock)
        self.kernel.clock.advance(by)

    async def draft(self, **terms: Any) -> UUID:
        return (await service.create_draft(self.kernel, self.by(), self.terms(**terms))).auction_id

    async def published(self, **terms: Any) -> UUID:
        auction_id = await self.draft(**terms)
        await service.publish(self.kernel, self.by(), auction_id)
        return auction_id

    async def live(self, **terms: Any) -> UUID:
        """A running auction, a minute from now."""
        auction_id = await self.published(**terms)
        self.advance(MINUTE)
        assert await run_due(self.kernel) == 1
        return auction_id

    async def offer(self, auction_id: UUID, number: int, price_fen: int, key: str = "", **how: Any) -> Accepted:
        """Offer as the ``number``-th supplier."""
        offer_key = key or f"{number}-{price_fen}"
        resent = how.pop("resent", False)
        by = self.by(self.suppliers[number])
        return await service.offer(self.kernel, by, auction_id, price_fen=price_fen, offer_key=offer_key, resent=resent)

    async def closed(self, **terms: Any) -> UUID:
        """A closed auction with three offers, the second bidder's the best."""
        auction_id = await self.live(**terms)
        for number, price_fen in ((0, 900_000), (1, 800_000), (2, 850_000)):
            await self.offer(auction_id, number, price_fen)
        self.advance(31 * MINUTE)
        assert await run_due(self.kernel) == 1
        return auction_id

    async def state(self, auction_id: UUID) -> Auction:
        return (await AUCTION.load(self.kernel.db.pool, [auction_id]))[auction_id].state


async def a_world(kernel: Kernel, suppliers: int = 5) -> World:
    """Register a purchaser and suppliers; their people are not in the database."""

    async def actor(number: int, kind: Kind, role: Role) -> Actor:
        organisation_id = await register(kernel, number, kind)
        user_id = UUID(int=number)
        return Actor(user_id, f"u{number}", "测试员", organisation_id, f"测试单位{number}", "330102", (role,))

    purchaser = await actor(1, Kind.PURCHASER, Role.PURCHASER)
    found = [await actor(number, Kind.SUPPLIER, Role.SUPPLIER) for number in range(2, suppliers + 2)]
    return World(kernel, purchaser, tuple(found))


async def differences(kernel: Kernel) -> list[Difference]:
    """Rebuild every auction from the journal and compare."""
    async with kernel.db.pool.acquire() as connection:
        return [found async for found in verify_kind(connection, AUCTION) if isinstance(found, Difference)]
