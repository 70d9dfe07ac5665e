from datetime import timedelta

import pytest

from kernel.runtime import Kernel
from market.auctions.lifecycle import AuctionStage, Cause
from market.auctions.worker import run_due
from tests.builders.market_auctions import MINUTE, SECOND, World, a_world, differences


@pytest.fixture
async def world(kernel: Kernel) -> World:
    return await a_world(kernel)


async def test_what_is_not_due_is_left_alone(world: World) -> None:
    await world.draft()
    await world.published()
    world.advance(59 * SECOND)

    assert await run_due(world.kernel) == 0


async def test_auctions_start_and_close_by_themselves_and_twice_is_harmless(world: World) -> None:
    auction_id = await world.closed()

    assert await run_due(world.kernel) == 0
    assert (await world.state(auction_id)).stage is AuctionStage.CLOSED
    assert await differences(world.kernel) == []


async def test_the_close_waits_for_the_drain_time(world: World) -> None:
    auction_id = await world.live(bidders_min=1)
    await world.offer(auction_id, 0, 900_000)
    drain = timedelta(seconds=world.kernel.settings.drain_s)

    world.advance(30 * MINUTE + drain - timedelta(microseconds=1))
    assert await run_due(world.kernel) == 0
    world.advance(timedelta(microseconds=1))
    assert await run_due(world.kernel) == 1


async def test_an_auction_short_of_bidders_is_extended_once_and_then_fails(world: World) -> None:
    auction_id = await world.live()
    await world.offer(auction_id, 0, 900_000)

    world.advance(31 * MINUTE)
    assert await run_due(world.kernel) == 1
    assert (await world.state(auction_id)).stage is AuctionStage.LIVE
    await world.offer(auction_id, 1, 900_000)
    world.advance(6 * MINUTE)
    assert await run_due(world.kernel) == 1

    state = await world.state(auction_id)
    assert (state.stage, state.cause) == (AuctionStage.FAILED, Cause.SHORT)
    assert await differences(world.kernel) == []


async def test_a_worker_that_was_away_for_the_whole_auction_extends_it_from_now(world: World) -> None:
    auction_id = await world.published()
    world.advance(timedelta(days=1))

    assert await run_due(world.kernel) == 1
    assert await run_due(world.kernel) == 1
    assert await run_due(world.kernel) == 0

    state = await world.state(auction_id)
    assert state.stage is AuctionStage.LIVE
    assert state.closes_at == world.kernel.clock.now() + 5 * MINUTE


async def test_two_workers_at_once_fire_once(world: World, make_kernel: object) -> None:
    assert callable(make_kernel)
    other = await make_kernel(world.kernel.clock)
    auction_id = await world.published()
    world.advance(MINUTE)

    fired = await run_due(world.kernel) + await run_due(other)

    assert fired == 1
    assert (await world.state(auction_id)).version == 3
