"""The hall without I/O: what each audience sees, and one connection's conversation."""

from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import PUBLIC_ACTOR, Actor, Role
from kernel.commit.batch import Batch, Outcome
from kernel.journal.streams import Recorded, Versioned
from kernel.live.audience import HOST, PUBLIC, SUPERVISOR, Audience
from kernel.live.audience import Standing as Kind
from kernel.live.session import Send, Submit
from kernel.problems import Unavailable
from market.auctions.lifecycle import (
    AuctionStage,
    Awarded,
    Closed,
    Event,
    Extension,
    MinimumStep,
    Paused,
    Resumed,
    StepFrom,
    Visibility,
)
from market.auctions.live import (
    DELTA_OFFERS_MAX,
    FRAME_BYTES_MAX,
    RECOGNISED_MAX,
    SNAPSHOT_OFFERS_MAX,
    AuctionHall,
    HallDelta,
    HallPlace,
    HallPong,
    HallRefused,
    HallSession,
    HallSnapshot,
    part_in,
)
from market.auctions.rules import Accepted, Offer, Refusal, decide_offer
from market.auctions.service import AUCTION, Bidder, refused
from tests.builders.market_auctions import (
    MINUTE,
    NOON,
    PURCHASER,
    SECOND,
    a_supplier,
    an_auction,
    an_offer,
    events_of_a_live_auction,
)

T = TypeVar("T", HallSnapshot, HallDelta)
FIRST = Audience(Kind.BIDDER, a_supplier(1))
SECOND_BIDDER = Audience(Kind.BIDDER, a_supplier(2))


class Room:
    """A hall with a journal that tests write into."""

    def __init__(self, **terms: Any) -> None:
        self.hall = AuctionHall()
        self.at = NOON
        for event, at in events_of_a_live_auction(**terms):
            self.hall.apply([Recorded(self.hall.version + 1, at, event)])

    def happen(self, *events: Event, at: datetime | None = None) -> None:
        for event in events:
            self.hall.apply([Recorded(self.hall.version + 1, at or self.at, event)])

    def offer(self, offer: Offer, at: datetime | None = None) -> None:
        decision = decide_offer(self.hall.auction, offer, at or self.at)
        assert not isinstance(decision, Refusal), decision
        self.happen(*decision[1], at=at)

    def snapshot(self, audience: Audience) -> HallSnapshot:
        return read(self.hall.snapshot(audience), HallSnapshot)

    def delta(self, audience: Audience, after: int) -> HallDelta:
        found = self.hall.delta(audience, after)
        assert found is not None
        return read(found, HallDelta)


def read(frame: T, type_: type[T]) -> T:
    """What a client reads of a frame."""
    return msgspec.json.decode(msgspec.json.encode(frame), type=type_)


def three_offers(**terms: Any) -> Room:
    room = Room(**terms)
    for price_fen, bidder in ((900_000, 1), (800_000, 2), (850_000, 3)):
        room.offer(an_offer(price_fen, bidder))
    return room


# What is seen.


def test_with_ranks_alone_nobody_but_the_host_sees_a_price() -> None:
    room = three_offers(visibility=Visibility.RANK)

    for audience in (PUBLIC, FIRST):
        raw = msgspec.json.encode(room.hall.snapshot(audience))
        assert b"800000" not in raw
        assert b"850000" not in raw
    bidder = room.snapshot(FIRST)
    assert bidder.scene.ladder == (HallPlace(2), HallPlace(3), HallPlace(1))
    assert [line.price_fen for line in bidder.offers] == [None, None, None]
    assert bidder.scene.best_fen is None
    assert bidder.you
    assert (bidder.you.label, bidder.you.rank, bidder.you.price_fen) == (1, 3, 900_000)


