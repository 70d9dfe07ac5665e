"""Rows that may lag behind the journal while there is a lot to do: loading replays, and they are written soon."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from kernel.clock import ManualClock
from kernel.commit import owed as owed_module
from kernel.commit.committer import ENOUGH, Committer
from kernel.commit.owed import Changes, Owed
from kernel.commit.trading import Trading
from kernel.db.database import Database
from kernel.journal.streams import Change, Recorded, Versioned
from kernel.runtime import Kernel
from tests.builders.stock import DDL, ID, LAGGING, NOON, STOCK, Filled, Stock, Taken, fill, journal, take

PIECES = 5_000
STORM = 3 * ENOUGH
IDS = tuple(UUID(int=number) for number in range(1, 5))
NEVER_S = 3_600.0
TELLS = """
create function tell() returns trigger language plpgsql as
$$ begin perform pg_notify('written', new.version::text); return null; end $$;
create trigger tells after insert or update on stocks for each row execute function tell();
"""


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await owner.execute(TELLS)
    await kernel.committer.submit(fill(PIECES, kind=LAGGING))
    return kernel


@pytest.fixture
async def committer(stocked: Kernel) -> AsyncIterator[Committer]:
    """A committer whose clock stands still: what was just now, is."""
    found = Committer(Database(stocked.db.dsn), ManualClock(NOON), name="test")
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def unpaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no row fall due while a test looks."""
    monkeypatch.setattr(owed_module, "LAG_S", NEVER_S)


async def storm(committer: Committer) -> None:
    """Let so many come at once, again and again, that the committer takes itself for busy; the last batches too."""
    for _ in range(20):
        await asyncio.gather(*(committer.submit(take("b", kind=LAGGING)) for _ in range(STORM)))
    assert committer.trading > Trading.CALM


async def row_version(owner: asyncpg.Connection) -> int:
    found: int = await owner.fetchval("select version from stocks where id = $1", ID)
    return found


async def until_written(owner: asyncpg.Connection, version: int) -> None:
    """Wait until the row is at ``version``: the database tells of each that is committed."""
    written = asyncio.Event()

    def hear(_connection: object, _pid: int, _channel: str, told: object) -> None:
        if int(str(told)) >= version:
            written.set()

    await owner.add_listener("written", hear)
    if await row_version(owner) < version:
        async with asyncio.timeout(20):
            await written.wait()
    await owner.remove_listener("written", hear)


@pytest.mark.usefixtures("unpaid")
async def test_where_little_is_going_on_each_batch_writes_its_rows(
    committer: Committer, owner: asyncpg.Connection
) -> None:
    for taken in range(1, 4):
        await committer.submit(take("b", kind=LAGGING))
        assert await row_version(owner) == 1 + taken


@pytest.mark.usefixtures("unpaid")
async def test_a_row_lags_and_whoever_loads_it_gets_the_state_of_the_journal(
    stocked: Kernel, committer: Committer, owner: asyncpg.Connection
) -> None:
    await storm(committer)
    entries = len(await journal(stocked))

    assert await row_version(owner) < entries
    loaded = (await LAGGING.load(owner, [ID]))[ID]
    assert loaded.version == entries
    assert loaded.state.left == PIECES - (entries - 1)
    assert await stocked.committer.submit(take("elsewhere", kind=LAGGING)) == loaded.state.left - 1


@pytest.mark.usefixtures("unpaid")
async def test_a_change_that_may_not_lag_writes_the_row_as_it_is_then(
    stocked: Kernel, committer: Committer, owner: asyncpg.Connection
) -> None:
    await storm(committer)
    await committer.submit(fill(7, kind=LAGGING))

    assert await row_version(owner) == len(await journal(stocked))
    assert (await LAGGING.load(owner, [ID]))[ID].state.left == 7


async def test_what_is_owed_is_paid_though_nothing_follows(
    stocked: Kernel, committer: Committer, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed_module, "LAG_S", 0.01)
    await storm(committer)

    await until_written(owner, len(await journal(stocked)))


@pytest.mark.usefixtures("unpaid")
async def test_a_committer_that_closes_owes_nothing(
    stocked: Kernel, committer: Committer, owner: asyncpg.Connection
) -> None:
    await storm(committer)
    await committer.close()

    assert await row_version(owner) == len(await journal(stocked))
    await committer.open()


