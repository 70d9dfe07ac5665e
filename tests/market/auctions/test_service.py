import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from kernel.access.actors import PUBLIC_ACTOR, Actor
from kernel.clock import BEIJING
from kernel.commit.by import By
from kernel.commit.command import Key
from kernel.problems import Conflict, Forbidden, Invalid, NotFound, Refused
from kernel.runtime import Kernel
from market.auctions import service
from market.auctions.lifecycle import Admission, AuctionStage, Item, MinimumStep, StepFrom, Visibility
from market.auctions.rules import HostRefusal, Refusal, TermsFault
from market.auctions.service import AUCTION, AuctionScope
from market.auctions.worker import run_due
from registries.organisations.service import suspend_organisation
from tests.builders.market_auctions import MINUTE, SECOND, World, a_world, differences
from tests.builders.registries import OPERATOR


@pytest.fixture
async def world(kernel: Kernel) -> World:
    return await a_world(kernel)


async def ids(world: World, actor: Actor, scope: AuctionScope, **filters: Any) -> list[UUID]:
    page = await service.list_auctions(
        world.kernel, actor, **{"scope": scope, "stage": None, "text": "", "cursor": None, "limit": 50, **filters}
    )
    return [row.auction_id for row in page.items]


async def test_a_whole_auction_is_rebuilt_from_the_journal_alone(world: World) -> None:
    auction_id = await world.closed()
    await service.award(world.kernel, world.by(), auction_id, "最低价")

    state = await world.state(auction_id)
    assert (state.stage, state.awarded_to) == (AuctionStage.AWARDED, world.suppliers[1].organisation_id)
    assert await differences(world.kernel) == []


async def test_every_act_of_the_purchaser_leaves_rows_that_follow_from_the_journal(world: World) -> None:
    withdrawn = await world.draft()
    await service.edit_draft(world.kernel, world.by(), withdrawn, world.terms(title="显示器"))
    await service.withdraw(world.kernel, world.by(), withdrawn, "预算调整")
    paused = await world.live()
    await service.pause(world.kernel, world.by(), paused, "查询")
    await service.resume(world.kernel, world.by(), paused, "")
    await service.pause(world.kernel, world.by(), paused, "查询")
    await service.fail(world.kernel, world.by(), paused, "不再采购")

    assert (await world.state(paused)).stage is AuctionStage.FAILED
    assert (await world.state(withdrawn)).terms.title == "显示器"
    assert await differences(world.kernel) == []


async def test_a_draft_of_another_purchaser_is_not_found(world: World, kernel: Kernel) -> None:
    auction_id = await world.draft()
    other = world.suppliers[0]

    assert await ids(world, world.purchaser, AuctionScope.MINE) == [auction_id]
    assert await ids(world, other, AuctionScope.ALL) == []
    with pytest.raises(NotFound):
        await service.detail(kernel, other, auction_id)
    with pytest.raises(NotFound):
        await service.publish(kernel, world.by(other), auction_id)
    with pytest.raises(NotFound):
        await world.offer(auction_id, 0, 900_000)


async def test_what_was_published_is_everybodys_to_see_and_the_purchasers_to_change(world: World) -> None:
    auction_id = await world.published()

    assert await ids(world, PUBLIC_ACTOR, AuctionScope.OPEN) == [auction_id]
    assert await ids(world, world.suppliers[0], AuctionScope.INVITED) == [auction_id]
    assert await ids(world, PUBLIC_ACTOR, AuctionScope.INVITED) == []
    assert await ids(world, PUBLIC_ACTOR, AuctionScope.ENDED) == []
    with pytest.raises(NotFound):
        await service.withdraw(world.kernel, world.by(world.suppliers[0]), auction_id, "预算调整")
    with pytest.raises(Forbidden):
        await service.withdraw(world.kernel, By(PUBLIC_ACTOR, "", world.kernel.clock.now()), auction_id, "预算调整")


