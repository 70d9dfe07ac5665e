"""A suspension holds from its commit on, in orders and in halls; what is open is finished."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.access.actors import Actor, Role
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.journal.streams import StreamKind
from kernel.journal.verify import Difference, verify_kind
from kernel.problems import NotFound, Refused
from kernel.runtime import Kernel
from market.auctions import service as auctions
from market.auctions.lifecycle import AuctionStage
from market.auctions.service import AUCTION
from market.auctions.worker import run_due as run_auctions
from market.orders.lifecycle import Step
from market.standing import service
from market.standing.worker import run_due
from registries.organisations.lifecycle import Kind, Status
from registries.organisations.service import ORGANISATION
from tests.builders.market_auctions import MINUTE, World, a_world
from tests.builders.market_orders import a_trade, an_order_of, step
from tests.builders.registries import register


def a_supervisor(region: str = "330100") -> Actor:
    return Actor(UUID(int=77), "super", "周监督", UUID(int=78), "杭州市财政局", region, (Role.SUPERVISOR,))


def by(kernel: Kernel, actor: Actor | None = None) -> By:
    return By(actor or a_supervisor(), "192.0.2.7", kernel.clock.now())


async def suspend(kernel: Kernel, organisation_id: UUID | None, until: date | None = None) -> service.Standing:
    assert organisation_id
    return await service.suspend(kernel, by(kernel), organisation_id, reason="恶意串通", until=until)


KINDS: tuple[StreamKind[Any, Any], ...] = (ORGANISATION, AUCTION)


async def sound(kernel: Kernel) -> bool:
    async with kernel.db.pool.acquire() as connection:
        found = [d for kind in KINDS for d in [one async for one in verify_kind(connection, kind)]]
    return not [one for one in found if isinstance(one, Difference)]


@pytest.fixture
async def world(kernel: Kernel) -> World:
    return await a_world(kernel)


async def refusal(offering: Any) -> object:
    with pytest.raises(Refused) as refused:
        await offering
    return refused.value.members["reason"]


async def test_a_suspended_supplier_offers_no_more_and_what_it_offered_stands(world: World, kernel: Kernel) -> None:
    auction_id = await world.live()
    supplier = world.suppliers[0].organisation_id
    await world.offer(auction_id, 0, 900_000)

    assert (await suspend(kernel, supplier)).auctions == 1
    assert await refusal(world.offer(auction_id, 0, 800_000)) == "supplier-suspended"
    assert (await world.offer(auction_id, 1, 850_000)).rank == 1
    state = await world.state(auction_id)
    assert (supplier in state.barred, len(state.standings)) == (True, 2)

    assert supplier
    assert (await service.reinstate(kernel, by(kernel), supplier, reason="撤销处罚")).auctions == 1
    assert (await world.offer(auction_id, 0, 700_000)).rank == 1
    assert await sound(kernel)


async def test_a_supplier_that_has_not_offered_yet_is_kept_out_as_well(world: World, kernel: Kernel) -> None:
    auction_id = await world.published()
    await suspend(kernel, world.suppliers[2].organisation_id)
    world.advance(MINUTE)
    await run_auctions(kernel)

    assert await refusal(world.offer(auction_id, 2, 900_000)) == "supplier-suspended"


async def test_an_offer_and_a_suspension_at_once_have_an_order(world: World, kernel: Kernel) -> None:
    """Whichever is first, no offer comes behind the suspension."""
    auction_id = await world.live()
    tries = await asyncio.gather(
        *(world.offer(auction_id, 0, 900_000 - 10_000 * number) for number in range(5)),
        suspend(kernel, world.suppliers[0].organisation_id),
        *(world.offer(auction_id, 0, 800_000 - 10_000 * number) for number in range(5)),
        return_exceptions=True,
    )
    assert not isinstance(tries[5], Exception)
    events = [
        row["kind"]
        for row in await kernel.db.pool.fetch(
            "select kind from journal where stream = $1 order by version", f"auction/{auction_id}"
        )
    ]
    assert events[-1] == "auction.barred"
    assert await sound(kernel)


async def test_the_winner_of_a_closed_auction_is_not_awarded_to_while_suspended(world: World, kernel: Kernel) -> None:
    auction_id = await world.closed()
    await suspend(kernel, world.suppliers[1].organisation_id)

    assert await refusal(auctions.award(kernel, world.by(), auction_id, "最低价")) == "winner-suspended"


async def test_an_auction_that_was_published_meanwhile_is_told_by_the_worker(world: World, kernel: Kernel) -> None:
    draft = await world.draft()
    await suspend(kernel, world.suppliers[0].organisation_id)
    await auctions.publish(kernel, world.by(), draft)

    assert await run_due(kernel) == 1
    assert (await world.state(draft)).barred == {world.suppliers[0].organisation_id}
    assert await run_due(kernel) == 0
    assert await sound(kernel)


async def test_a_suspension_ends_with_its_last_day_and_the_auctions_learn_of_it(world: World, kernel: Kernel) -> None:
    auction_id = await world.published(starts_at=kernel.clock.now() + timedelta(days=3))
    supplier = world.suppliers[0].organisation_id
    await suspend(kernel, supplier, until=date(2026, 11, 24))
    clock = kernel.clock
    assert isinstance(clock, ManualClock)
    midnight = datetime.fromisoformat("2026-11-25T00:00:00+08:00")

    clock.advance(midnight - clock.now() - timedelta(milliseconds=1))
    assert await run_due(kernel) == 0
    clock.advance(timedelta(milliseconds=1))
    assert await run_due(kernel) == 1
    assert await run_due(kernel) == 0
    assert (await world.state(auction_id)).barred == frozenset()
    assert supplier
    assert (await ORGANISATION.load(kernel.db.pool, [supplier]))[supplier].state.status is Status.ACTIVE
    assert await sound(kernel)


async def test_a_planned_suspension_begins_with_its_first_day_and_ends_with_its_last(
    world: World, kernel: Kernel
) -> None:
    auction_id = await world.published(starts_at=kernel.clock.now() + timedelta(days=6))
    supplier, clock = world.suppliers[0].organisation_id, kernel.clock
    assert supplier
    assert isinstance(clock, ManualClock)
    first, last = date(2026, 11, 25), date(2026, 11, 26)
    done = await service.plan(kernel, by(kernel), supplier, reason="恶意串通", start=first, until=last)
    assert (done.status, done.auctions) == (Status.ACTIVE, 0)

    seen = []
    for moment in ("2026-11-25T00:00:00+08:00", "2026-11-27T00:00:00+08:00"):
        clock.advance(datetime.fromisoformat(moment) - clock.now() - timedelta(milliseconds=1))
        assert await run_due(kernel) == 0
        seen.append((await world.state(auction_id)).barred)
        clock.advance(timedelta(milliseconds=1))
        assert sum(await asyncio.gather(run_due(kernel), run_due(kernel))) == 1
        seen.append((await world.state(auction_id)).barred)
        assert await run_due(kernel) == 0

    assert seen == [frozenset(), {supplier}, {supplier}, frozenset()]
    assert (await ORGANISATION.load(kernel.db.pool, [supplier]))[supplier].state.status is Status.ACTIVE
    assert await sound(kernel)


async def test_a_planned_suspension_that_is_cancelled_does_not_come(world: World, kernel: Kernel) -> None:
    supplier, clock = world.suppliers[0].organisation_id, kernel.clock
    assert supplier
    assert isinstance(clock, ManualClock)
    ask: Any = {"reason": "恶意串通", "start": date(2026, 11, 25), "until": None}
    await service.plan(kernel, by(kernel), supplier, **ask)
    assert await refusal(service.plan(kernel, by(kernel), supplier, **ask)) == "planned-already"
    await service.cancel(kernel, by(kernel), supplier, reason="复议撤销")
    assert await refusal(service.cancel(kernel, by(kernel), supplier, reason="x")) == "nothing-planned"

    clock.advance(timedelta(days=3))
    assert await run_due(kernel) == 0
    assert (await ORGANISATION.load(kernel.db.pool, [supplier]))[supplier].state.status is Status.ACTIVE
    assert await sound(kernel)


async def test_a_suspended_supplier_gets_no_order_and_finishes_those_it_has(kernel: Kernel) -> None:
    trade = await a_trade(kernel)
    order_id = await an_order_of(kernel, trade)
    await step(kernel, trade.supplier, order_id, Step.ACCEPT)
    await suspend(kernel, trade.supplier.organisation_id)

    assert await refusal(an_order_of(kernel, trade)) in {"supplier-suspended", "not-for-sale"}
    await step(kernel, trade.supplier, order_id, Step.SHIP)
    await step(kernel, trade.purchaser, order_id, Step.RECEIVE)


async def test_who_is_outside_the_region_finds_nothing_to_suspend(world: World, kernel: Kernel) -> None:
    stranger = by(kernel, a_supervisor("330200"))
    id_ = world.suppliers[0].organisation_id
    assert id_
    for act in (
        service.suspend(kernel, stranger, id_, reason="x", until=None),
        service.plan(kernel, stranger, id_, reason="x", start=date(2026, 12, 1), until=None),
        service.cancel(kernel, stranger, id_, reason="x"),
        service.reinstate(kernel, stranger, id_, reason="x"),
        service.deregister(kernel, stranger, id_, reason="x"),
        service.suspend(kernel, by(kernel), UUID(int=5), reason="x", until=None),
    ):
        with pytest.raises(NotFound):
            await act


async def test_a_supervisor_is_nobodys_to_suspend(kernel: Kernel) -> None:
    id_ = await register(kernel, 9, Kind.SUPERVISOR, "330100")
    with pytest.raises(NotFound):
        await service.suspend(kernel, by(kernel, a_supervisor("330000")), id_, reason="x", until=None)


async def test_who_leaves_takes_part_in_nothing_new_and_is_struck_off_when_all_is_done(kernel: Kernel) -> None:
    trade = await a_trade(kernel)
    order_id = await an_order_of(kernel, trade)
    id_ = trade.supplier.organisation_id
    assert id_
    own = by(kernel, trade.supplier)
    assert (await service.leave(kernel, own, reason="歇业")).status is Status.LEAVING
    assert (await service.stay(kernel, own)).status is Status.ACTIVE
    await service.leave(kernel, own, reason="歇业")

    assert await refusal(an_order_of(kernel, trade)) in {"supplier-suspended", "not-for-sale"}
    assert await refusal(service.deregister(kernel, by(kernel), id_, reason="歇业")) == "still-open"
    await step(kernel, trade.purchaser, order_id, Step.CANCEL, reason="不再需要")
    assert (await service.deregister(kernel, by(kernel), id_, reason="歇业")).status is Status.DEREGISTERED
    assert await sound(kernel)


async def test_a_live_auction_keeps_a_bidder_from_being_struck_off(world: World, kernel: Kernel) -> None:
    auction_id = await world.closed()
    id_ = world.suppliers[0].organisation_id
    assert id_
    await suspend(kernel, id_)
    assert await refusal(service.deregister(kernel, by(kernel), id_, reason="x")) == "still-open"
    await auctions.award(kernel, world.by(), auction_id, "最低价")
    assert (await world.state(auction_id)).stage is AuctionStage.AWARDED
    assert (await service.deregister(kernel, by(kernel), id_, reason="x")).status is Status.DEREGISTERED


async def test_who_belongs_to_no_organisation_does_not_leave(kernel: Kernel) -> None:
    nobody = Actor(UUID(int=1), "x", "x", None, "", "", (Role.ADMINISTRATOR,))
    with pytest.raises(NotFound):
        await service.leave(kernel, by(kernel, nobody), reason="歇业")