def test_with_the_best_price_alone_nobody_but_the_host_sees_ranks_or_other_prices() -> None:
    room = three_offers(visibility=Visibility.BEST)

    bidder = room.snapshot(FIRST)
    assert b"850000" not in msgspec.json.encode(room.hall.snapshot(FIRST))
    assert bidder.scene.ladder is None
    assert (bidder.scene.best_fen, bidder.scene.best_label) == (800_000, 2)
    assert [line.price_fen for line in bidder.offers] == [900_000, 800_000]
    assert bidder.left_out == 1
    assert bidder.you
    assert bidder.you.rank is None


def test_with_both_the_prices_of_the_others_stay_hidden_but_the_best() -> None:
    room = three_offers(visibility=Visibility.BOTH)

    scene = room.snapshot(PUBLIC).scene

    assert scene.ladder == (HallPlace(2, 800_000), HallPlace(3), HallPlace(1))
    assert b"850000" not in msgspec.json.encode(room.hall.snapshot(PUBLIC))


@pytest.mark.parametrize("visibility", Visibility)
def test_the_host_sees_every_price_by_label_and_no_name(visibility: Visibility) -> None:
    room = three_offers(visibility=visibility)

    host = room.snapshot(HOST)

    assert host.scene.ladder == (HallPlace(2, 800_000), HallPlace(3, 850_000), HallPlace(1, 900_000))
    assert [line.price_fen for line in host.offers] == [900_000, 800_000, 850_000]
    assert "有限公司".encode() not in msgspec.json.encode(room.hall.snapshot(HOST))


@pytest.mark.parametrize("visibility", Visibility)
def test_after_the_close_everybody_sees_prices_and_after_the_award_names(visibility: Visibility) -> None:
    room = three_offers(visibility=visibility)

    room.happen(Closed(3))
    closed = room.snapshot(PUBLIC).scene
    room.happen(Awarded(a_supplier(2), "供应商2有限公司", 800_000, "最低价"))
    awarded = room.snapshot(PUBLIC)

    assert closed.ladder == (HallPlace(2, 800_000), HallPlace(3, 850_000), HallPlace(1, 900_000))
    assert awarded.scene.winner == HallPlace(2, 800_000, "供应商2有限公司")
    assert awarded.scene.ladder
    assert [place.name for place in awarded.scene.ladder] == [f"供应商{n}有限公司" for n in (2, 3, 1)]
    assert awarded.notices[-1].reason == "最低价"


def test_a_bidder_sees_its_own_place_before_its_first_offer_too() -> None:
    room = Room()

    you = room.snapshot(FIRST).you

    assert you
    assert (you.highest_allowed_fen, you.label, you.rank) == (1_000_000, None, None)
    assert room.snapshot(PUBLIC).you is None


# Deltas.


def test_a_delta_carries_the_offers_since_and_the_scene_as_it_is_now() -> None:
    room = three_offers()
    before = room.hall.version
    room.offer(an_offer(700_000, 1), NOON + SECOND)

    delta = room.delta(PUBLIC, before)

    assert (delta.after, delta.version, delta.left_out) == (before, before + 1, 0)
    assert [(line.label, line.price_fen, line.best) for line in delta.offers] == [(1, 700_000, True)]
    assert (delta.scene.best_fen, delta.scene.offers) == (700_000, 4)


def test_a_snapshot_and_a_delta_from_any_version_lead_to_the_same_scene() -> None:
    room = three_offers()
    room.happen(Paused("查询", 60_000))
    room.happen(Resumed("", NOON + 30 * MINUTE))
    room.offer(an_offer(700_000, 1), NOON + SECOND)

    for audience in (PUBLIC, HOST, FIRST):
        scene = room.snapshot(audience).scene
        for after in range(1, room.hall.version):
            assert room.delta(audience, after).scene == scene


