"""
The life of a reverse auction (反向竞价): its terms, its stages, what happens to it, and the state that follows.

What is allowed is in ``rules.py``; here is what is. The table ``NEXT`` is the whole truth about stages, and its
picture in ``docs/lifecycles/auction.md`` is drawn from it.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.lifecycles import drawn
from kernel.money import FEN_MAX

KEY_LEN_MAX: Final = 64
BASIS: Final = 10_000
"""Basis points in a whole: a step of 1 % is 100."""

Price = Annotated[int, Meta(ge=1, le=FEN_MAX)]
Reason = Annotated[str, Meta(min_length=2, max_length=500)]
OfferKey = Annotated[str, Meta(min_length=1, max_length=KEY_LEN_MAX, pattern="^[!-~]+$")]
SPEC_LEN_MAX: Final = 2_000
_Text = Annotated[str, Meta(max_length=SPEC_LEN_MAX)]


class AuctionStage(StrEnum):
    """Where an auction stands."""

    DRAFT = "draft"  # 草稿
    PUBLISHED = "published"  # 已发布
    LIVE = "live"  # 竞价中
    PAUSED = "paused"  # 已暂停
    CLOSED = "closed"  # 已截止, 待定标
    AWARDED = "awarded"  # 已成交
    FAILED = "failed"  # 已流标或终止


class Act(StrEnum):
    """What moves an auction from one stage to the next."""

    PUBLISH = "publish"
    WITHDRAW = "withdraw"  # 撤回
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"
    AWARD = "award"
    FAIL = "fail"


class IllegalActError(Exception):
    """An act that the table does not name for the stage: whoever asked had to check first."""


NEXT: Final[dict[tuple[AuctionStage, Act], AuctionStage]] = {
    (AuctionStage.DRAFT, Act.PUBLISH): AuctionStage.PUBLISHED,
    (AuctionStage.DRAFT, Act.WITHDRAW): AuctionStage.FAILED,
    (AuctionStage.PUBLISHED, Act.WITHDRAW): AuctionStage.FAILED,
    (AuctionStage.PUBLISHED, Act.START): AuctionStage.LIVE,
    (AuctionStage.LIVE, Act.PAUSE): AuctionStage.PAUSED,
    (AuctionStage.LIVE, Act.CLOSE): AuctionStage.CLOSED,
    (AuctionStage.PAUSED, Act.RESUME): AuctionStage.LIVE,
    (AuctionStage.PAUSED, Act.FAIL): AuctionStage.FAILED,  # a live auction is paused first: two deliberate acts
    (AuctionStage.CLOSED, Act.AWARD): AuctionStage.AWARDED,
    (AuctionStage.CLOSED, Act.FAIL): AuctionStage.FAILED,
}

FINAL: Final = frozenset({AuctionStage.AWARDED, AuctionStage.FAILED})
OPEN: Final = frozenset({AuctionStage.PUBLISHED, AuctionStage.LIVE, AuctionStage.PAUSED})
"""Announced and not yet over."""

ENDED: Final = frozenset({AuctionStage.CLOSED}) | FINAL
"""No offer can come any more: prices are public by label."""


def may(stage: AuctionStage, act: Act) -> bool:
    """Tell whether the table allows ``act`` at ``stage``."""
    return (stage, act) in NEXT


def after(stage: AuctionStage, act: Act) -> AuctionStage:
    """
    Return the stage that ``act`` leads to.

    Raises:
        IllegalActError: the table does not name the pair.
    """
    try:
        return NEXT[stage, act]
    except KeyError:
        raise IllegalActError(f"{act} at {stage}") from None


class StepFrom(StrEnum):
    """Which price an offer must undercut by the step."""

    OWN = "own"  # 本人上次报价
    BEST = "best"  # 当前最低价


class ExtendFrom(StrEnum):
    """From where an extension is counted."""

    OFFER = "offer"  # the close moves to the offer's moment + extend_by
    CLOSE = "close"  # the close moves by extend_by


class Visibility(StrEnum):
    """What bidders, and so the public, see of others' offers while the auction runs."""

    RANK = "rank"  # 排名
    BEST = "best"  # 最低价
    BOTH = "both"