async def test_lists_are_filtered_and_paged_from_the_newest(world: World) -> None:
    found = []
    for title in ("台式计算机", "打印机 100%", "显示器"):
        found.append(await world.published(title=title))
        world.advance(SECOND)

    assert await ids(world, PUBLIC_ACTOR, AuctionScope.ALL) == found[::-1]
    assert await ids(world, PUBLIC_ACTOR, AuctionScope.ALL, text="印机 100%") == [found[1]]
    assert await ids(world, PUBLIC_ACTOR, AuctionScope.ALL, text="%") == [found[1]]
    assert await ids(world, PUBLIC_ACTOR, AuctionScope.ALL, stage=AuctionStage.LIVE) == []
    first = await service.list_auctions(
        world.kernel, PUBLIC_ACTOR, scope=AuctionScope.ALL, stage=None, text="", cursor=None, limit=2
    )
    assert await ids(world, PUBLIC_ACTOR, AuctionScope.ALL, cursor=first.next, limit=2) == [found[0]]


async def test_a_supplier_finds_the_auctions_it_has_bid_in(world: World) -> None:
    auction_id = await world.live()
    await world.offer(auction_id, 0, 900_000)

    assert await ids(world, world.suppliers[0], AuctionScope.MINE) == [auction_id]
    assert await ids(world, world.suppliers[1], AuctionScope.MINE) == []


@pytest.mark.parametrize(("visibility", "best_fen"), [(Visibility.RANK, None), (Visibility.BEST, 900_000)])
async def test_a_list_shows_the_best_price_as_the_terms_allow_and_to_the_purchaser_always(
    world: World, visibility: Visibility, best_fen: int | None
) -> None:
    auction_id = await world.live(visibility=visibility)
    await world.offer(auction_id, 0, 900_000)

    async def best_for(actor: Actor) -> int | None:
        page = await service.list_auctions(
            world.kernel, actor, scope=AuctionScope.ALL, stage=None, text="", cursor=None, limit=5
        )
        detail = await service.detail(world.kernel, actor, auction_id)
        assert page.items[0].best_fen == detail.best_fen
        return detail.best_fen

    assert await best_for(PUBLIC_ACTOR) == await best_for(world.suppliers[1]) == best_fen
    assert await best_for(world.purchaser) == 900_000


async def test_only_the_purchaser_learns_who_is_invited(world: World) -> None:
    auction_id = await world.published()

    host = await service.detail(world.kernel, world.purchaser, auction_id)
    bidder = await service.detail(world.kernel, world.suppliers[0], auction_id)

    assert len(host.invited) == len(host.terms.invited) == 5
    assert host.hosting
    assert (bidder.invited, bidder.terms.invited, bidder.admitted) == ((), (), 5)
    assert bidder.you
    assert bidder.you.highest_allowed_fen == 1_000_000


async def test_who_is_invited_must_be_a_supplier(world: World) -> None:
    purchaser_id = world.purchaser.organisation_id

    with pytest.raises(Invalid) as error:
        await world.draft(invited=(purchaser_id, UUID(int=5)))

    assert error.value.members["unknown"] == [str(purchaser_id), str(UUID(int=5))]


async def test_faulty_terms_are_refused_with_their_fault(world: World) -> None:
    with pytest.raises(Invalid) as error:
        await world.draft(step_from=StepFrom.BEST, visibility=Visibility.RANK)
    assert error.value.members["reason"] == TermsFault.STEP_LEAKS_BEST

    auction_id = await world.draft()
    with pytest.raises(Invalid):
        await service.edit_draft(world.kernel, world.by(), auction_id, world.terms(step=MinimumStep()))


async def test_an_unknown_product_is_refused(world: World) -> None:
    with pytest.raises(Invalid) as error:
        await world.draft(items=(Item(1, product_id=UUID(int=1)),))

    assert error.value.members["reason"] == TermsFault.PRODUCT_UNKNOWN


async def test_an_unknown_agreement_admits_nobody(world: World) -> None:
    auction_id = await world.draft(admission=Admission.AGREEMENT, agreement_id=UUID(int=1), invited=())

    with pytest.raises(Refused) as error:
        await service.publish(world.kernel, world.by(), auction_id)

    assert error.value.members["reason"] == HostRefusal.AGREEMENT_INVALID


async def test_the_suspended_neither_publish_nor_are_awarded_to(world: World) -> None:
    kernel, winner = world.kernel, world.suppliers[1].organisation_id
    assert winner
    assert world.purchaser.organisation_id
    auction_id, draft = await world.closed(), await world.draft()

    await suspend_organisation(kernel, OPERATOR, winner, "核查")
    with pytest.raises(Refused) as award:
        await service.award(kernel, world.by(), auction_id, "最低价")
    await suspend_organisation(kernel, OPERATOR, world.purchaser.organisation_id, "核查")
    with pytest.raises(Refused) as publish:
        await service.publish(kernel, world.by(), draft)

    assert award.value.members["reason"] == HostRefusal.WINNER_SUSPENDED
    assert publish.value.members["reason"] == HostRefusal.SUSPENDED