def test_a_delta_lists_the_last_offers_and_counts_the_others() -> None:
    room = Room(step=MinimumStep(amount_fen=1))
    before = room.hall.version
    for turn in range(SNAPSHOT_OFFERS_MAX + 10):
        room.offer(an_offer(900_000 - turn, 1))

    delta, snapshot = room.delta(PUBLIC, before), room.snapshot(PUBLIC)

    assert len(delta.offers) == DELTA_OFFERS_MAX
    assert delta.left_out == SNAPSHOT_OFFERS_MAX + 10 - DELTA_OFFERS_MAX
    assert delta.offers[-1].version == room.hall.version
    assert (len(snapshot.offers), snapshot.left_out) == (SNAPSHOT_OFFERS_MAX, 10)


def test_an_offer_that_does_not_beat_the_best_tells_only_its_bidder_and_the_host() -> None:
    room = three_offers(visibility=Visibility.BEST)
    before = room.hall.version
    room.offer(an_offer(840_000, 3))

    assert room.hall.delta(PUBLIC, before) is None
    assert room.hall.delta(FIRST, before) is None
    own = room.delta(Audience(Kind.BIDDER, a_supplier(3)), before)
    assert own.you
    assert own.you.price_fen == 840_000
    assert room.delta(HOST, before).offers[0].price_fen == 840_000


def test_nothing_new_is_no_frame() -> None:
    room = three_offers()

    assert all(room.hall.delta(audience, room.hall.version) is None for audience in (PUBLIC, HOST, FIRST))


def test_an_extension_is_announced_even_by_an_offer_that_is_not_seen() -> None:
    room = three_offers(visibility=Visibility.BEST)
    before = room.hall.version
    room.offer(an_offer(840_000, 3), NOON + 29 * MINUTE)

    delta = room.delta(PUBLIC, before)

    assert delta.offers == ()
    assert [(notice.kind, notice.closes_at) for notice in delta.notices] == [("moved", NOON + 32 * MINUTE)]
    assert delta.scene.closes_at == NOON + 32 * MINUTE


def test_a_pause_is_announced_with_its_reason_and_what_remains() -> None:
    room = three_offers()
    before = room.hall.version
    room.happen(Paused("查询", 60_000))

    delta = room.delta(PUBLIC, before)

    assert [(notice.kind, notice.reason) for notice in delta.notices] == [("paused", "查询")]
    assert (delta.scene.stage, delta.scene.remaining_ms, delta.scene.closes_at) == (AuctionStage.PAUSED, 60_000, None)


def test_what_bidders_share_is_encoded_once_for_all_of_them() -> None:
    room = three_offers()
    before = room.hall.version
    room.offer(an_offer(700_000, 1))

    one, other = room.hall.delta(FIRST, before), room.hall.delta(SECOND_BIDDER, before)

    assert one is not None
    assert other is not None
    assert one.scene is other.scene
    assert one.offers is other.offers
    assert one.you != other.you


def test_events_come_in_order() -> None:
    room = Room()

    with pytest.raises(AssertionError):
        room.hall.apply([Recorded(room.hall.version + 2, NOON, Closed(0))])


# Who is who.


def somebody(organisation_id: UUID | None, role: Role, region: str = "330100") -> Actor:
    return Actor(UUID(int=1), "somebody", "某人", organisation_id, "某单位", region, (role,))


def test_a_hall_knows_its_host_its_bidders_and_the_public() -> None:
    auction = an_auction()

    def seen_as(organisation: int, *, supplier: bool) -> Audience:
        id_ = PURCHASER if organisation == 0 else a_supplier(organisation)
        role = Role.SUPPLIER if supplier else Role.PURCHASER
        part = part_in(auction, somebody(id_, role), Bidder(id_, "") if supplier else None)
        return part or PUBLIC

    assert seen_as(0, supplier=False) == HOST
    assert seen_as(1, supplier=True) == FIRST
    assert seen_as(6, supplier=True) == PUBLIC
    assert seen_as(1, supplier=False) == PUBLIC
    assert part_in(auction, PUBLIC_ACTOR, None) is None


