"""
The auction hall (竞价大厅), without I/O: what each audience sees of an auction, and one connection's conversation.

The state is replayed by ``evolve`` from the same events as everywhere; this file only leaves out what an audience
may not see. While offers can come, bidders and the public see no more than the terms allow: ranks by label without
prices, or the best price, or both; the price of an offer is shown to them only where it was the best. The purchaser
sees every price by label. Names come with the award.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Annotated, Any, Final, cast
from uuid import UUID

import msgspec
from msgspec import Meta
from starlette.websockets import WebSocket

from kernel.access.actors import Actor
from kernel.access.table import Action
from kernel.commit.batch import Outcome
from kernel.journal.streams import Recorded
from kernel.live.audience import HOST, Audience
from kernel.live.audience import Standing as Kind
from kernel.live.hall import Hall
from kernel.live.serve import Entrance, hall_route
from kernel.live.session import LiveSession, Send, Submit
from kernel.money import FEN_MAX
from kernel.problems import NotFound, Problem, Unavailable
from kernel.runtime import Kernel
from market.auctions.lifecycle import (
    ENDED,
    Auction,
    AuctionStage,
    Awarded,
    Cause,
    Closed,
    Event,
    Extended,
    Extension,
    Failed,
    MinimumStep,
    Offered,
    OfferKey,
    Paused,
    Price,
    Resumed,
    Started,
    StepFrom,
    Visibility,
    Withdrawn,
    evolve,
    evolve_offers,
)
from market.auctions.rules import Accepted, discloses_best, discloses_ranks, repeated
from market.auctions.service import AUCTION, Bidder, You, auction_of, bidder_of, offer_command, you_of
from market.oversight.service import audience_at

DELTA_OFFERS_MAX: Final = 20
SNAPSHOT_OFFERS_MAX: Final = 200
LADDER_MAX: Final = 50
FRESH_MIN: Final = 32
FRESH_EACH: Final = 4
"""Work through so many events at once, or so many for each bidder, whose places it sorts: not thousands at a frame."""
RECOGNISED_MAX: Final = 2_048
"""How many of an auction's last accepted offers a hall can recognise when they are sent again."""
_NO_PRICE_FEN: Final = FEN_MAX + 1
FRAME_BYTES_MAX: Final = 1_024
"""The longest message that a client may send: an offer is a tenth of it."""

_encode: Final = msgspec.json.Encoder().encode


