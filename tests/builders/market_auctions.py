"""Auctions for tests: valid in every field that a test does not name."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from market.auctions.lifecycle import (
    Admission,
    Auction,
    Drafted,
    Event,
    ExtendFrom,
    Extension,
    Item,
    Published,
    Started,
    Step,
    Terms,
    evolve,
)
from market.auctions.rules import Offer

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Noon in Beijing: when the auctions of tests start."""

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PURCHASER = UUID(int=1)


def a_supplier(number: int) -> UUID:
    return UUID(int=1_000 + number)


def some_terms(**changes: Any) -> Terms:
    terms = Terms(
        title="台式计算机 200 台",
        items=(Item(quantity=200, name="台式计算机", unit="台"),),
        ceiling_fen=1_000_000,
        step=Step(amount_fen=5_000),
        starts_at=NOON,
        duration_s=1_800,
        extension=Extension(window_s=180, extend_by_s=180, extensions_max=3, extend_from=ExtendFrom.OFFER),
        admission=Admission.INVITED,
        invited=tuple(a_supplier(n) for n in range(1, 6)),
    )
    return msgspec.structs.replace(terms, **changes)


def a_draft(**terms: Any) -> Auction:
    return evolve(None, Drafted("JJ20261123-00001-00001", PURCHASER, "采购中心", "330100", some_terms(**terms)), NOON)


def a_published(**terms: Any) -> Auction:
    draft = a_draft(**terms)
    return evolve(draft, Published(draft.terms.invited), NOON - 10 * MINUTE)


def an_auction(**terms: Any) -> Auction:
    """A live auction without offers, from NOON to half past by default."""
    auction = a_published(**terms)
    starts_at = auction.terms.starts_at
    return evolve(auction, Started(starts_at, starts_at + timedelta(seconds=auction.terms.duration_s)), starts_at)


def an_offer(price_fen: int, supplier: int = 1, key: str = "") -> Offer:
    return Offer(a_supplier(supplier), f"供应商{supplier}有限公司", price_fen, key or f"s{supplier}-{price_fen}")


def after(auction: Auction, events: Iterable[Event], at: datetime) -> Auction:
    for event in events:
        auction = evolve(auction, event, at)
    return auction