async def test_a_refused_offer_names_the_reason_and_the_highest_price_allowed(world: World) -> None:
    auction_id = await world.live()
    await world.offer(auction_id, 0, 900_000)

    with pytest.raises(Refused) as error:
        await world.offer(auction_id, 0, 899_999)

    assert error.value.members == {"reason": Refusal.STEP_TOO_SMALL, "highest_allowed_fen": 895_000}


async def test_only_suppliers_offer(world: World) -> None:
    auction_id = await world.live()

    with pytest.raises(Forbidden):
        await service.offer(world.kernel, world.by(), auction_id, price_fen=1, offer_key="k", resent=False)


async def test_an_offer_sent_again_is_answered_again_and_written_once(world: World) -> None:
    auction_id = await world.live()
    first = await world.offer(auction_id, 0, 900_000, "k1")
    again = await world.offer(auction_id, 0, 900_000, "k1")
    await world.offer(auction_id, 0, 800_000, "k2")

    with pytest.raises(Refused):
        await world.offer(auction_id, 0, 900_000, "k1")
    resent = await world.offer(auction_id, 0, 900_000, "k1", resent=True)

    assert first == again
    assert (resent.version, resent.price_fen, resent.best_fen) == (first.version, 900_000, 800_000)
    assert (await world.state(auction_id)).offers == 2


async def test_a_resent_offer_that_never_arrived_is_refused_as_any_other(world: World) -> None:
    auction_id = await world.live()
    await world.offer(auction_id, 0, 900_000, "k1")

    for price_fen, key in ((900_000, "k2"), (899_999, "k1")):
        with pytest.raises(Refused):
            await world.offer(auction_id, 0, price_fen, key, resent=True)


async def test_an_idempotency_key_gives_the_first_answer_and_refuses_another_body(world: World) -> None:
    auction_id = await world.live()

    async def offer(price_fen: int, fingerprint: bytes) -> Any:
        by = msgspec.structs.replace(world.by(world.suppliers[0]), key=Key("user/1", "k1", fingerprint))
        return await service.offer(world.kernel, by, auction_id, price_fen=price_fen, offer_key="k1", resent=False)

    first = await offer(900_000, b"1")
    await world.offer(auction_id, 0, 800_000, "k2")

    assert await offer(900_000, b"1") == first
    with pytest.raises(Conflict):
        await offer(700_000, b"2")


async def test_the_record_opens_with_the_close_and_names_bidders_with_the_award(world: World) -> None:
    auction_id = await world.live()
    with pytest.raises(Refused):
        await service.record(world.kernel, PUBLIC_ACTOR, auction_id, cursor=None, limit=10)
    for number in range(3):
        await world.offer(auction_id, number, 900_000 - number)
    world.advance(31 * MINUTE)
    await run_due(world.kernel)

    closed = await service.record(world.kernel, PUBLIC_ACTOR, auction_id, cursor=None, limit=100)
    await service.award(world.kernel, world.by(), auction_id, "最低价")
    awarded = await service.record(world.kernel, PUBLIC_ACTOR, auction_id, cursor=None, limit=100)

    assert [line.kind for line in closed.items] == [
        *("auction.drafted", "auction.published", "auction.started"),
        *("auction.offered", "auction.offered", "auction.offered", "auction.closed"),
    ]
    assert [(line.label, line.price_fen, line.name) for line in closed.items[3:6]] == [
        (1, 900_000, None),
        (2, 899_999, None),
        (3, 899_998, None),
    ]
    assert [line.name for line in awarded.items[3:6]] == ["测试单位2", "测试单位3", "测试单位4"]
    assert (awarded.items[-1].name, awarded.items[-1].reason) == ("测试单位4", "最低价")
    assert (await service.detail(world.kernel, PUBLIC_ACTOR, auction_id)).winner == "测试单位4"


async def test_the_record_is_read_in_pages(world: World) -> None:
    auction_id = await world.closed()
    whole = await service.record(world.kernel, PUBLIC_ACTOR, auction_id, cursor=None, limit=100)

    first = await service.record(world.kernel, PUBLIC_ACTOR, auction_id, cursor=None, limit=4)
    rest = await service.record(world.kernel, PUBLIC_ACTOR, auction_id, cursor=first.next, limit=4)

    assert first.items + rest.items == whole.items
    assert rest.next is None


