"""Batches that are sent behind one that is still being written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from kernel.clock import ManualClock
from kernel.commit import committer as committer_module
from kernel.commit.batch import Outcome
from kernel.commit.command import Command, Key
from kernel.commit.committer import ENOUGH, FLIGHTS_MAX, Committer
from kernel.db.database import Database
from kernel.ids import uuid7
from kernel.journal import queries
from kernel.problems import Refused
from kernel.runtime import Kernel
from tests.builders.database_proxy import Break, DatabaseProxy
from tests.builders.stock import AT_ONCE, DDL, ID, NOON, fill, journal, take

PIECES = 1_000


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(PIECES, kind=AT_ONCE))
    return kernel


@pytest.fixture
async def proxy(stocked: Kernel) -> AsyncIterator[DatabaseProxy]:
    async with DatabaseProxy(stocked.db.dsn) as found:
        yield found


@pytest.fixture
async def committer(proxy: DatabaseProxy) -> AsyncIterator[Committer]:
    """A committer that has seen the stock."""
    found = Committer(Database(proxy.url), ManualClock(NOON), name="test")
    await found.open()
    await found.submit(take("first", kind=AT_ONCE))
    yield found
    proxy.down = False
    await found.close()


@asynccontextmanager
async def held(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """Keep every writer waiting at the journal's door."""
    async with owner.transaction():
        await queries.enter(owner, alone=True)
        yield


class Buyers:
    """Those who take a piece each, and what they are told."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self.told: list[Outcome] = []
        self.posted = 0

    def come(self, count: int, **given: Any) -> None:
        for _ in range(count):
            self.post(take(f"b{self.posted}", kind=AT_ONCE, **given))

    def post(self, command: Command[Any]) -> None:
        self.posted += 1
        self._committer.post(command, self.told.append)

    async def in_flight(self, batches: int) -> None:
        """Wait until so many batches are under way."""
        async with asyncio.timeout(10):
            while len(self._committer._flights) < batches:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)

    async def answered(self) -> list[int]:
        """Wait until everybody has an answer; how many pieces each left."""
        async with asyncio.timeout(20):
            while len(self.told) < self.posted:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)
        assert not any(outcome.problem or outcome.bug for outcome in self.told)
        return [outcome.answer for outcome in self.told]


async def fill_the_pipeline(buyers: Buyers) -> None:
    """Have one batch written and a full one sent behind it."""
    buyers.come(1)
    await buyers.in_flight(1)
    buyers.come(ENOUGH)
    await buyers.in_flight(FLIGHTS_MAX)


async def test_a_full_batch_is_sent_behind_the_one_that_is_being_written(
    stocked: Kernel, owner: asyncpg.Connection, committer: Committer
) -> None:
    buyers = Buyers(committer)
    async with held(owner):
        await fill_the_pipeline(buyers)
        buyers.come(2 * ENOUGH)  # and no third
        await asyncio.sleep(0.1)
        assert len(committer._flights) == FLIGHTS_MAX
        assert buyers.told == []

    assert await buyers.answered() == list(range(PIECES - 2, PIECES - 2 - buyers.posted, -1))
    assert len(await journal(stocked)) == 2 + buyers.posted


async def test_what_was_sent_behind_a_batch_that_lost_is_not_committed_and_is_decided_again(
    stocked: Kernel, owner: asyncpg.Connection, committer: Committer
) -> None:
    await stocked.committer.submit(take("faster", kind=AT_ONCE))  # of this our committer knows nothing
    buyers = Buyers(committer)
    async with held(owner):
        await fill_the_pipeline(buyers)

    assert sorted(await buyers.answered()) == list(range(PIECES - 2 - buyers.posted, PIECES - 2))
    assert len(await journal(stocked)) == 3 + buyers.posted


async def test_it_is_not_committed_even_where_it_is_about_other_streams(
    stocked: Kernel, owner: asyncpg.Connection, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been decided on what the first one did, so it is decided again whatever it is about."""
    failed: list[str] = []
    committed = committer_module.together.committed

    async def noted(answer: asyncio.Future[None]) -> None:
        try:
            await committed(answer)
        except Exception as error:
            failed.append(str(error))
            raise

    await stocked.committer.submit(take("faster", kind=AT_ONCE))
    monkeypatch.setattr(committer_module.together, "committed", noted)
    buyers = Buyers(committer)
    async with held(owner):
        buyers.come(1)
        await buyers.in_flight(1)
        for _ in range(ENOUGH):
            buyers.post(fresh())
        await buyers.in_flight(FLIGHTS_MAX)
        second = committer._flights[1]

    await buyers.answered()

    assert second.answer is not None
    assert "zhecai-behind" in str(second.answer.exception())
    assert failed == ["zhecai-faster"]
    assert await owner.fetchval("select count(*) from stocks") == 1 + ENOUGH


