"""Group commit: one winner, nothing lost, nobody answered twice."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from kernel.clock import ManualClock
from kernel.commit import committer as committer_module
from kernel.commit import keys
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.commit.committer import ATTEMPTS_MAX, ENOUGH, Committer
from kernel.commit.trading import BUSY, Trading
from kernel.ids import uuid7
from kernel.journal import feed
from kernel.journal.feed import Position
from kernel.journal.streams import StreamKind, Versioned
from kernel.problems import Conflict, Refused, Unavailable
from kernel.runtime import Kernel
from tests.builders.stock import AT_ONCE, DDL, ID, ROWS, STOCK, Filled, Kind, Stock, Taken, evolve, fill, journal, take
from tests.conftest import NOON, KernelMaker


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(3))
    return kernel


async def outcomes(committers: Sequence[Committer], buyers: int, kind: Kind = STOCK) -> list[object]:
    return await asyncio.gather(
        *(committers[n % len(committers)].submit(take(f"b{n}", kind=kind)) for n in range(buyers)),
        return_exceptions=True,
    )


each_way = pytest.mark.parametrize("kind", [STOCK, AT_ONCE], ids=["in turn", "at once"])
"""Whether a batch is written statement by statement or as one."""


@each_way
async def test_of_many_in_one_batch_only_as_many_get_a_piece_as_there_are(stocked: Kernel, kind: Kind) -> None:
    found = await outcomes([stocked.committer], 32, kind)

    assert sorted(answer for answer in found if isinstance(answer, int)) == [0, 1, 2]
    assert sum(isinstance(answer, Refused) for answer in found) == 29
    assert await journal(stocked) == ["stock.filled", "stock.taken", "stock.taken", "stock.taken"]


@each_way
async def test_committers_of_several_processes_never_oversell(
    stocked: Kernel, make_kernel: KernelMaker, kind: Kind
) -> None:
    others = [await make_kernel() for _ in range(2)]
    await stocked.committer.submit(fill(20))
    committers = [stocked.committer, stocked.live_committer, *(other.committer for other in others)]

    found = await outcomes(committers, 100, kind)

    assert sorted(answer for answer in found if isinstance(answer, int)) == list(range(20))
    assert sum(isinstance(answer, Refused) for answer in found) == 80
    assert (await journal(stocked)).count("stock.taken") == 20


async def test_a_refusal_from_a_stale_state_is_decided_again(stocked: Kernel, make_kernel: KernelMaker) -> None:
    other = await make_kernel()
    await outcomes([stocked.committer], 3)
    await other.committer.submit(fill(1))

    assert await stocked.committer.submit(take("late")) == 0


@each_way
async def test_the_same_key_gets_the_same_answer_and_nothing_happens_twice(stocked: Kernel, kind: Kind) -> None:
    key = Key("user/b", "k1", b"f" * 32)

    first = await stocked.committer.submit(take("b", key=key, kind=kind))
    again = await asyncio.gather(*(stocked.committer.submit(take("b", key=key, kind=kind)) for _ in range(5)))

    assert [first, *again] == [2] * 6
    assert (await journal(stocked)).count("stock.taken") == 1


@each_way
async def test_the_same_key_at_once_in_two_processes_happens_once(
    stocked: Kernel, make_kernel: KernelMaker, kind: Kind
) -> None:
    other = await make_kernel()
    key = Key("user/b", "k1", b"f" * 32)
    committers = (stocked.committer, other.committer) * 4
    commands = [committer.submit(take("b", key=key, kind=kind)) for committer in committers]

    assert await asyncio.gather(*commands) == [2] * 8
    assert (await journal(stocked)).count("stock.taken") == 1


async def test_a_retry_of_what_was_done_is_not_refused_when_it_could_no_longer_be_done(stocked: Kernel) -> None:
    key = Key("user/b", "last", b"f" * 32)
    await outcomes([stocked.committer], 2)
    await stocked.committer.submit(take("b", key=key))

    assert await stocked.committer.submit(take("b", key=key)) == 0


async def test_a_key_used_for_something_else_is_a_conflict(stocked: Kernel) -> None:
    await stocked.committer.submit(take("b", key=Key("user/b", "k1", b"f" * 32)))

    with pytest.raises(Conflict) as caught:
        await stocked.committer.submit(take("b", key=Key("user/b", "k1", b"g" * 32)))
    assert caught.value.members["reason"] == "key-reused"


@each_way
async def test_one_bad_command_does_not_take_its_batch_with_it(stocked: Kernel, kind: Kind) -> None:
    def explode(_: States) -> Decided[None]:
        raise ZeroDivisionError

    bad = Command([STOCK.ref(ID)], explode, "system/test", "", NOON)
    negative = fill(-1, uuid7(NOON), kind)  # the table's CHECK refuses it
    found = await asyncio.gather(
        *(stocked.committer.submit(command) for command in (take("a", kind=kind), bad, negative, take("b", kind=kind))),
        return_exceptions=True,
    )

    assert found[0] == 2
    assert isinstance(found[1], ZeroDivisionError)
    assert isinstance(found[2], asyncpg.CheckViolationError)
    assert found[3] == 1


async def test_a_lost_connection_loses_no_acknowledged_command(stocked: Kernel, owner: asyncpg.Connection) -> None:
    await stocked.committer.submit(fill(100_000))
    stop = asyncio.Event()

    async def buy(name: str) -> int:
        bought = 0
        while not stop.is_set():
            await stocked.committer.submit(take(name))
            bought += 1
        return bought

    buyers = [asyncio.create_task(buy(f"b{n}")) for n in range(8)]
    for _ in range(5):
        await asyncio.sleep(0.05)
        await owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    await asyncio.sleep(0.1)
    stop.set()
    bought = sum(await asyncio.gather(*buyers))

    assert (await journal(stocked)).count("stock.taken") == bought > 0


async def test_a_full_queue_refuses_and_does_nothing(make_kernel: KernelMaker, owner: asyncpg.Connection) -> None:
    await owner.execute(DDL)
    small = await make_kernel(queue_len_max=16, batch_len_max=16)
    await small.committer.submit(fill(1000))

    found = await asyncio.gather(*(small.committer.submit(take(f"b{n}")) for n in range(200)), return_exceptions=True)

    done = [answer for answer in found if isinstance(answer, int)]
    assert sum(isinstance(answer, Unavailable) for answer in found) == 200 - len(done) > 0
    assert (await journal(small)).count("stock.taken") == len(done)


async def test_the_service_cannot_change_or_delete_what_is_in_the_journal(stocked: Kernel) -> None:
    for statement in ("update journal set actor = ''", "delete from journal", "truncate journal"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stocked.db.pool.execute(statement)


async def test_the_feed_waits_for_what_commits_late_and_skips_nothing(
    stocked: Kernel, owner: asyncpg.Connection
) -> None:
    connection = await stocked.db.connect()
    slow = connection.transaction()
    await slow.start()
    await connection.execute(
        "insert into journal (stream, version, kind, at, actor, origin, body, leaf) "
        "values ('slow/1', 1, 'slow', now(), '', '', '{}', sha256(''))"
    )
    await stocked.committer.submit(take("quick"))  # a later transaction that commits first

    early, position = await feed.read(owner, Position())
    assert [entry.kind for entry in early] == ["stock.filled"]

    await slow.commit()
    await connection.close()
    late, position = await feed.read(owner, position)
    assert [entry.kind for entry in late] == ["slow", "stock.taken"]
    assert await feed.read(owner, position) == ([], position)


async def test_whoever_cannot_take_an_answer_or_watch_makes_nothing_happen_twice(stocked: Kernel) -> None:
    def stumble(_: object) -> None:
        raise ZeroDivisionError

    told: list[object] = []
    seen: list[object] = []
    stocked.committer.listeners[:0] = [stumble]
    stocked.committer.listeners.append(seen.append)

    stocked.committer.post(take("a"), stumble)
    stocked.committer.post(take("b"), told.append)
    assert await stocked.committer.submit(take("c")) == 0

    assert len(told) == 1
    assert len(seen) == 1
    assert await journal(stocked) == ["stock.filled", "stock.taken", "stock.taken", "stock.taken"]


async def test_what_nobody_listens_to_is_told_to_nobody(stocked: Kernel) -> None:
    told: list[object] = []
    stocked.committer.listeners.append(told.append)
    await stocked.committer.submit(fill(1_000, kind=dataclasses.replace(STOCK, heard=False)))

    assert told == []
    await stocked.committer.submit(take("a"))
    assert len(told) == 1


async def test_those_who_watch_get_every_event_in_the_order_of_its_stream(stocked: Kernel) -> None:
    seen: list[int] = []
    stocked.committer.listeners.append(lambda recorded: seen.extend(one.version for one in recorded[STOCK.ref(ID)]))
    await stocked.committer.submit(fill(1_000))

    await outcomes([stocked.committer], 700)  # more than one batch

    assert seen == list(range(2, 703))


@each_way
async def test_what_a_decision_only_looked_at_must_still_be_so_when_it_is_committed(
    stocked: Kernel, make_kernel: KernelMaker, kind: Kind
) -> None:
    other, looked_at, changed = await make_kernel(), kind.ref(ID), kind.ref(uuid7(NOON))

    def copy(states: States) -> Decided[int]:
        state = states.get(looked_at)
        assert state is not None
        return Decided(state.left, [Happened(changed, Filled(state.left))])

    command = Command([looked_at, changed], copy, "system/test", "", NOON)
    assert await stocked.committer.submit(command) == 3
    await other.committer.submit(take("other"))

    assert await stocked.committer.submit(command) == 2


async def test_a_process_that_loses_every_race_gives_up_with_a_503_and_has_done_nothing(
    stocked: Kernel, owner: asyncpg.Connection
) -> None:
    id_ = uuid7(NOON)

    async def too_late(connection: asyncpg.Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Stock]]:
        """Load, and let somebody who does not queue for his turn append before we can."""
        found = await ROWS.load(connection, ids)
        version = await owner.fetchval("select count(*) from journal where stream = $1", f"stock/{id_}")
        await owner.execute(
            "insert into journal (stream, version, kind, at, actor, origin, body, leaf) "
            "values ($1, $2, 'rogue', now(), '', '', '{}', sha256(''))",
            f"stock/{id_}",
            version + 1,
        )
        return found

    kind = StreamKind("stock", Filled | Taken, evolve, too_late, ROWS.save)
    decisions = 0

    def decide(_: States) -> Decided[None]:
        nonlocal decisions
        decisions += 1
        return Decided(None, [Happened(kind.ref(id_), Filled(1))])

    with pytest.raises(Unavailable):
        await stocked.committer.submit(Command([kind.ref(id_)], decide, "system/test", "", NOON))

    assert decisions == ATTEMPTS_MAX
    assert set(await journal(stocked, id_)) == {"rogue"}
    assert await stocked.committer.submit(take("a")) == 2


async def test_an_answer_that_cannot_be_kept_and_an_event_for_a_stream_that_was_not_named_are_bugs_of_that_command(
    stocked: Kernel,
) -> None:
    named, other = STOCK.ref(ID), STOCK.ref(uuid7(NOON))
    key = Key("user/b", "k", b"f" * 32)
    mute = Command(
        [named], lambda _: Decided(object(), [Happened(named, Taken("x"))]), "system/test", "", NOON, key, object
    )
    strange = Command([named], lambda _: Decided(None, [Happened(other, Filled(1))]), "system/test", "", NOON)

    found = await asyncio.gather(
        *(stocked.committer.submit(command) for command in (take("a"), mute, strange, take("b"))),
        return_exceptions=True,
    )

    assert [found[0], found[3]] == [2, 1]
    assert isinstance(found[1], TypeError)
    assert isinstance(found[2], AssertionError)
    assert await journal(stocked) == ["stock.filled", "stock.taken", "stock.taken"]


async def test_a_command_that_raises_a_problem_is_refused_with_it(stocked: Kernel) -> None:
    def refuse(_: States) -> Decided[None]:
        raise Refused("不行", "no", reason="no")

    with pytest.raises(Refused):
        await stocked.committer.submit(Command([STOCK.ref(ID)], refuse, "system/test", "", NOON))


async def test_what_exists_already_is_a_conflict_that_names_the_constraint(
    stocked: Kernel, owner: asyncpg.Connection
) -> None:
    await owner.execute('create unique index one_of_each on stocks ("left")')

    with pytest.raises(Conflict) as caught:
        await stocked.committer.submit(fill(3, uuid7(NOON)))

    assert caught.value.members == {"reason": "exists", "constraint": "one_of_each"}
    assert await journal(stocked) == ["stock.filled"]


async def test_a_decision_without_events_is_answered_and_leaves_nothing(stocked: Kernel) -> None:
    look = Command([STOCK.ref(ID)], lambda states: Decided(states.get(STOCK.ref(ID))), "user/b", "", NOON)

    assert await stocked.committer.submit(look) == Stock(3, ())
    assert await journal(stocked) == ["stock.filled"]


async def test_answers_are_forgotten_after_their_time_and_not_before(stocked: Kernel) -> None:
    key = Key("user/b", "k", b"f" * 32)
    await stocked.committer.submit(take("b", key=key))
    async with stocked.db.pool.acquire() as connection:
        await keys.forget(connection, NOON)
        assert await stocked.committer.submit(take("b", key=key)) == 2
        await keys.forget(connection, NOON + timedelta(microseconds=1))

    assert await stocked.committer.submit(take("b", key=key)) == 1


async def test_a_process_forgets_states_and_still_decides_right(
    stocked: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer_module, "CACHED_STREAMS_MAX", 2)
    ids = [uuid7(NOON) for _ in range(5)]
    for id_ in ids:
        await stocked.committer.submit(fill(10, id_))

    found = await asyncio.gather(*(stocked.committer.submit(take("a", id_)) for id_ in ids * 3))

    assert found == [9] * 5 + [8] * 5 + [7] * 5


async def test_what_arrives_while_a_batch_is_written_is_decided_on_top_of_it(stocked: Kernel) -> None:
    await stocked.committer.submit(fill(1_000))

    async def buy(name: str) -> list[int]:
        return [await stocked.committer.submit(take(name)) for _ in range(25)]

    left = await asyncio.gather(*(buy(f"b{n}") for n in range(8)))

    assert sorted(number for numbers in left for number in numbers) == list(range(800, 1_000))


async def test_what_was_decided_ahead_of_a_batch_that_lost_is_decided_again(
    stocked: Kernel, make_kernel: KernelMaker
) -> None:
    other = await make_kernel()
    await stocked.committer.submit(fill(150))

    async def buy(committer: Committer, name: str) -> list[object]:
        return [await outcome(committer, name) for _ in range(20)]

    async def outcome(committer: Committer, name: str) -> object:
        try:
            return await committer.submit(take(name))
        except Refused:
            return None

    committers = [stocked.committer, other.committer] * 5
    found = await asyncio.gather(*(buy(committer, f"b{n}") for n, committer in enumerate(committers)))

    answers = [answer for answers in found for answer in answers]
    assert sorted(answer for answer in answers if answer is not None) == list(range(150))
    assert answers.count(None) == 50


@each_way
async def test_a_key_that_comes_again_while_its_batch_is_written_acts_once(stocked: Kernel, kind: Kind) -> None:
    await stocked.committer.submit(fill(100, kind=kind))

    async def buy(number: int) -> int:
        for _ in range(number):
            await asyncio.sleep(0)  # some come while the first are being written, and are decided ahead
        name = f"b{number % 20}"
        return await stocked.committer.submit(take(name, key=Key(name, "once", b"same"), kind=kind))

    left = await asyncio.gather(*(buy(number) for number in range(60)))

    assert left[:20] == left[20:40] == left[40:]
    assert len(set(left)) == 20
    assert (await journal(stocked)).count("stock.taken") == 20


async def test_nobody_looks_for_a_stream_that_is_only_now_made(stocked: Kernel) -> None:
    async def look(*_: object) -> dict[UUID, Versioned[Stock]]:
        raise AssertionError("the id was made for this command")

    new = StreamKind("stock", STOCK.events, evolve, look, STOCK.save)
    id_ = uuid7(NOON)

    def decide(states: States) -> Decided[str]:
        assert states.get(new.ref(id_)) is None
        return Decided("made", [Happened(new.ref(id_), Filled(3))])

    command = Command([new.ref(id_)], decide, "system/test", "", NOON, creates=[new.ref(id_)])

    assert await stocked.committer.submit(command) == "made"
    assert await journal(stocked, id_) == ["stock.filled"]


@pytest.mark.usefixtures("stocked")
async def test_a_stream_that_was_wrongly_supposed_absent_is_found_out_by_the_commit(make_kernel: KernelMaker) -> None:
    other = await make_kernel()  # it has not seen the stock
    ref, seen = STOCK.ref(ID), []

    def decide(states: States) -> Decided[int]:
        seen.append(states.get(ref))
        return Decided(seen[-1].left if seen[-1] else 0)

    command = Command([ref], decide, "system/test", "", NOON, supposes=[ref])

    assert await other.committer.submit(command) == 3
    assert seen == [None, Stock(3, ())]


async def test_a_committer_is_busy_and_then_saturated_by_how_much_waits_for_its_batches(stocked: Kernel) -> None:
    clock = stocked.clock
    assert isinstance(clock, ManualClock)
    committer = stocked.committer
    for _ in range(5):
        await outcomes([committer], 1)
    assert committer.trading is Trading.CALM

    for _ in range(20):
        await outcomes([committer], BUSY + 4)
    assert committer.trading is Trading.BUSY

    for _ in range(20):
        await outcomes([committer], 3 * ENOUGH)
    assert committer.trading is Trading.SATURATED

    clock.advance(timedelta(seconds=1))
    assert committer.trading is Trading.CALM
