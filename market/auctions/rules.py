"""
Reverse auctions (反向竞价): what is allowed.

Sources: the issue "The foundation" (section Reverse auction), DOMAIN.md section 4, ADR-0010 to ADR-0013. The
parameters are those that products in use have; none of them is law, so all of them are terms of an auction.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

import msgspec

from catalog.agreements.rules import Agreement, serves, valid_on
from catalog.products.rules import Product, Status
from kernel.access.actors import OVERSEERS, Actor
from kernel.clock import beijing_day
from kernel.money import Fen
from market.auctions.lifecycle import (
    BASIS,
    ENDED,
    OPEN,
    SPEC_LEN_MAX,
    Act,
    Admission,
    Auction,
    AuctionStage,
    AuctionTerms,
    Awarded,
    Barred,
    Cause,
    Closed,
    Edited,
    Event,
    Extended,
    ExtendFrom,
    Failed,
    Item,
    MinimumStep,
    Offered,
    Paused,
    Published,
    Resumed,
    Shortfall,
    Standing,
    Started,
    StepFrom,
    Visibility,
    Withdrawn,
    may,
)
from registries.organisations.rules import Organisation
from registries.organisations.rules import Status as Good
from registries.regions.rules import prefix_of


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What a supplier asks for; ``key`` is the client's own name of this offer, new for each."""

    supplier_id: UUID
    supplier_name: str
    price_fen: int
    key: str


class Accepted(msgspec.Struct, frozen=True, tag_field="type", tag="accepted", omit_defaults=True, gc=False):
    """
    The answer to an accepted offer. ``best_fen`` and ``rank`` are there as far as the terms let bidders see them.

    For an offer sent again ``version`` is that of the first time, the rest is as of now; ``closes_at`` is empty
    while the auction is paused.
    """

    key: str
    version: int
    price_fen: int
    closes_at: datetime | None
    best_fen: int | None = None
    rank: int | None = None


class Refusal(StrEnum):
    """Why an offer is refused: the first that applies."""

    NOT_STARTED = "not-started"
    PAUSED = "paused"
    CLOSED = "closed"
    OWN_AUCTION = "own-auction"
    NOT_ADMITTED = "not-admitted"
    SUSPENDED = "supplier-suspended"
    KEY_REUSED = "key-reused"
    ABOVE_CEILING = "above-ceiling"
    STEP_TOO_SMALL = "step-too-small"


_NOT_LIVE: Final = {
    AuctionStage.DRAFT: Refusal.NOT_STARTED,
    AuctionStage.PUBLISHED: Refusal.NOT_STARTED,
    AuctionStage.PAUSED: Refusal.PAUSED,
    AuctionStage.CLOSED: Refusal.CLOSED,
    AuctionStage.AWARDED: Refusal.CLOSED,
    AuctionStage.FAILED: Refusal.CLOSED,
}


class HostRefusal(StrEnum):
    """Why an act of the purchaser (or of the worker) is refused: the first that applies."""

    WRONG_STAGE = "wrong-stage"
    STARTS_IN_PAST = "starts-in-past"
    SUSPENDED = "purchaser-suspended"
    AGREEMENT_INVALID = "agreement-invalid"
    TOO_FEW_ADMITTED = "too-few-admitted"
    CLOSING = "closing"
    NO_OFFERS = "no-offers"
    OWN_BIDDER = "own-bidder"
    WINNER_SUSPENDED = "winner-suspended"


class TermsFault(StrEnum):
    """What is wrong with terms, beyond the limits of their fields; the first that applies."""

    PRODUCT_UNKNOWN = "product-unknown"
    ITEM_UNNAMED = "item-unnamed"
    STEP_UNCLEAR = "step-unclear"
    STEP_TOO_LARGE = "step-too-large"
    STEP_LEAKS_BEST = "step-leaks-best"
    EXTENSION_WITHOUT_WINDOW = "extension-without-window"
    INVITED_TWICE = "invited-twice"
    INVITED_TOO_FEW = "invited-too-few"
    OWN_INVITED = "own-invited"
    AGREEMENT_MISSING = "agreement-missing"