@pytest.mark.parametrize("role", Role)
def test_nobody_is_a_party_to_an_auction_by_looking_after_its_region(role: Role) -> None:
    auction = msgspec.structs.replace(an_auction(), region="330102")
    assert part_in(auction, somebody(UUID(int=77), role, "330100"), None) is None


@pytest.mark.parametrize("visibility", Visibility)
def test_a_supervisor_sees_what_the_host_sees_and_others_see_no_more_for_it(visibility: Visibility) -> None:
    room, without = three_offers(visibility=visibility), three_offers(visibility=visibility)

    seen = room.snapshot(SUPERVISOR)
    news = room.delta(SUPERVISOR, 3)

    assert msgspec.structs.replace(seen, audience=HOST.kind) == room.snapshot(HOST)
    assert news == room.delta(HOST, 3)
    assert seen.you is None
    assert "有限公司".encode() not in msgspec.json.encode(room.hall.snapshot(SUPERVISOR))
    for audience in (PUBLIC, FIRST):
        assert msgspec.json.encode(room.hall.snapshot(audience)) == msgspec.json.encode(without.hall.snapshot(audience))
        assert msgspec.json.encode(room.hall.delta(audience, 3)) == msgspec.json.encode(without.hall.delta(audience, 3))


# The conversation.


class Desk:
    """A bidder's connection, and an auction that decides at once."""

    def __init__(self, bidder: int | None = 1, room: Room | None = None) -> None:
        self.room = room or Room()
        supplier = Bidder(a_supplier(bidder), f"供应商{bidder}有限公司") if bidder else None
        auction_id = a_supplier(99)
        self.ref = AUCTION.ref(auction_id)
        self.session = HallSession(auction_id, supplier, self.room.hall, actor="user/1", origin="192.0.2.1")

    def say(self, text: str) -> msgspec.Struct | Submit:
        (effect,) = self.session.receive(text.encode(), NOON)
        return effect.message if isinstance(effect, Send) else effect

    def ask(self, text: str) -> msgspec.Struct:
        """Say something that is submitted, and have it decided and applied."""
        submit = self.say(text)
        assert isinstance(submit, Submit)
        hall = self.room.hall
        batch = Batch({self.ref: Versioned(hall.version, hall.auction)})
        outcome = batch.decide(submit.command)
        for recorded in batch.recorded.get(self.ref, ()):
            hall.apply([recorded])
        return submit.reply(outcome)


def offer_frame(price_fen: int, key: str = "k1", **more: Any) -> str:
    return msgspec.json.encode({"type": "offer", "key": key, "price_fen": price_fen, **more}).decode()


def test_an_accepted_offer_is_answered_with_its_version() -> None:
    desk = Desk()

    answer = desk.ask(offer_frame(900_000))

    assert answer == Accepted("k1", 4, 900_000, NOON + 30 * MINUTE, 900_000, 1)
    assert msgspec.json.decode(msgspec.json.encode(answer))["type"] == "accepted"


def test_a_refused_offer_says_why_in_both_languages_and_what_would_do() -> None:
    desk = Desk()
    desk.ask(offer_frame(900_000))

    answer = desk.ask(offer_frame(899_000, "k2"))

    assert isinstance(answer, HallRefused)
    assert (answer.key, answer.reason, answer.highest_allowed_fen) == ("k2", "step-too-small", 895_000)
    assert answer.detail_zh
    assert answer.detail_en


def test_a_bidder_has_one_unanswered_offer_a_connection() -> None:
    desk = Desk()
    pending = desk.say(offer_frame(900_000))
    assert isinstance(pending, Submit)

    busy = desk.say(offer_frame(800_000, "k2"))
    assert isinstance(busy, HallRefused)
    assert (busy.key, busy.reason, busy.retry) == ("k2", "busy", True)

    pending.reply(Outcome(problem=refused(Refusal.CLOSED, desk.room.hall.auction, a_supplier(1))))
    assert isinstance(desk.say(offer_frame(800_000, "k2")), Submit)


