"""Group commit: one winner, nothing lost, nobody answered twice."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from kernel.commit.command import Command, Decided, Key, States
from kernel.commit.committer import Committer
from kernel.ids import uuid7
from kernel.journal import feed
from kernel.journal.feed import Position
from kernel.problems import Conflict, Refused, Unavailable
from kernel.runtime import Kernel
from tests.builders.stock import DDL, ID, STOCK, fill, journal, take
from tests.conftest import NOON, KernelMaker


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(3))
    return kernel


async def outcomes(committers: Sequence[Committer], buyers: int) -> list[object]:
    return await asyncio.gather(
        *(committers[n % len(committers)].submit(take(f"b{n}")) for n in range(buyers)), return_exceptions=True
    )


async def test_of_many_in_one_batch_only_as_many_get_a_piece_as_there_are(stocked: Kernel) -> None:
    found = await outcomes([stocked.committer], 32)

    assert sorted(answer for answer in found if isinstance(answer, int)) == [0, 1, 2]
    assert sum(isinstance(answer, Refused) for answer in found) == 29
    assert await journal(stocked) == ["stock.filled", "stock.taken", "stock.taken", "stock.taken"]


async def test_committers_of_several_processes_never_oversell(stocked: Kernel, make_kernel: KernelMaker) -> None:
    others = [await make_kernel() for _ in range(2)]
    await stocked.committer.submit(fill(20))
    committers = [stocked.committer, stocked.live_committer, *(other.committer for other in others)]

    found = await outcomes(committers, 100)

    assert sorted(answer for answer in found if isinstance(answer, int)) == list(range(20))
    assert sum(isinstance(answer, Refused) for answer in found) == 80
    assert (await journal(stocked)).count("stock.taken") == 20


async def test_a_refusal_from_a_stale_state_is_decided_again(stocked: Kernel, make_kernel: KernelMaker) -> None:
    other = await make_kernel()
    await outcomes([stocked.committer], 3)
    await other.committer.submit(fill(1))

    assert await stocked.committer.submit(take("late")) == 0


async def test_the_same_key_gets_the_same_answer_and_nothing_happens_twice(stocked: Kernel) -> None:
    key = Key("user/b", "k1", b"f" * 32)

    first = await stocked.committer.submit(take("b", key=key))
    again = await asyncio.gather(*(stocked.committer.submit(take("b", key=key)) for _ in range(5)))

    assert [first, *again] == [2] * 6
    assert (await journal(stocked)).count("stock.taken") == 1


async def test_the_same_key_at_once_in_two_processes_happens_once(stocked: Kernel, make_kernel: KernelMaker) -> None:
    other = await make_kernel()
    key = Key("user/b", "k1", b"f" * 32)
    commands = [committer.submit(take("b", key=key)) for committer in (stocked.committer, other.committer) * 4]

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


async def test_one_bad_command_does_not_take_its_batch_with_it(stocked: Kernel) -> None:
    def explode(_: States) -> Decided[None]:
        raise ZeroDivisionError

    bad = Command([STOCK.ref(ID)], explode, "system/test", "", NOON)
    negative = fill(-1, uuid7(NOON))  # the table's CHECK refuses it
    found = await asyncio.gather(
        *(stocked.committer.submit(command) for command in (take("a"), bad, negative, take("b"))),
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
