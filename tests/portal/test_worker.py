"""The worker: what is due is fired once however many look for it, and one job's failure is its own."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from kernel.clock import ManualClock
from kernel.commit.command import Key
from kernel.problems import Conflict
from kernel.runtime import Kernel
from market.auctions.lifecycle import AuctionStage
from portal import worker as worker_module
from portal.app import DUE
from portal.worker import working
from tests.builders.market_auctions import MINUTE, a_world, differences
from tests.builders.stock import DDL, fill, take
from tests.conftest import NOON, KernelMaker


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "TICK_S", 0.01)


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_what_falls_due_is_fired_once_by_several_workers(make_kernel: KernelMaker) -> None:
    clock = ManualClock(NOON)
    kernels = [await make_kernel(clock) for _ in range(3)]
    world = await a_world(kernels[0], suppliers=3)
    auctions = [await world.published() for _ in range(4)]
    async with AsyncExitStack() as stack:
        for kernel in kernels:
            await stack.enter_async_context(working(kernel, DUE))
        world.advance(MINUTE)
        async with asyncio.timeout(20):
            for auction_id in auctions:
                while (await world.state(auction_id)).stage is not AuctionStage.LIVE:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)

    assert [(await world.state(auction_id)).version for auction_id in auctions] == [3] * 4
    assert await differences(kernels[0]) == []


async def test_a_job_that_fails_rests_and_keeps_nobody_else_from_work(kernel: Kernel) -> None:
    failed = worked = 0

    async def fail(_: Kernel) -> int:
        nonlocal failed
        failed += 1
        raise ZeroDivisionError

    async def work(_: Kernel) -> int:
        nonlocal worked
        worked += 1
        return 0

    assert isinstance(kernel.clock, ManualClock)
    async with working(kernel, (fail, work)):
        await until(lambda: worked > 3)
        assert failed == 1
        kernel.clock.advance(timedelta(seconds=1))
        await until(lambda: failed > 1)


async def test_a_job_goes_on_while_there_is_something_to_do(kernel: Kernel) -> None:
    left, rounds = 25, 0

    async def work(_: Kernel) -> int:
        nonlocal left, rounds
        rounds += 1
        done = min(left, 10)
        left -= done
        return done

    async with working(kernel, (work,)):
        await until(lambda: rounds >= 4)

    assert left == 0


async def test_house_is_kept_every_half_minute(kernel: Kernel, owner: asyncpg.Connection) -> None:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(3))
    key = Key("user/b", "k", b"f" * 32)
    await kernel.committer.submit(take("b", key=key))
    assert isinstance(kernel.clock, ManualClock)
    async with working(kernel, ()):
        await until(lambda: kernel.skew.known.offset_s)
        kernel.clock.advance(timedelta(days=7))
        assert await kernel.committer.submit(take("b", key=key)) == 2
        await asyncio.sleep(0.2)
        with pytest.raises(Conflict):  # a week to the second: still known
            await kernel.committer.submit(take("b", key=msgspec.structs.replace(key, fingerprint=b"g" * 32)))
        kernel.clock.advance(timedelta(seconds=31))
        async with asyncio.timeout(20):
            while await owner.fetchval("select count(*) from idempotency_keys"):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)

    assert await kernel.committer.submit(take("b", key=key)) == 1