def test_an_offer_sent_again_is_recognised_though_others_followed_it() -> None:
    desk = Desk(room=Room(step=MinimumStep(amount_fen=1)))
    first = desk.ask(offer_frame(900_000, "k0"))
    assert isinstance(first, Accepted)
    for turn in range(1, RECOGNISED_MAX):
        desk.ask(offer_frame(900_000 - turn, f"k{turn}"))

    resent = desk.ask(offer_frame(900_000, "k0", resent=True))
    assert isinstance(resent, Accepted)
    assert resent.version == first.version
    for text in (offer_frame(900_000, "k0"), offer_frame(899_999, "k0", resent=True)):
        assert isinstance(desk.ask(text), HallRefused)

    desk.ask(offer_frame(800_000, "last"))
    assert isinstance(desk.ask(offer_frame(900_000, "k0", resent=True)), HallRefused)


def test_a_full_service_says_that_the_same_offer_may_be_sent_again() -> None:
    desk = Desk()
    for outcome in (Outcome(problem=Unavailable("系统繁忙。", "Busy.")), Outcome(bug=ValueError("x"))):
        pending = desk.say(offer_frame(900_000))
        assert isinstance(pending, Submit)
        answer = pending.reply(outcome)
        assert isinstance(answer, HallRefused)
        assert answer.retry


def test_a_ping_comes_back_with_the_servers_time() -> None:
    assert Desk().say('{"type":"ping","sent":12.5}') == HallPong(12.5, NOON)


def test_who_only_watches_cannot_offer() -> None:
    answer = Desk(bidder=None).say(offer_frame(900_000))

    assert isinstance(answer, HallRefused)
    assert answer.reason == "not-a-bidder"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"offer"',
        '{"type":"bid"}',
        '{"type":"offer"}',
        offer_frame(0),
        offer_frame(-1),
        offer_frame(10**15 + 1),
        offer_frame(1, ""),
        offer_frame(1, "k" * 65),
        offer_frame(1, "报价"),
        offer_frame(1, supplier_id="x"),
        '{"type":"offer","key":"k","price_fen":1.5}',
        '{"type":"ping","sent":-1}',
        '{"type":"ping","sent":"now"}',
    ],
)
def test_what_cannot_be_read_is_refused_and_harms_nothing(text: str) -> None:
    answer = Desk().say(text)

    assert isinstance(answer, HallRefused)
    assert answer.reason == "unreadable"


def test_bytes_that_are_no_text_and_messages_too_long_are_refused() -> None:
    session = Desk().session

    for raw, reason in ((b'{"type":"\xff"}', "unreadable"), (b" " * (FRAME_BYTES_MAX + 1), "too-large")):
        (effect,) = session.receive(raw, NOON)
        assert isinstance(effect, Send)
        assert isinstance(effect.message, HallRefused)
        assert effect.message.reason == reason


def test_an_offer_of_a_pause_ago_is_answered_without_a_close() -> None:
    desk = Desk(room=Room(extension=Extension(0, 0, 0), step_from=StepFrom.OWN))
    desk.ask(offer_frame(900_000))
    desk.room.happen(Paused("查询", 60_000))

    answer = desk.ask(offer_frame(900_000))

    assert isinstance(answer, Accepted)
    assert answer.closes_at is None


def test_lines_of_long_ago_are_forgotten_by_time_of_version_not_by_clock() -> None:
    room = Room(step=MinimumStep(amount_fen=1))
    room.offer(an_offer(900_000, 1), NOON + timedelta(seconds=5))
    room.offer(an_offer(900_000, 2), NOON + timedelta(seconds=1))

    assert [line.label for line in room.snapshot(PUBLIC).offers] == [1, 2]
    assert [place.label for place in room.snapshot(HOST).scene.ladder or ()] == [2, 1]