class HallPlace(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of the ladder, best first; ``price_fen`` where it may be seen, ``name`` after the award."""

    label: int
    price_fen: int | None = None
    name: str | None = None


class HallLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One accepted offer; ``best`` tells that it was the lowest when it came."""

    version: int
    at: datetime
    label: int
    price_fen: int | None = None
    best: bool = False


class HallNotice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that everybody is told: ``kind`` is started, moved, extended, paused, resumed, closed and so on."""

    version: int
    at: datetime
    kind: str
    closes_at: datetime | None = None
    reason: str | None = None


class HallScene(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where things stand. ``ladder`` is absent where ranks may not be seen, and ends after ``LADDER_MAX`` places."""

    stage: AuctionStage
    bidders: int
    offers: int
    extensions: int
    closes_at: datetime | None = None
    remaining_ms: int | None = None
    short_extended: bool = False
    best_fen: int | None = None
    best_label: int | None = None
    ladder: tuple[HallPlace, ...] | None = None
    winner: HallPlace | None = None
    cause: Cause | None = None
    reason: str = ""


class HallTerms(msgspec.Struct, frozen=True):
    """The terms that bidding goes by; they do not change while there is a hall."""

    starts_at: datetime
    duration_s: int
    ceiling_fen: int
    step: MinimumStep
    step_from: StepFrom
    extension: Extension
    visibility: Visibility
    bidders_min: int


class HallSnapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot", omit_defaults=True):
    """Everything at ``version``: the first frame, and the first after a long absence."""

    version: int
    number: str
    title: str
    purchaser_name: str
    audience: Kind
    terms: HallTerms
    scene: HallScene
    offers: tuple[HallLine, ...]
    left_out: int
    notices: tuple[HallNotice, ...]
    you: You | None = None


class HallDelta(msgspec.Struct, frozen=True, tag_field="type", tag="delta", omit_defaults=True):
    """What changed in versions ``after`` < v <= ``version``: the scene as it is now, and the offers between."""

    after: int
    version: int
    scene: HallScene
    offers: tuple[HallLine, ...]
    left_out: int
    notices: tuple[HallNotice, ...]
    you: You | None = None


class HallRefused(msgspec.Struct, frozen=True, tag_field="type", tag="refused", omit_defaults=True):
    """An offer that was not accepted. ``retry`` tells that the same offer may be sent again as it is."""

    key: str
    reason: str
    detail_zh: str
    detail_en: str
    highest_allowed_fen: int | None = None
    retry: bool = False


class HallPong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping: ``at`` is the server's time, from which a client derives its offset."""

    sent: float
    at: datetime


class HallOffer(msgspec.Struct, frozen=True, tag_field="type", tag="offer", forbid_unknown_fields=True):
    """An offer. ``resent`` says that an earlier try with this key may have arrived."""

    key: OfferKey
    price_fen: Price
    resent: bool = False


class HallPing(msgspec.Struct, frozen=True, tag_field="type", tag="ping", forbid_unknown_fields=True):
    """A question for the time; ``sent`` is the client's own and comes back as it is."""

    sent: Annotated[float, Meta(ge=0, le=1e15)]


_decode: Final = msgspec.json.Decoder(HallOffer | HallPing).decode


class _Shared(msgspec.Struct, frozen=True):
    """The part of a frame that all of one class of viewers share; its parts are encoded once, by :func:`_encoded`."""

    scene: HallScene
    offers: tuple[HallLine, ...]
    left_out: int
    notices: tuple[HallNotice, ...]


class AuctionHall:
    """
    One auction as it can be watched; fed with its committed events in version order.

    ``shown`` frames are shared: what all bidders and the public see is encoded once for a range of versions, what a
    single bidder sees of itself (:class:`~market.auctions.rules.You`) is put beside it.
    """

    def __init__(self) -> None:
        self.version = self._watchers_version = 0
        self._auction: Auction | None = None
        self._fresh: list[Recorded[Event]] = []
        self._fresh_max = FRESH_MIN
        self._offers: Final[deque[Recorded[Offered]]] = deque(maxlen=RECOGNISED_MAX)
        self._bests: Final[deque[int]] = deque(maxlen=SNAPSHOT_OFFERS_MAX)
        self._notices: Final[deque[HallNotice]] = deque(maxlen=DELTA_OFFERS_MAX)
        self._others: Final[list[int]] = []
        self._shared: Final[dict[tuple[bool, int, int], _Shared]] = {}

    @property
    def auction(self) -> Auction:
        """The state; there is one from the first event on."""
        self._take_in()
        assert self._auction is not None, "the hall is empty"
        return self._auction

    def apply(self, run: Sequence[Recorded[Event]]) -> None:
        """Take note of the next events; they are worked through when somebody looks, or with some dozen others."""
        assert run[0].version == self.version + 1
        self.version = run[-1].version
        self._fresh.extend(run)
        if len(self._fresh) >= self._fresh_max:
            self._take_in()

    def _take_in(self) -> None:
        """Work through what has come since somebody last looked: a run of offers at once."""
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._shared.clear()
        for kind, run in groupby(fresh, key=lambda recorded: type(recorded.event)):
            if kind is Offered:
                self._take_in_offers(cast("list[Recorded[Offered]]", list(run)))
                continue
            for one in run:
                self._auction = evolve(self._auction, one.event, one.at)
                self._others.append(one.version)
                self._note(one.version, one.at, one.event)
                self._watchers_version = one.version

    def _take_in_offers(self, run: Sequence[Recorded[Offered]]) -> None:
        before = self._auction
        assert before is not None
        best_fen = before.ladder[0].price_fen if before.ladder else _NO_PRICE_FEN
        self._auction = evolve_offers(before, run)
        self._fresh_max = max(FRESH_MIN, FRESH_EACH * len(self._auction.standings))
        self._offers.extend(run)
        if before.terms.visibility is not Visibility.BEST:
            self._watchers_version = run[-1].version
        for one in run:
            event = one.event
            if event.price_fen < best_fen:
                best_fen = event.price_fen
                self._bests.append(one.version)
                self._watchers_version = one.version
            if event.closes_at is not None:
                self._notices.append(HallNotice(one.version, one.at, "moved", event.closes_at))
                self._watchers_version = one.version

    def _note(self, version: int, at: datetime, event: Event) -> None:
        kind = str(event.__struct_config__.tag).removeprefix("auction.")
        closes_at = event.closes_at if isinstance(event, Started | Resumed | Extended) else None
        reason = event.reason if isinstance(event, Paused | Resumed | Withdrawn | Awarded | Failed) else None
        if isinstance(event, Started | Resumed | Extended | Paused | Withdrawn | Awarded | Failed | Closed):
            self._notices.append(HallNotice(version, at, kind, closes_at, reason or None))

    def accepted(self, supplier_id: UUID, key: str, price_fen: int) -> int | None:
        """Find the version of a bidder's accepted offer by its key and price, if it is one of the last."""
        self._take_in()
        for one in reversed(self._offers):
            event = one.event
            if event.key == key and event.supplier_id == supplier_id and event.price_fen == price_fen:
                return one.version
        return None

    def snapshot(self, audience: Audience) -> HallSnapshot:
        """Show everything that an audience may see now."""
        auction = self.auction
        terms = auction.terms
        shared = self._shown(hosting=audience.sees_as_host, after=0, offers_max=SNAPSHOT_OFFERS_MAX)
        return HallSnapshot(
            version=self.version,
            number=auction.number,
            title=terms.title,
            purchaser_name=auction.purchaser_name,
            audience=audience.kind,
            terms=msgspec.convert(terms, HallTerms, from_attributes=True),
            **msgspec.structs.asdict(shared),
            you=self._you(audience),
        )

    def delta(self, audience: Audience, after: int) -> HallDelta | None:
        """Show what changed since version ``after``; ``None`` where this audience learns nothing."""
        self._take_in()
        own = self._auction.standings.get(audience.supplier_id) if self._auction and audience.supplier_id else None
        news = self.version if audience.sees_as_host else self._watchers_version
        if news <= after and not (own and own.version > after):
            return None
        shared = self._shown(hosting=audience.sees_as_host, after=after, offers_max=DELTA_OFFERS_MAX)
        scene, offers, left_out, notices = shared.scene, shared.offers, shared.left_out, shared.notices
        return HallDelta(after, self.version, scene, offers, left_out, notices, self._you(audience))

    def _you(self, audience: Audience) -> You | None:
        return you_of(self.auction, audience.supplier_id) if audience.supplier_id else None

    def _shown(self, *, hosting: bool, after: int, offers_max: int) -> _Shared:
        key = (hosting, after, offers_max)
        found = self._shared.get(key)
        if found is None:
            lines = self._lines_since(after, offers_max, hosting=hosting)
            total = self.version - after - (len(self._others) - bisect_right(self._others, after))
            found = self._shared[key] = _Shared(
                scene=_encoded(self._scene(hosting=hosting)),
                offers=_encoded(lines),
                left_out=total - len(lines),
                notices=_encoded(tuple(notice for notice in self._notices if notice.version > after)),
            )
        return found

    def _lines_since(self, after: int, offers_max: int, *, hosting: bool) -> tuple[HallLine, ...]:
        """List the last offers behind version ``after`` that may be seen, oldest first."""
        found: list[HallLine] = []
        auction = self.auction
        full = hosting or auction.stage in ENDED
        best_only = not full and auction.terms.visibility is Visibility.BEST
        prices = discloses_best(auction, hosting=hosting)
        bests, standings = frozenset(self._bests), auction.standings
        for one in islice(reversed(self._offers), SNAPSHOT_OFFERS_MAX):
            if one.version <= after or len(found) == offers_max:
                break
            label, best = standings[one.event.supplier_id].label, one.version in bests
            if full or (best and prices):
                found.append(HallLine(one.version, one.at, label, one.event.price_fen, best))
            elif not best_only:
                found.append(HallLine(one.version, one.at, label))
        return tuple(reversed(found))

    def _scene(self, *, hosting: bool) -> HallScene:
        auction = self.auction
        best = auction.ladder[0] if auction.ladder and discloses_best(auction, hosting=hosting) else None
        winner = auction.standings[auction.awarded_to] if auction.awarded_to else None
        return HallScene(
            stage=auction.stage,
            bidders=len(auction.standings),
            offers=auction.offers,
            extensions=auction.extensions,
            closes_at=auction.closes_at,
            remaining_ms=auction.remaining_ms,
            short_extended=auction.short_extended,
            best_fen=best.price_fen if best else None,
            best_label=auction.standings[best.supplier_id].label if best else None,
            ladder=self._ladder(hosting=hosting),
            winner=HallPlace(winner.label, winner.price_fen, winner.name) if winner else None,
            cause=auction.cause,
            reason=auction.reason,
        )

    def _ladder(self, *, hosting: bool) -> tuple[HallPlace, ...] | None:
        auction = self.auction
        if not discloses_ranks(auction, hosting=hosting):
            return None
        full, named = hosting or auction.stage in ENDED, auction.stage is AuctionStage.AWARDED
        best_too = discloses_best(auction, hosting=hosting)
        places: list[HallPlace] = []
        for index, rung in enumerate(auction.ladder[:LADDER_MAX]):
            standing = auction.standings[rung.supplier_id]
            priced = full or (best_too and index == 0)
            places.append(
                HallPlace(standing.label, rung.price_fen if priced else None, standing.name if named else None)
            )
        return tuple(places)


def _encoded(value: Any) -> Any:
    """Encode a part of frames now, so that every frame it is put into copies bytes."""
    return msgspec.Raw(_encode(value))


def part_in(auction: Auction, actor: Actor, bidder: Bidder | None) -> Audience | None:
    """Tell as which of its parties somebody watches: as the host or an admitted bidder; ``None`` for all others."""
    if actor.organisation_id is not None and actor.organisation_id == auction.purchaser_id:
        return HOST
    return Audience(Kind.BIDDER, bidder.supplier_id) if bidder and bidder.supplier_id in auction.admitted else None


class HallSession:
    """
    One connection's conversation: offers and pings come in, answers go out.

    A bidder has at most one unanswered offer a connection; the next one is refused as ``busy`` until then. An offer
    sent again after a lost connection (``resent``) that is refused is looked up among the last that the hall knows;
    beyond those the HTTP route asks the journal itself.
    """

    def __init__(self, auction_id: UUID, bidder: Bidder | None, view: AuctionHall, *, actor: str, origin: str) -> None:
        self._ref: Final = AUCTION.ref(auction_id)
        self._bidder: Final = bidder
        self._actor: Final = actor
        self._origin: Final = origin
        self._view: Final = view
        self._pending: HallOffer | None = None

    def receive(self, raw: bytes, at: datetime) -> list[Send | Submit]:
        """Take one message as it came off the wire and say what is to be done. Raises nothing."""
        if len(raw) > FRAME_BYTES_MAX:
            return [Send(_said("", "too-large", "消息过长。", "The message is too long."))]
        try:
            frame = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [Send(_said("", "unreadable", f"无法识别的消息：{error}", f"The message cannot be read: {error}"))]
        if isinstance(frame, HallPing):
            return [Send(HallPong(frame.sent, at))]
        if self._bidder is None:
            return [Send(_said(frame.key, "not-a-bidder", "您只能观看，不能报价。", "You may watch but not offer."))]
        if self._pending is not None:
            zh, en = "上一次报价尚未得到答复，请稍候。", "Your last offer has not been answered yet; please wait."
            return [Send(_said(frame.key, "busy", zh, en, retry=True))]
        self._pending = frame
        command = offer_command(
            self._ref,
            self._bidder,
            price_fen=frame.price_fen,
            offer_key=frame.key,
            actor=self._actor,
            origin=self._origin,
            at=at,
        )
        return [Submit(command, self._answer)]

    def _answer(self, outcome: Outcome) -> msgspec.Struct:
        """Frame the outcome of the pending offer."""
        offer, self._pending = self._pending, None
        assert offer is not None
        if outcome.bug is not None:
            return _said(offer.key, "failed", "系统内部错误，请重试。", "Internal error; please try again.", retry=True)
        if outcome.problem is None:
            accepted = outcome.answer
            assert isinstance(accepted, Accepted)
            return accepted
        return self._accepted_before(offer) or _refused(offer.key, outcome.problem)

    def _accepted_before(self, offer: HallOffer) -> Accepted | None:
        assert self._bidder is not None
        supplier_id = self._bidder.supplier_id
        version = self._view.accepted(supplier_id, offer.key, offer.price_fen) if offer.resent else None
        if version is None:
            return None
        auction = self._view.auction
        return repeated(auction, supplier_id, key=offer.key, version=version, price_fen=offer.price_fen)


def _refused(key: str, problem: Problem) -> HallRefused:
    zh, en = problem.detail
    reason, highest = problem.members.get("reason", problem.code), problem.members.get("highest_allowed_fen")
    allowed = highest if isinstance(highest, int) else None
    return HallRefused(key, str(reason), zh, en, allowed, isinstance(problem, Unavailable))


def _said(key: str, reason: str, zh: str, en: str, *, retry: bool = False) -> HallRefused:
    return HallRefused(key, reason, zh, en, retry=retry)


async def _admit(kernel: Kernel, actor: Actor, origin: str, websocket: WebSocket) -> Entrance:
    """Show somebody into the hall that the path names. Raises ``NotFound`` for a stranger."""
    try:
        auction_id = UUID(websocket.path_params["auction_id"])
    except ValueError:
        raise NotFound("没有这场竞价。", "There is no such auction.") from None
    auction = await auction_of(kernel, actor, auction_id)
    bidder = bidder_of(actor)
    visit_id = websocket.query_params.get("visit")
    audience = part_in(auction, actor, bidder) or await audience_at(kernel, actor, auction_id, auction, visit_id)

    def converse(hall: Hall) -> LiveSession:
        assert isinstance(hall.view, AuctionHall)
        offering = bidder if audience.kind is Kind.BIDDER else None
        return HallSession(auction_id, offering, hall.view, actor=actor.journal, origin=origin)

    return Entrance(AUCTION.ref(auction_id), AuctionHall, audience, converse)


HALL: Final = hall_route("/api/auctions/{auction_id}/hall", _admit, action=Action.AUCTION_READ, name="auction_hall")
FRAMES: Final = (HallSnapshot, HallDelta, Accepted, HallRefused, HallPong, HallOffer, HallPing)
"""What goes over the hall's WebSocket, both ways; a refusal at the door is a problem document."""