TEXTS: Final[dict[Refusal | HostRefusal | TermsFault, tuple[str, str]]] = {
    Refusal.NOT_STARTED: ("竞价尚未开始，请在开始后报价。", "The auction has not started; offer once it has."),
    Refusal.PAUSED: ("竞价已暂停，恢复后请重新报价。", "The auction is paused; offer again after it resumes."),
    Refusal.CLOSED: ("竞价已截止，报价未被接受。", "The auction has closed; the offer was not accepted."),
    Refusal.OWN_AUCTION: ("采购单位不能参加本单位的竞价。", "A purchaser cannot bid in its own auction."),
    Refusal.NOT_ADMITTED: ("贵单位不在本次竞价的供应商范围内。", "Your organisation is not admitted to this auction."),
    Refusal.SUSPENDED: ("贵单位已被暂停交易，不能报价。", "Your organisation is suspended from trading."),
    Refusal.KEY_REUSED: (
        "同一报价标识已用于另一价格，请刷新后重新报价。",
        "This offer's key was used for another price; reload and offer again.",
    ),
    Refusal.ABOVE_CEILING: ("报价高于最高限价。", "The offer is above the ceiling."),
    Refusal.STEP_TOO_SMALL: (
        "降价幅度不足，请按允许的最高报价重新报价。",
        "The reduction is too small; see the highest allowed.",
    ),
    HostRefusal.WRONG_STAGE: ("竞价当前阶段不能进行此操作。", "This cannot be done at the auction's present stage."),
    HostRefusal.STARTS_IN_PAST: ("开始时间已过，请修改后再发布。", "The start has passed; change it, then publish."),
    HostRefusal.SUSPENDED: ("本单位已被暂停交易。", "Your organisation is suspended from trading."),
    HostRefusal.AGREEMENT_INVALID: (
        "框架协议不存在、不在有效期内，或不适用于本地区。",
        "There is no such agreement, it is not valid today, or it does not serve this region.",
    ),
    HostRefusal.TOO_FEW_ADMITTED: (
        "可参加竞价的供应商少于最少供应商数，请增加邀请或修改条件。",
        "Fewer suppliers may bid than the least number of bidders; invite more or change the terms.",
    ),
    HostRefusal.CLOSING: ("竞价已到截止时间，不能暂停。", "The closing time has come; it cannot be paused any more."),
    HostRefusal.NO_OFFERS: ("没有有效报价，不能定标。", "There is no offer to award to."),
    HostRefusal.OWN_BIDDER: (
        "采购单位与供应商为同一单位，不能定标。",
        "The purchaser is one of the bidders and may not award.",
    ),
    HostRefusal.WINNER_SUSPENDED: (
        "排名第一的供应商已被暂停交易，不能定标。",
        "The first of the ranking is suspended from trading; it cannot be awarded to.",
    ),
    TermsFault.PRODUCT_UNKNOWN: ("采购内容中有不存在或已撤销的商品。", "An item's product is unknown or withdrawn."),
    TermsFault.ITEM_UNNAMED: ("采购内容须填写名称和单位。", "Each item needs a name and a unit."),
    TermsFault.STEP_UNCLEAR: (
        "最小降幅须填写金额或比例之一。",
        "Give the least step either as an amount or as a ratio.",
    ),
    TermsFault.STEP_TOO_LARGE: ("最小降幅须小于最高限价。", "The least step must be below the ceiling."),
    TermsFault.STEP_LEAKS_BEST: (
        "只公开排名时，降幅不能以当前最低价为基准，否则会泄露最低价。",
        "With only ranks shown the step cannot be taken from the best price: that would give it away.",
    ),
    TermsFault.EXTENSION_WITHOUT_WINDOW: (
        "设置了延时次数时，触发时段和延长时间都须大于零。",
        "With extensions allowed, both the window and the extension must be above zero.",
    ),
    TermsFault.INVITED_TWICE: ("邀请名单中有重复的供应商。", "A supplier is invited twice."),
    TermsFault.INVITED_TOO_FEW: ("邀请的供应商少于最少供应商数。", "Fewer suppliers are invited than must bid."),
    TermsFault.OWN_INVITED: ("不能邀请本单位参加竞价。", "A purchaser cannot invite itself."),
    TermsFault.AGREEMENT_MISSING: ("请选择框架协议。", "Choose the framework agreement."),
}
"""What people are told, in Chinese and in English."""


def check_terms(terms: AuctionTerms, *, purchaser_id: UUID) -> TermsFault | None:  # noqa: PLR0911 - one return a fault
    """Find the first fault of terms that the limits of single fields cannot see."""
    step, extension = terms.step, terms.extension
    if any(not (item.name and item.unit) for item in terms.items):
        return TermsFault.ITEM_UNNAMED
    if (step.amount_fen is None) == (step.ratio_bp is None):
        return TermsFault.STEP_UNCLEAR
    if step.amount_fen is not None and step.amount_fen >= terms.ceiling_fen:
        return TermsFault.STEP_TOO_LARGE
    if terms.step_from is StepFrom.BEST and terms.visibility is Visibility.RANK:
        return TermsFault.STEP_LEAKS_BEST
    if extension.extensions_max and not (extension.window_s and extension.extend_by_s):
        return TermsFault.EXTENSION_WITHOUT_WINDOW
    if terms.admission is Admission.AGREEMENT:
        return None if terms.agreement_id else TermsFault.AGREEMENT_MISSING
    if len(set(terms.invited)) != len(terms.invited):
        return TermsFault.INVITED_TWICE
    if len(terms.invited) < terms.bidders_min:
        return TermsFault.INVITED_TOO_FEW
    return TermsFault.OWN_INVITED if purchaser_id in terms.invited else None