async def test_a_punctual_offer_starts_the_auction_before_the_worker_does(world: World) -> None:
    auction_id = await world.published()
    world.advance(MINUTE)

    accepted = await world.offer(auction_id, 0, 900_000)

    assert accepted.version == 4
    assert await run_due(world.kernel) == 0
    assert await differences(world.kernel) == []


async def test_three_processes_on_one_auction_lose_nothing_keep_the_order_and_none_starves(make_kernel: Any) -> None:
    one = await make_kernel()
    kernels = [one, await make_kernel(one.clock), await make_kernel(one.clock)]
    world = await a_world(one, suppliers=9)
    auction_id = await world.live(step=MinimumStep(amount_fen=1), ceiling_fen=1_000_000)
    acknowledged: list[int] = []

    async def bid(number: int) -> None:
        here = world._replace(kernel=kernels[number % 3])
        for turn in range(40):
            accepted = await here.offer(auction_id, number, 999_000 - turn * 100 - number)
            acknowledged.append(accepted.version)

    await asyncio.gather(*(bid(number) for number in range(9)))

    state = await world.state(auction_id)
    assert state.offers == len(acknowledged) == 360
    assert sorted(acknowledged) == list(range(4, 364))
    assert [rung.price_fen for rung in state.ladder] == [999_000 - 3_900 - number for number in range(8, -1, -1)]
    assert await differences(one) == []


async def test_a_state_is_read_as_of_one_moment_while_offers_come_in(world: World) -> None:
    auction_id = await world.live(step=MinimumStep(amount_fen=1))
    done = asyncio.Event()

    async def bid(number: int) -> None:
        for turn in range(40):
            await world.offer(auction_id, number, 900_000 - turn * 10 - number)

    async def read() -> None:
        while not done.is_set():
            version, state = (await AUCTION.load(world.kernel.db.pool, [auction_id]))[auction_id]
            assert version - 3 == state.offers == sum(place.offers for place in state.standings.values())

    reading = asyncio.create_task(read())
    await asyncio.gather(*(bid(number) for number in range(5)))
    done.set()
    await reading


async def test_a_batch_over_many_auctions_saves_each_of_them(world: World) -> None:
    auctions = [await world.published(step=MinimumStep(amount_fen=1)) for _ in range(6)]
    world.advance(MINUTE)

    await asyncio.gather(
        *(
            world.offer(auction_id, number, 900_000 - turn)
            for turn in range(4)
            for auction_id in auctions
            for number in range(5)
        )
    )

    states = await AUCTION.load(world.kernel.db.pool, auctions)
    assert [states[auction_id].state.offers for auction_id in auctions] == [20] * 6
    assert await differences(world.kernel) == []


async def test_rows_that_no_rule_would_write_are_refused_by_the_database(world: World, owner: Any) -> None:

    auction_id = await world.live()
    await world.offer(auction_id, 0, 900_000)

    for table, broken in (
        ("auctions", "next_due_at = null"),
        ("auctions", "stage = 'paused'"),
        ("auctions", "stage = 'gone'"),
        ("auctions", "stage = 'awarded', next_due_at = null"),
        ("auctions", "closes_at = null"),
        ("auctions", "ceiling_fen = 0"),
        ("auction_standings", "best_fen = ceiling_fen + 1"),
        ("auction_standings", "best_fen = 0"),
        ("auction_standings", "offers = bidders - 1"),
        ("auction_standings", "version = 0"),
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(f"update {table} set {broken} where id = $1", auction_id)


async def test_a_tampered_row_is_found(world: World, owner: Any) -> None:
    auction_id = await world.closed()
    await owner.execute("update auction_standings set standings = replace(standings, '\"label\":2', '\"label\":3')")

    (difference,) = await differences(world.kernel)

    assert str(auction_id) in difference.stream


async def test_terms_start_in_utc_whatever_was_typed(world: World) -> None:

    starts_at = (world.kernel.clock.now() + timedelta(hours=1)).astimezone(BEIJING)
    auction_id = await world.draft(starts_at=starts_at)

    stored = (await world.state(auction_id)).terms.starts_at
    assert stored == starts_at
    assert stored.utcoffset() == timedelta(0)
    assert msgspec.json.encode(stored).endswith(b'Z"')
