"""What was acknowledged has happened once, and what was refused has not, whatever the connection does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from kernel.clock import ManualClock, SystemClock
from kernel.commit.command import Key
from kernel.commit.committer import Committer
from kernel.db.database import Database
from kernel.problems import Unavailable
from kernel.runtime import Kernel
from tests.builders.database_proxy import TOO_MANY, Break, DatabaseProxy
from tests.builders.stock import AT_ONCE, DDL, NOON, SLOW_COMMIT, STOCK, fill, journal, take

AGE_S = 5.0


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(100))
    return kernel


@pytest.fixture
async def proxy(stocked: Kernel) -> AsyncIterator[DatabaseProxy]:
    async with DatabaseProxy(stocked.db.dsn) as found:
        yield found


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
async def committer(proxy: DatabaseProxy, clock: ManualClock) -> AsyncIterator[Committer]:
    """A committer whose way to the database leads through the proxy."""
    found = Committer(Database(proxy.url), clock, name="test", queue_age_max_s=AGE_S)
    await found.open()
    yield found
    proxy.down = False
    await found.close()


async def taken(kernel: Kernel) -> int:
    return (await journal(kernel)).count("stock.taken")


async def until_waiting(committer: Committer) -> None:
    """Wait until the committer has taken what is queued in hand."""
    async with asyncio.timeout(20):
        while committer._queue:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


WAYS = {"in turn": (STOCK, b"COMMIT"), "at once": (AT_ONCE, b"stock.taken")}
"""How a batch is written, and what is seen on the wire when it is being committed."""


@pytest.mark.parametrize("how", [Break.BEFORE, Break.AFTER, Break.DURING])
@pytest.mark.parametrize("commands", [1, 5])
@pytest.mark.parametrize("way", WAYS)
async def test_a_commit_whose_answer_is_lost_happens_once_and_is_acknowledged_once(
    stocked: Kernel,
    owner: asyncpg.Connection,
    proxy: DatabaseProxy,
    committer: Committer,
    how: Break,
    commands: int,
    way: str,
) -> None:
    await owner.execute(SLOW_COMMIT)
    told: list[Any] = []
    kind, proxy.watched = WAYS[way]
    proxy.next = how

    for number in range(commands):
        committer.post(take(f"b{number}", kind=kind), told.append)
    async with asyncio.timeout(20):
        while len(told) < commands:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)

    assert proxy.broken == 1
    assert sorted(outcome.answer for outcome in told) == list(range(100 - commands, 100))
    assert await taken(stocked) == commands


async def test_those_who_watch_are_told_of_a_commit_in_doubt_once(proxy: DatabaseProxy, committer: Committer) -> None:
    seen: list[int] = []
    committer.listeners.append(
        lambda recorded: seen.extend(one.version for events in recorded.values() for one in events)
    )
    proxy.next = Break.AFTER

    await committer.submit(take("a"))
    await committer.submit(take("b"))

    assert seen == [2, 3]


async def test_a_retry_after_a_commit_in_doubt_gets_the_same_answer(
    stocked: Kernel, proxy: DatabaseProxy, committer: Committer
) -> None:
    key = Key("user/b", "k", b"f" * 32)
    proxy.next = Break.AFTER

    assert [await committer.submit(take("b", key=key)) for _ in range(2)] == [99, 99]
    assert await taken(stocked) == 1


async def test_losing_the_connection_while_looking_up_a_key_loses_nothing(
    stocked: Kernel, proxy: DatabaseProxy, committer: Committer
) -> None:
    key = Key("user/b", "k", b"f" * 32)
    await stocked.committer.submit(take("b", key=key))
    proxy.watched, proxy.next = b"from idempotency_keys", Break.BEFORE

    assert await committer.submit(take("b", key=key)) == 99
    assert await committer.submit(take("c")) == 98
    assert proxy.broken == 1


async def test_a_short_outage_is_only_a_delay(stocked: Kernel, proxy: DatabaseProxy, committer: Committer) -> None:
    proxy.go_down()
    waiting = asyncio.create_task(committer.submit(take("a")))
    await asyncio.sleep(0.3)
    proxy.down = False

    assert await waiting == 99
    assert await taken(stocked) == 1


async def test_a_long_outage_is_a_503_for_each_who_waited_too_long_and_then_things_go_on(
    stocked: Kernel, proxy: DatabaseProxy, committer: Committer, clock: ManualClock
) -> None:
    proxy.go_down()
    old = [asyncio.create_task(committer.submit(take(f"old{n}"))) for n in range(3)]
    await asyncio.sleep(0.05)
    clock.advance(timedelta(seconds=AGE_S))
    young = asyncio.create_task(committer.submit(take("young")))
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in (*old, young))

    clock.advance(timedelta(seconds=0.1))
    refused = await asyncio.gather(*old, return_exceptions=True)
    assert not young.done()
    proxy.down = False

    assert [type(problem) for problem in refused] == [Unavailable] * 3
    assert all(isinstance(problem, Unavailable) and problem.headers["Retry-After"] for problem in refused)
    assert await young == 99
    assert await committer.submit(take("new")) == 98
    assert await taken(stocked) == 2


async def test_what_is_in_doubt_is_not_refused_however_long_it_takes_but_what_waits_behind_it_is(
    stocked: Kernel, owner: asyncpg.Connection, proxy: DatabaseProxy, committer: Committer, clock: ManualClock
) -> None:
    await owner.execute(SLOW_COMMIT)
    doubtful = asyncio.create_task(committer.submit(take("doubtful")))
    await proxy.passed.wait()  # it is committing
    proxy.go_down()
    behind = asyncio.create_task(committer.submit(take("behind")))
    await asyncio.sleep(0.05)
    clock.advance(timedelta(seconds=AGE_S + 1))

    with pytest.raises(Unavailable):
        await behind
    assert not doubtful.done()
    proxy.down = False

    assert await doubtful == 99
    assert await taken(stocked) == 1


async def test_a_committer_can_be_closed_while_the_database_is_away(
    proxy: DatabaseProxy, committer: Committer, clock: ManualClock
) -> None:
    proxy.go_down()
    waiting = asyncio.create_task(committer.submit(take("a")))
    await until_waiting(committer)
    closing = asyncio.create_task(committer.close())
    await asyncio.sleep(0.3)
    assert not closing.done()  # there is still hope for the one who waits

    clock.advance(timedelta(seconds=AGE_S + 1))
    async with asyncio.timeout(20):
        await closing

    with pytest.raises(Unavailable):
        await waiting


async def test_whoever_is_in_doubt_when_we_must_stop_is_told_that_it_failed_and_not_that_nothing_was_done(
    owner: asyncpg.Connection, proxy: DatabaseProxy, committer: Committer, clock: ManualClock
) -> None:
    await owner.execute(SLOW_COMMIT)
    doubtful = asyncio.create_task(committer.submit(take("doubtful")))
    await proxy.passed.wait()
    proxy.go_down()
    closing = asyncio.create_task(committer.close())
    await asyncio.sleep(0.05)
    clock.advance(timedelta(seconds=AGE_S + 1))
    async with asyncio.timeout(20):
        await closing

    with pytest.raises((OSError, asyncpg.PostgresConnectionError)):  # which is no Problem: a 500
        await doubtful


async def test_a_server_that_is_full_is_an_outage_like_any_other(
    stocked: Kernel, proxy: DatabaseProxy, committer: Committer
) -> None:
    proxy.says = TOO_MANY
    proxy.throw_out()
    waiting = asyncio.create_task(committer.submit(take("a")))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    proxy.says = None

    assert await waiting == 99
    assert await taken(stocked) == 1


async def test_a_server_that_takes_connections_and_says_nothing_is_an_outage_too(
    stocked: Kernel, proxy: DatabaseProxy
) -> None:
    committer = Committer(Database(proxy.url), SystemClock(), name="test", queue_age_max_s=0.05)
    await committer.open()
    proxy.mute = True
    proxy.throw_out()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await committer.submit(take("a"))
    proxy.mute = False
    proxy.throw_out()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await committer.submit(take("b")) == 99
                break
            except Unavailable:  # until it is connected again
                await asyncio.sleep(0.05)
        await committer.close()

    assert await taken(stocked) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_over_and_over_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    stocked: Kernel, proxy: DatabaseProxy, committer: Committer, way: str
) -> None:
    kind, proxy.watched = WAYS[way]
    await stocked.committer.submit(fill(1_000_000))
    stop = asyncio.Event()

    async def buy(name: str) -> int:
        bought = 0
        while not stop.is_set():
            await committer.submit(take(name, kind=kind))
            bought += 1
        return bought

    buyers = [asyncio.create_task(buy(f"b{n}")) for n in range(6)]
    for how in (Break.AFTER, Break.DURING, Break.BEFORE) * 5:
        proxy.next = how
        async with asyncio.timeout(20):
            while proxy.next is not Break.NOTHING:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
    stop.set()
    bought = sum(await asyncio.gather(*buyers))

    assert proxy.broken == 15
    assert await taken(stocked) == bought > 15


async def test_a_command_that_waits_too_long_behind_a_slow_commit_makes_room_by_refusing_new_ones(
    stocked: Kernel, owner: asyncpg.Connection, proxy: DatabaseProxy, committer: Committer, clock: ManualClock
) -> None:
    await owner.execute(SLOW_COMMIT)
    first = asyncio.create_task(committer.submit(take("first")))
    await proxy.passed.wait()
    second = asyncio.create_task(committer.submit(take("second")))
    await asyncio.sleep(0)

    clock.advance(timedelta(seconds=AGE_S))
    third = asyncio.create_task(committer.submit(take("third")))
    await asyncio.sleep(0)
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(Unavailable):
        await committer.submit(take("fourth"))

    assert await asyncio.gather(first, second, third) == [99, 98, 97]
    assert await taken(stocked) == 3


async def test_closing_finishes_the_queue_and_takes_nothing_new(stocked: Kernel, committer: Committer) -> None:
    waiting = [asyncio.create_task(committer.submit(take(f"b{n}"))) for n in range(40)]
    await asyncio.sleep(0)
    await committer.close()

    assert sorted(await asyncio.gather(*waiting)) == list(range(60, 100))
    with pytest.raises(Unavailable):
        await committer.submit(take("late"))
    assert await taken(stocked) == 40