class Admission(StrEnum):
    """Who may bid."""

    INVITED = "invited"  # 邀请
    AGREEMENT = "agreement"  # 框架协议入围供应商


class Shortfall(StrEnum):
    """What becomes of an auction that stays short of bidders after its one extension."""

    FAIL = "fail"
    ACCEPT = "accept"


class Cause(StrEnum):
    """Why an auction failed."""

    SHORT = "short-of-bidders"
    NO_OFFER = "no-offer"
    PURCHASER = "purchaser"


class MinimumStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least reduction (最小降幅): an amount in fen, or a ratio in basis points of the price undercut."""

    amount_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)] | None = None
    ratio_bp: Annotated[int, Meta(ge=1, le=5_000)] | None = None


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An accepted offer at most ``window_s`` before the close moves it, ``extensions_max`` times at most."""

    window_s: Annotated[int, Meta(ge=0, le=3_600)] = 180
    extend_by_s: Annotated[int, Meta(ge=0, le=3_600)] = 180
    extensions_max: Annotated[int, Meta(ge=0, le=1_000)] = 20
    extend_from: ExtendFrom = ExtendFrom.OFFER


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What is bought: free text, or a product of the catalogue whose name and specification are frozen here.

    ``quantity`` counts ``unit``. The service fills ``product_version``, ``name``, ``spec`` and ``unit`` of a product.
    """

    quantity: Annotated[int, Meta(ge=1, le=10**9)]
    name: Annotated[str, Meta(max_length=200)] = ""
    unit: Annotated[str, Meta(max_length=20)] = ""
    spec: _Text = ""
    product_id: UUID | None = None
    product_version: Annotated[int, Meta(ge=1, le=10**9)] | None = None


class AuctionTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What the purchaser lays down before publication; frozen from then on. Prices are for the whole.

    Admission by agreement is by one package of it, or by any where ``agreement_package`` is empty.
    """

    title: Annotated[str, Meta(min_length=2, max_length=200)]
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=200)]
    ceiling_fen: Price
    step: MinimumStep
    starts_at: Annotated[datetime, Meta(tz=True)]
    duration_s: Annotated[int, Meta(ge=10, le=7 * 86_400)]
    step_from: StepFrom = StepFrom.OWN
    extension: Extension = Extension()
    visibility: Visibility = Visibility.BOTH
    admission: Admission = Admission.INVITED
    invited: Annotated[tuple[UUID, ...], Meta(max_length=1_000)] = ()
    agreement_id: UUID | None = None
    agreement_package: Annotated[int, Meta(ge=1, le=10**4)] | None = None
    bidders_min: Annotated[int, Meta(ge=1, le=100)] = 3
    short_extension_s: Annotated[int, Meta(ge=0, le=7 * 86_400)] = 300
    shortfall: Shortfall = Shortfall.FAIL
    note: _Text = ""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A bidder's place: a number instead of a name (``label``), and the last accepted offer."""

    label: int
    name: str
    price_fen: int
    received_at: datetime
    version: int
    key: str
    offers: int


class Rung(NamedTuple):
    """One step of the ladder of standing offers; its order is the ranking: ties go to the earlier."""

    price_fen: int
    received_at: datetime
    version: int
    supplier_id: UUID


class Auction(msgspec.Struct, frozen=True):
    """
    An auction as its events left it. ``version`` counts them.

    ``ladder`` lists the standing offers, best first. ``closes_at`` is empty before the start and while paused, when
    ``remaining_ms`` holds what is left. ``live_from`` is the latest start or resumption. ``barred`` may not trade now.
    """

    number: str
    purchaser_id: UUID
    purchaser_name: str
    region: str
    terms: AuctionTerms
    created_at: datetime
    version: int = 1
    stage: AuctionStage = AuctionStage.DRAFT
    published_at: datetime | None = None
    admitted: frozenset[UUID] = frozenset()
    live_from: datetime | None = None
    closes_at: datetime | None = None
    remaining_ms: int | None = None
    extensions: int = 0
    short_extended: bool = False
    offers: int = 0
    standings: dict[UUID, Standing] = {}
    ladder: tuple[Rung, ...] = ()
    awarded_to: UUID | None = None
    ended_at: datetime | None = None
    cause: Cause | None = None
    reason: str = ""
    barred: frozenset[UUID] = frozenset()