async def test_a_connection_that_is_lost_while_rows_are_paid_is_made_anew_and_they_are(
    stocked: Kernel, committer: Committer, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed_module, "LAG_S", NEVER_S)
    await storm(committer)
    committer._sessions.plain.terminate()
    monkeypatch.setattr(owed_module, "LAG_S", 0.01)
    committer._owed._fall_due()

    await until_written(owner, len(await journal(stocked)))
    assert await committer.submit(take("b", kind=LAGGING)) >= 0


@pytest.mark.usefixtures("unpaid")
async def test_a_row_that_the_database_refuses_is_left_for_loading_to_replay(
    stocked: Kernel, committer: Committer, owner: asyncpg.Connection
) -> None:
    await storm(committer)
    stood = await row_version(owner)
    await owner.execute(f"alter table stocks add constraint narrow check (version <= {stood}) not valid")
    await committer.close()

    assert await row_version(owner) == stood
    assert (await LAGGING.load(owner, [ID]))[ID].version == len(await journal(stocked))
    await committer.open()


# What a batch writes, without a database.


def taken_of(*ids: UUID) -> Changes:
    return {LAGGING: [Change(id_, Stock(9, ()), Stock(8, ()), 2, [Recorded(2, NOON, Taken("b"))]) for id_ in ids]}


def owing(*ids: UUID) -> Owed:
    """Rows at version 2 that have fallen due."""
    found = Owed(lambda: None)
    _, waiting, paid = found.parted(taken_of(*ids), put_off=True)
    found.settle({LAGGING.ref(id_): Versioned(2, Stock(8, ())) for id_ in ids}, waiting, paid)
    found._fall_due()
    return found


async def test_only_rows_that_may_lag_are_put_off() -> None:
    filled = Change(IDS[1], None, Stock(5, ()), 1, [Recorded(1, NOON, Filled(5))])
    other = Change(IDS[2], None, Stock(5, ()), 1, [Recorded(1, NOON, Taken("b"))])
    changes = {LAGGING: [*taken_of(IDS[0])[LAGGING], filled], STOCK: [other]}

    assert Owed(lambda: None).parted(changes, put_off=False) == (changes, frozenset(), {})
    written, waiting, _ = Owed(lambda: None).parted(changes, put_off=True)

    assert written == {LAGGING: [filled], STOCK: [other]}
    assert waiting == {LAGGING.ref(IDS[0])}


async def test_what_is_due_goes_with_the_next_batch_in_the_order_of_ids() -> None:
    owed = owing(IDS[0], IDS[3])

    written, waiting, paid = owed.parted(taken_of(IDS[1]), put_off=True)

    assert [change.id for change in written[LAGGING]] == [IDS[0], IDS[1], IDS[3]]
    assert not waiting
    assert set(paid) == {LAGGING.ref(IDS[0]), LAGGING.ref(IDS[3])}
    owed.settle({}, waiting, paid)
    owed._fall_due()
    assert owed.parted({}, put_off=True)[0] == {}


async def test_a_batch_that_writes_a_row_anyway_writes_its_own() -> None:
    owed = owing(IDS[0], IDS[1])

    written, _, paid = owed.parted(taken_of(IDS[0]), put_off=True)

    assert [change.events != () for change in written[LAGGING]] == [True, False]
    assert set(paid) == {LAGGING.ref(IDS[1])}


async def test_a_batch_that_did_not_come_to_be_leaves_everything_owed() -> None:
    owed = owing(IDS[0])
    owed.parted({}, put_off=True)  # and nothing is settled
    owed._fall_due()

    assert [change.id for change in owed.parted({}, put_off=True)[0][LAGGING]] == [IDS[0]]


async def test_a_row_that_moved_on_while_it_was_paid_stays_owed() -> None:
    owed = owing(IDS[0])
    _, _, paid = owed.parted({}, put_off=True)
    ref = LAGGING.ref(IDS[0])
    owed.settle({ref: Versioned(3, Stock(7, ()))}, frozenset([ref]), {})  # a batch before it, that had put it off

    owed.settle({}, frozenset(), paid)

    owed._fall_due()
    assert [change.version for change in owed.parted({}, put_off=True)[0][LAGGING]] == [3]