def frozen_items(
    items: Sequence[Item], products: Mapping[UUID, Product | None]
) -> tuple[Item, ...] | Literal[TermsFault.PRODUCT_UNKNOWN]:
    """Copy name, unit and specification of catalogue products into their items: later revisions change nothing."""
    frozen: list[Item] = []
    for item in items:
        if item.product_id is None:
            frozen.append(msgspec.structs.replace(item, product_version=None))
            continue
        product = products[item.product_id]
        if product is None or product.status is not Status.ACTIVE:
            return TermsFault.PRODUCT_UNKNOWN
        spec = "\n".join(part for part in (f"{product.brand} {product.model}".strip(), product.description) if part)
        frozen.append(
            Item(
                quantity=item.quantity,
                name=product.name,
                unit=product.unit,
                spec=spec[:SPEC_LEN_MAX],
                product_id=item.product_id,
                product_version=product.revision,
            )
        )
    return tuple(frozen)


def lowered(reference_fen: int, step: MinimumStep) -> Fen:
    """Take the step off a price: the highest offer allowed below it, rounded down to the fen."""
    if step.amount_fen is not None:
        return Fen(reference_fen - step.amount_fen)
    assert step.ratio_bp is not None
    return Fen(reference_fen * (BASIS - step.ratio_bp) // BASIS)


def highest_allowed(auction: Auction, own: Standing | None) -> Fen:
    """Tell the highest price that a supplier whose standing is ``own`` may offer now; below 1 there is none."""
    terms = auction.terms
    if terms.step_from is StepFrom.OWN:
        return lowered(own.price_fen, terms.step) if own else Fen(terms.ceiling_fen)
    return lowered(auction.ladder[0].price_fen, terms.step) if auction.ladder else Fen(terms.ceiling_fen)


def rank(auction: Auction, supplier_id: UUID) -> int | None:
    """Tell a bidder's rank, 1 for the best; ``None`` without an offer. Cost: one bisection."""
    own = auction.standings.get(supplier_id)
    if own is None:
        return None
    return bisect_left(auction.ladder, (own.price_fen, own.received_at, own.version)) + 1


def moved_close(terms: AuctionTerms, *, extensions: int, closes_at: datetime, at: datetime) -> datetime | None:
    """Tell to where an accepted offer moves the close; ``None`` where it stays. The window's edge is inside."""
    rule = terms.extension
    if extensions >= rule.extensions_max or (closes_at - at).total_seconds() > rule.window_s:
        return None
    start = at if rule.extend_from is ExtendFrom.OFFER else closes_at
    moved = start + timedelta(seconds=rule.extend_by_s)
    return moved if moved > closes_at else None


def started(auction: Auction, at: datetime) -> Started | None:
    """Say that a published auction's time has come, if it has."""
    starts_at = auction.terms.starts_at
    if auction.stage is not AuctionStage.PUBLISHED or at < starts_at:
        return None
    return Started(starts_at, starts_at + timedelta(seconds=auction.terms.duration_s))


def decide_offer(auction: Auction, offer: Offer, at: datetime) -> tuple[Accepted, tuple[Event, ...]] | Refusal:
    """
    Decide one offer against the auction as it stands; ``at`` is when its last byte was received.

    An offer at exactly ``closes_at`` is late. A punctual one is not refused because the worker that starts the
    auction was late: it starts it. One that was received before a pause and decided after it is refused as
    ``paused``, also when the auction runs again. The bidder's last offer sent again is accepted again, without
    an event, whatever has happened since.

    Cost: under 10 µs together with :func:`evolve` at 100 bidders; see ``bench/micro/auction_rules.py``.
    """
    supplier_id, price_fen, key = offer.supplier_id, offer.price_fen, offer.key
    own = auction.standings.get(supplier_id)
    if own is not None and own.key == key and own.price_fen == price_fen:
        return repeated(auction, supplier_id, key=key, version=own.version, price_fen=price_fen), ()
    version = auction.version + 1
    start: Started | None = None
    if auction.stage is AuctionStage.LIVE:
        assert auction.live_from is not None
        assert auction.closes_at is not None
        live_from, closes_at = auction.live_from, auction.closes_at
    elif start := started(auction, at):
        live_from, closes_at, version = start.starts_at, start.closes_at, version + 1
    else:
        return _NOT_LIVE[auction.stage]
    if at < live_from:
        return Refusal.NOT_STARTED if at < auction.terms.starts_at else Refusal.PAUSED
    if at >= closes_at:
        return Refusal.CLOSED
    refusal = _unacceptable(auction, offer, own)
    if refusal is not None:
        return refusal
    terms, ladder = auction.terms, auction.ladder
    moved = moved_close(terms, extensions=auction.extensions, closes_at=closes_at, at=at)
    event = Offered(supplier_id, price_fen, key, None if own else offer.supplier_name, moved)
    best, place = None, None
    if terms.visibility is not Visibility.RANK:
        best = min(price_fen, ladder[0].price_fen) if ladder else price_fen
    if terms.visibility is not Visibility.BEST:
        place = bisect_left(ladder, (price_fen, at, version)) + 1
    accepted = Accepted(key, version, price_fen, moved or closes_at, best, place)
    return accepted, ((event,) if start is None else (start, event))


def _unacceptable(auction: Auction, offer: Offer, own: Standing | None) -> Refusal | None:  # noqa: PLR0911 - each
    if offer.supplier_id in auction.barred:
        return Refusal.SUSPENDED
    if own is None:
        if offer.supplier_id == auction.purchaser_id:
            return Refusal.OWN_AUCTION
        if offer.supplier_id not in auction.admitted:
            return Refusal.NOT_ADMITTED
    elif own.key == offer.key:
        return Refusal.KEY_REUSED
    if offer.price_fen > auction.terms.ceiling_fen:
        return Refusal.ABOVE_CEILING
    if offer.price_fen > highest_allowed(auction, own):
        return Refusal.STEP_TOO_SMALL
    return None


def repeated(auction: Auction, supplier_id: UUID, *, key: str, version: int, price_fen: int) -> Accepted:
    """Answer an offer that was accepted before, as ``version``, and that its sender may not know of."""
    best = auction.ladder[0].price_fen if discloses_best(auction, hosting=False) else None
    place = rank(auction, supplier_id) if discloses_ranks(auction, hosting=False) else None
    return Accepted(key, version, price_fen, auction.closes_at, best, place)


def decide_edit(auction: Auction, terms: AuctionTerms) -> Edited | HostRefusal:
    """Change the terms of a draft."""
    return Edited(terms) if auction.stage is AuctionStage.DRAFT else HostRefusal.WRONG_STAGE


def suppliers_of(
    terms: AuctionTerms, agreement: Agreement | None, *, region: str, at: datetime
) -> frozenset[UUID] | None:
    """List who may bid: the invited, or whom the agreement admits; ``None`` where it does not hold here and now."""
    if terms.admission is Admission.INVITED:
        return frozenset(terms.invited)
    if agreement is None or not valid_on(agreement, beijing_day(at)) or not serves(agreement, region):
        return None
    return frozenset(
        supplier_id
        for package in agreement.packages
        if terms.agreement_package in (None, package.number)
        for supplier_id in package.suppliers
    )


def _trades(organisation: Organisation | None) -> bool:
    return organisation is not None and organisation.status is Good.ACTIVE


def decide_publish(
    auction: Auction, purchaser: Organisation | None, agreement: Agreement | None, at: datetime
) -> Published | HostRefusal:
    """Publish a draft; who may bid is frozen here."""
    if not may(auction.stage, Act.PUBLISH):
        return HostRefusal.WRONG_STAGE
    if auction.terms.starts_at < at:
        return HostRefusal.STARTS_IN_PAST
    if not _trades(purchaser):
        return HostRefusal.SUSPENDED
    suppliers = suppliers_of(auction.terms, agreement, region=auction.region, at=at)
    if suppliers is None:
        return HostRefusal.AGREEMENT_INVALID
    admitted = tuple(sorted(suppliers - {auction.purchaser_id}))
    if len(admitted) < auction.terms.bidders_min:
        return HostRefusal.TOO_FEW_ADMITTED
    return Published(admitted)


def decide_withdraw(auction: Auction, reason: str, at: datetime) -> Withdrawn | HostRefusal:
    """Withdraw a draft, or a publication whose auction has not started."""
    if not may(auction.stage, Act.WITHDRAW) or started(auction, at):
        return HostRefusal.WRONG_STAGE
    return Withdrawn(reason)


def decide_start(auction: Auction, at: datetime) -> tuple[Event, ...]:
    """Start what is due; nothing otherwise, so firing twice is harmless."""
    start = started(auction, at)
    return (start,) if start else ()


def decide_pause(auction: Auction, reason: str, at: datetime) -> tuple[Event, ...] | HostRefusal:
    """Stop the clock of a running auction; what remains is kept to the millisecond, rounded up."""
    start = started(auction, at)
    if start is None and not may(auction.stage, Act.PAUSE):
        return HostRefusal.WRONG_STAGE
    closes_at = start.closes_at if start else auction.closes_at
    assert closes_at is not None
    if at >= closes_at:
        return HostRefusal.CLOSING
    pause = Paused(reason, -((at - closes_at) // timedelta(milliseconds=1)))
    return (start, pause) if start else (pause,)


def decide_resume(auction: Auction, reason: str, at: datetime) -> Resumed | HostRefusal:
    """Let a paused auction go on with the time that was left."""
    if not may(auction.stage, Act.RESUME):
        return HostRefusal.WRONG_STAGE
    assert auction.remaining_ms is not None
    return Resumed(reason, at + timedelta(milliseconds=auction.remaining_ms))


def decide_close(auction: Auction, at: datetime, drain: timedelta) -> tuple[Event, ...]:
    """
    Close what is due and drained; nothing otherwise, so firing twice is harmless.

    Short of bidders it is extended, once; still short it fails where its terms say so. An extension that would be
    over before it began (the service was away) is counted from now.
    """
    if auction.stage is not AuctionStage.LIVE:
        return ()
    assert auction.closes_at is not None
    if at < auction.closes_at + drain:
        return ()
    terms, bidders = auction.terms, len(auction.standings)
    short = bidders < terms.bidders_min
    if short and terms.short_extension_s and not auction.short_extended:
        longer = timedelta(seconds=terms.short_extension_s)
        closes_at = auction.closes_at + longer
        return (Extended(closes_at if closes_at > at else at + longer, bidders),)
    if not bidders:
        return (Closed(bidders), Failed(Cause.NO_OFFER, ""))
    if short and terms.shortfall is Shortfall.FAIL:
        return (Closed(bidders), Failed(Cause.SHORT, ""))
    return (Closed(bidders),)


def decide_award(
    auction: Auction, purchaser: Organisation | None, winner: Organisation | None, reason: str
) -> Awarded | HostRefusal:
    """Award to the first of the ranking, which is ``winner``, and to no other."""
    if not may(auction.stage, Act.AWARD):
        return HostRefusal.WRONG_STAGE
    if not _trades(purchaser):
        return HostRefusal.SUSPENDED
    if not auction.ladder:
        return HostRefusal.NO_OFFERS
    if auction.purchaser_id in auction.standings:
        return HostRefusal.OWN_BIDDER
    if not _trades(winner):
        return HostRefusal.WINNER_SUSPENDED
    best = auction.ladder[0]
    return Awarded(best.supplier_id, auction.standings[best.supplier_id].name, best.price_fen, reason)


def decide_bar(auction: Auction, supplier_id: UUID, *, trades: bool) -> Barred | None:
    """Keep a supplier that may not trade from offering, or let it offer again; ``None`` where that stands already."""
    concerned = auction.stage in OPEN and supplier_id in auction.admitted
    return Barred(supplier_id, lifted=trades) if concerned and trades is (supplier_id in auction.barred) else None


def decide_fail(auction: Auction, reason: str) -> Failed | HostRefusal:
    """Declare a closed or a paused auction failed, for a reason that everybody can read."""
    return Failed(Cause.PURCHASER, reason) if may(auction.stage, Act.FAIL) else HostRefusal.WRONG_STAGE


def oversees(actor: Actor, auction: Auction) -> bool:
    """Tell whether an auction lies in the region that a supervisor or an auditor looks after (监督); ADR-0055."""
    return actor.has_any(OVERSEERS) and actor.region != "" and auction.region.startswith(prefix_of(actor.region))


def discloses_best(auction: Auction, *, hosting: bool) -> bool:
    """Tell whether the best price may be shown: to the host always, to all others as the terms say until the close."""
    return hosting or auction.stage in ENDED or auction.terms.visibility is not Visibility.RANK


def discloses_ranks(auction: Auction, *, hosting: bool) -> bool:
    """Tell whether ranks may be shown."""
    return hosting or auction.stage in ENDED or auction.terms.visibility is not Visibility.BEST