@pytest.mark.parametrize("how", [Break.BEFORE, Break.AFTER, Break.DURING])
async def test_losing_the_connection_under_two_batches_loses_nothing_and_does_nothing_twice(
    stocked: Kernel, owner: asyncpg.Connection, proxy: DatabaseProxy, committer: Committer, how: Break
) -> None:
    buyers = Buyers(committer)
    async with held(owner):
        buyers.come(1)
        await buyers.in_flight(1)
        proxy.watched, proxy.next = b"stock.taken", how
        buyers.come(ENOUGH)
        await buyers.in_flight(FLIGHTS_MAX)

    assert sorted(await buyers.answered()) == list(range(PIECES - 1 - buyers.posted, PIECES - 1))
    assert proxy.broken == 1
    assert len(await journal(stocked)) == 2 + buyers.posted


async def test_losing_the_way_to_the_database_under_two_batches_loses_nothing(
    stocked: Kernel, owner: asyncpg.Connection, proxy: DatabaseProxy, committer: Committer
) -> None:
    buyers = Buyers(committer)
    async with held(owner):
        await fill_the_pipeline(buyers)
        proxy.go_down()
        await asyncio.sleep(0.3)
    proxy.down = False

    assert sorted(await buyers.answered()) == list(range(PIECES - 1 - buyers.posted, PIECES - 1))
    assert len(await journal(stocked)) == 2 + buyers.posted


async def test_a_key_that_is_in_both_batches_acts_once(
    stocked: Kernel, owner: asyncpg.Connection, committer: Committer
) -> None:
    key = Key("user/b", "k", b"f" * 32)
    buyers = Buyers(committer)
    async with held(owner):
        buyers.come(1, key=key)
        await buyers.in_flight(1)
        buyers.come(1, key=key)
        buyers.come(ENOUGH)
        await buyers.in_flight(FLIGHTS_MAX)

    answers = await buyers.answered()

    assert answers.count(PIECES - 2) == 2
    assert len(await journal(stocked)) == 2 + buyers.posted - 1


async def test_who_is_refused_and_may_have_been_answered_before_is_not_sent_ahead(
    stocked: Kernel, owner: asyncpg.Connection, committer: Committer
) -> None:
    key = Key("user/b", "k", b"f" * 32)
    await committer.submit(take("b", kind=AT_ONCE, key=key))
    buyers = Buyers(committer)
    async with held(owner):
        buyers.come(1)
        await buyers.in_flight(1)
        buyers.post(refused(key))
        buyers.come(ENOUGH)
        await asyncio.sleep(0.1)
        assert len(committer._flights) == 1

    assert (await buyers.answered()).count(PIECES - 2) == 1  # the answer of the first time
    assert len(await journal(stocked)) == 3 + buyers.posted - 1


def refused(key: Key) -> Command[int]:
    """Ask for what there is not, with a key."""
    return Command([AT_ONCE.ref(ID)], lambda _: Refused("没有", "none", reason="none"), "user/b", "", NOON, key, int)


def fresh() -> Command[None]:
    """Fill a stock of its own."""
    id_ = uuid7(NOON)
    command = fill(3, id_, kind=AT_ONCE)
    return Command(command.streams, command.decide, command.actor, "", NOON, creates=command.streams)