class Drafted(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.drafted"):
    number: str
    purchaser_id: UUID
    purchaser_name: str
    region: str
    terms: AuctionTerms


class Edited(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.edited"):
    terms: AuctionTerms


class Published(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.published"):
    """``admitted`` is frozen here: who joins or leaves the agreement later changes nothing (ADR-0013)."""

    admitted: tuple[UUID, ...]


class Withdrawn(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.withdrawn"):
    reason: str


class Started(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.started"):
    """The auction runs since the announced moment, whenever this was written."""

    starts_at: datetime
    closes_at: datetime


class Offered(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.offered", omit_defaults=True, gc=False):
    """An accepted offer. ``name`` comes with a bidder's first one, ``closes_at`` with one that moved the close."""

    supplier_id: UUID
    price_fen: int
    key: str
    name: str | None = None
    closes_at: datetime | None = None


class Paused(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.paused"):
    reason: str
    remaining_ms: int


class Resumed(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.resumed"):
    reason: str
    closes_at: datetime


class Extended(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.extended"):
    """The one extension for want of bidders (响应供应商不足延时)."""

    closes_at: datetime
    bidders: int


class Barred(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.barred"):
    """A supplier may not trade until this is ``lifted``: it offers no more; its offers stand (ADR-0053)."""

    supplier_id: UUID
    lifted: bool = False


class Closed(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.closed"):
    bidders: int


class Awarded(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.awarded"):
    supplier_id: UUID
    name: str
    price_fen: int
    reason: str


class Failed(msgspec.Struct, frozen=True, tag_field="kind", tag="auction.failed"):
    cause: Cause
    reason: str


Event = (
    Drafted
    | Edited
    | Published
    | Withdrawn
    | Started
    | Offered
    | Paused
    | Resumed
    | Extended
    | Closed
    | Awarded
    | Failed
    | Barred
)


def due(auction: Auction) -> tuple[datetime, Act] | None:
    """Derive what falls due next, and when: the start, or the close (to which the drain time is added)."""
    match auction.stage:
        case AuctionStage.PUBLISHED:
            return auction.terms.starts_at, Act.START
        case AuctionStage.LIVE:
            assert auction.closes_at is not None
            return auction.closes_at, Act.CLOSE
        case _:
            return None


def evolve(auction: Auction | None, event: Event, at: datetime) -> Auction:
    """Apply what was decided; refuses nothing."""
    if auction is None:
        assert isinstance(event, Drafted)
        return Auction(event.number, event.purchaser_id, event.purchaser_name, event.region, event.terms, at)
    if isinstance(event, Offered):
        return _offered(auction, event, at)
    return msgspec.structs.replace(auction, version=auction.version + 1, **_changed(auction, event, at))


def _offered(auction: Auction, event: Offered, at: datetime) -> Auction:
    """Apply an offer: the hot path, so only what it touches is copied."""
    supplier_id, version, ladder = event.supplier_id, auction.version + 1, list(auction.ladder)
    own = auction.standings.get(supplier_id)
    if own is None:
        label, name, offers = len(auction.standings) + 1, event.name or "", 1
    else:
        label, name, offers = own.label, own.name, own.offers + 1
        del ladder[bisect_left(ladder, (own.price_fen, own.received_at, own.version))]
    insort(ladder, Rung(event.price_fen, at, version, supplier_id))
    standings = auction.standings.copy()
    standings[supplier_id] = Standing(label, name, event.price_fen, at, version, event.key, offers)
    moved = event.closes_at is not None
    return msgspec.structs.replace(
        auction,
        version=version,
        offers=auction.offers + 1,
        standings=standings,
        ladder=tuple(ladder),
        closes_at=event.closes_at if moved else auction.closes_at,
        extensions=auction.extensions + moved,
    )


class Dated(Protocol):
    """An offer and when it was received; a recorded event of the journal is one."""

    @property
    def at(self) -> datetime: ...
    @property
    def event(self) -> Offered: ...


def evolve_offers(auction: Auction, offers: Sequence[Dated]) -> Auction:
    """
    Apply a run of offers at once: the same as :func:`evolve` one by one, without the states in between.

    Cost: under 1 µs an offer and one sort of the bidders; a hall looks at a burst only when it shows itself.
    """
    standings, version = auction.standings.copy(), auction.version
    closes_at, extensions = auction.closes_at, auction.extensions
    last: dict[UUID, tuple[int, Dated]] = {}
    counts: dict[UUID, int] = {}
    names: dict[UUID, str] = {}
    for one in offers:
        version += 1
        event = one.event
        supplier_id = event.supplier_id
        last[supplier_id] = (version, one)
        counts[supplier_id] = counts.get(supplier_id, 0) + 1
        names.setdefault(supplier_id, event.name or "")
        if event.closes_at is not None:
            closes_at, extensions = event.closes_at, extensions + 1
    for supplier_id, (placed, one) in last.items():
        own, event = standings.get(supplier_id), one.event
        label, name = (own.label, own.name) if own else (len(standings) + 1, names[supplier_id])
        count = counts[supplier_id] + (own.offers if own else 0)
        standings[supplier_id] = Standing(label, name, event.price_fen, one.at, placed, event.key, count)
    rungs = (Rung(p.price_fen, p.received_at, p.version, supplier) for supplier, p in standings.items())
    return msgspec.structs.replace(
        auction,
        version=version,
        offers=auction.offers + len(offers),
        standings=standings,
        ladder=tuple(sorted(rungs)),
        closes_at=closes_at,
        extensions=extensions,
    )


def _changed(auction: Auction, event: Event, at: datetime) -> dict[str, Any]:  # noqa: C901, PLR0911 - one case an event
    """Name the fields that an event other than an offer changes."""
    stage = auction.stage
    match event:
        case Edited():
            return {"terms": event.terms}
        case Published():
            return {"stage": after(stage, Act.PUBLISH), "published_at": at, "admitted": frozenset(event.admitted)}
        case Withdrawn():
            return {"stage": after(stage, Act.WITHDRAW), "ended_at": at, "reason": event.reason}
        case Started():
            return {"stage": after(stage, Act.START), "live_from": event.starts_at, "closes_at": event.closes_at}
        case Paused():
            return {
                "stage": after(stage, Act.PAUSE),
                "remaining_ms": event.remaining_ms,
                "closes_at": None,
                "reason": event.reason,
            }
        case Resumed():
            return {
                "stage": after(stage, Act.RESUME),
                "live_from": at,
                "closes_at": event.closes_at,
                "remaining_ms": None,
                "reason": "",
            }
        case Extended():
            return {"closes_at": event.closes_at, "short_extended": True}
        case Barred():
            one = {event.supplier_id}
            return {"barred": auction.barred - one if event.lifted else auction.barred | one}
        case Closed():
            return {"stage": after(stage, Act.CLOSE)}
        case Awarded():
            return {
                "stage": after(stage, Act.AWARD),
                "awarded_to": event.supplier_id,
                "ended_at": at,
                "reason": event.reason,
            }
        case Failed():
            return {"stage": after(stage, Act.FAIL), "ended_at": at, "cause": event.cause, "reason": event.reason}
        case Drafted() | Offered():  # pragma: no branch - the last of the union
            raise AssertionError(f"{event} does not come here")


def picture() -> str:
    """Draw the table as the page ``docs/lifecycles/auction.md``."""
    ways = [f"{stage} --> {to}: {act}" for (stage, act), to in NEXT.items()]
    return drawn(
        "The life of a reverse auction",
        __name__,
        ways=[f"[*] --> {AuctionStage.DRAFT}", *ways],
        ends=[stage for stage in AuctionStage if stage in FINAL],
    )
