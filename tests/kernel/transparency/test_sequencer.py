"""Every entry has one place in the log, whoever sequences and whenever it stops."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from crypto.log.checkpoints import read_checkpoint
from crypto.log.commitments import logged
from crypto.log.merkle import Tree, leaf_hash
from crypto.log.notes import NoteKey, read_note, verify_note
from kernel.commit.trading import Trading
from kernel.ids import uuid7
from kernel.journal.entry import Entry, leaf_of
from kernel.runtime import Kernel
from kernel.transparency import log as log_module
from kernel.transparency import queries
from kernel.transparency.sequencer import LogBroken, OtherKey
from tests.builders.stock import DDL, ID, fill, take
from tests.conftest import NOON, KernelMaker


async def record(kernel: Kernel, pieces: int, id_: UUID = ID) -> None:
    await kernel.committer.submit(fill(pieces, id_))
    for number in range(pieces):
        await kernel.committer.submit(take(str(number), id_))


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await record(kernel, 9)
    return kernel


async def logged_hashes(owner: asyncpg.Connection) -> list[bytes]:
    """The hashes of the leaves, from the journal's own rows, in the order of the log."""
    rows = await owner.fetch(
        "select e.number, j.leaf, e.salt from log_entries e join journal j using (stream, version) order by e.number"
    )
    assert [row["number"] for row in rows] == list(range(len(rows)))
    return [leaf_hash(logged(row["leaf"], row["salt"])) for row in rows]


async def assert_whole(owner: asyncpg.Connection) -> None:
    """The log has every entry of the journal once, and its checkpoints are those of that tree."""
    hashes = await logged_hashes(owner)
    tree = Tree(hashes)
    assert len(hashes) == await owner.fetchval("select count(*) from journal")
    assert [row[0] for row in await owner.fetch("select hash from log_entries order by number")] == hashes
    key = NoteKey.read(await owner.fetchval("select vkey from log_keys where purpose = 'log'"))
    checkpoints = await owner.fetch("select size, root, note from log_checkpoints order by size")
    assert checkpoints[-1]["size"] == len(hashes)
    for row in checkpoints:
        note = read_note(row["note"])
        verify_note(note, [key])
        assert read_checkpoint(note.text)[:3] == (key.name, row["size"], row["root"])
        assert row["root"] == tree.root(row["size"])


async def test_a_step_logs_what_waits_and_signs_one_checkpoint(stocked: Kernel, owner: asyncpg.Connection) -> None:
    assert await stocked.transparency.step() == 10
    assert await stocked.transparency.step() == 0

    await assert_whole(owner)
    assert await owner.fetchval("select count(*) from log_checkpoints") == 1


async def test_the_log_goes_on_where_another_process_left_it(
    stocked: Kernel, make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    other = await make_kernel()
    await stocked.transparency.step()
    await record(other, 3)
    await other.transparency.step()
    await record(stocked, 5)
    await stocked.transparency.step()

    await assert_whole(owner)
    assert await owner.fetchval("select count(*) from log_checkpoints") == 3
    assert await owner.fetchval("select count(*) from log_keys") == 1


async def test_many_at_once_log_every_entry_once(
    stocked: Kernel, make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    kernels = [stocked, await make_kernel(), await make_kernel()]

    async def work(kernel: Kernel, id_: UUID) -> None:
        for _ in range(5):
            await record(kernel, 4, id_)
            await kernel.transparency.step()

    await asyncio.gather(*(work(kernel, uuid7(NOON)) for kernel in kernels))
    while await stocked.transparency.step():
        pass

    await assert_whole(owner)


async def test_batches_across_many_tiles_make_one_tree(stocked: Kernel, owner: asyncpg.Connection) -> None:
    fields = {"kind": "bulk.added", "at": NOON, "actor": "system/test", "origin": "", "body": b"{}"}
    entries = [
        Entry(stream="bulk/x", version=version, leaf=leaf_of(stream="bulk/x", version=version, **fields), **fields)  # type: ignore[arg-type]
        for version in range(1, 701)
    ]
    await owner.copy_records_to_table(
        "journal",
        records=[(e.stream, e.version, e.kind, e.at, e.actor, e.origin, e.body, e.leaf) for e in entries],
        columns=["stream", "version", "kind", "at", "actor", "origin", "body", "leaf"],
    )

    steps = [await stocked.transparency.step(200) for _ in range(5)]

    assert steps == [200, 200, 200, 110, 0]
    await assert_whole(owner)
    assert await owner.fetchval("select count(*) from log_nodes where level = 1") == 2


async def test_an_entry_that_commits_late_is_logged_late_and_not_lost(
    stocked: Kernel, owner: asyncpg.Connection
) -> None:
    async with owner.transaction():
        await owner.execute("select pg_current_xact_id()")  # as old as the entries that follow
        await record(stocked, 2)
        assert await stocked.transparency.step() == 10
        assert await stocked.transparency.step() == 0

    assert await stocked.transparency.step() == 3
    await assert_whole(owner)


async def test_a_step_that_breaks_off_leaves_nothing_half_done(
    stocked: Kernel, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stocked.transparency.step()
    await record(stocked, 2)

    async def gone(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(queries, "keep_checkpoint", gone)
        with pytest.raises(ConnectionError):
            await stocked.transparency.step()
    await assert_whole_but(owner, 3)

    assert await stocked.transparency.step() == 3
    await assert_whole(owner)


async def assert_whole_but(owner: asyncpg.Connection, waiting: int) -> None:
    entries = await owner.fetchval("select count(*) from log_entries")
    assert entries + waiting == await owner.fetchval("select count(*) from journal")
    assert entries == await owner.fetchval("select max(size) from log_checkpoints")


async def test_offers_stand_in_the_log_as_salted_commitments(stocked: Kernel, owner: asyncpg.Connection) -> None:
    body = json.dumps({"kind": "auction.offered"}).encode()
    fields = {"kind": "auction.offered", "at": NOON, "actor": "user/x", "origin": "", "body": body}
    for version in (1, 2):
        leaf = leaf_of(stream="auction/x", version=version, **fields)  # type: ignore[arg-type]
        await owner.execute(
            "insert into journal (stream, version, kind, at, actor, origin, body, leaf) "
            "values ('auction/x', $1, $2, $3, $4, $5, $6, $7)",
            version, *fields.values(), leaf,
        )  # fmt: skip

    await stocked.transparency.step()

    salts = [row[0] for row in await owner.fetch("select salt from log_entries where stream = 'auction/x'")]
    assert len({bytes(salt) for salt in salts}) == 2
    assert await owner.fetchval("select count(*) from log_entries where salt is null") == 10
    leaves = [row[0] for row in await owner.fetch("select leaf from journal where stream = 'auction/x'")]
    assert not {leaf_hash(leaf) for leaf in leaves} & set(await logged_hashes(owner))
    await assert_whole(owner)


@pytest.mark.parametrize(
    "tampering",
    [
        "update log_entries set hash = sha256('x') where number = 9",
        "delete from log_entries where number = 9",
        "update log_checkpoints set root = sha256('x')",
        "update log_checkpoints set size = size - 1",
        "update log_checkpoints set note = replace(note, '10', '11')",
    ],
)
async def test_nothing_is_signed_on_top_of_a_log_that_was_tampered_with(
    stocked: Kernel, make_kernel: KernelMaker, owner: asyncpg.Connection, tampering: str
) -> None:
    await stocked.transparency.step()
    await owner.execute(tampering)
    await record(stocked, 1)
    fresh = await make_kernel()  # one that remembers nothing

    with pytest.raises((LogBroken, asyncpg.UniqueViolationError)):
        await fresh.transparency.step()

    assert await owner.fetchval("select count(*) from log_checkpoints") == 1


async def test_a_process_with_another_key_signs_nothing(
    stocked: Kernel, make_kernel: KernelMaker, owner: asyncpg.Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await stocked.transparency.step()
    await record(stocked, 1)
    stranger = await make_kernel(data_dir=tmp_path_factory.mktemp("other"))

    with pytest.raises(OtherKey):
        await stranger.transparency.step()

    assert await owner.fetchval("select count(*) from log_checkpoints") == 1
    assert await stocked.transparency.step() == 2


async def test_whoever_waits_for_an_entry_has_it_logged(stocked: Kernel) -> None:
    ref = str(take("x").streams[0])

    async with asyncio.timeout(10):
        head = await stocked.transparency.integrated(ref, 10)

    assert (head.size, head.at) == (10, NOON)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await stocked.transparency.integrated(ref, 11)


async def test_a_checkpoint_says_when_it_was_made(stocked: Kernel, owner: asyncpg.Connection) -> None:
    stocked.clock.advance(timedelta(minutes=5))  # type: ignore[attr-defined]
    await stocked.transparency.step()

    assert await owner.fetchval("select at from log_checkpoints") == NOON + timedelta(minutes=5)


async def test_however_busy_trading_is_the_log_does_not_wait_for_ever(
    stocked: Kernel, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "YIELD_S_MAX", 0.05)

    task = asyncio.create_task(
        log_module.run_log(stocked.transparency, trading=lambda: Trading.SATURATED, every_s=0.01)
    )
    async with asyncio.timeout(10):
        while not await owner.fetchval("select count(*) from log_entries"):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await owner.fetchval("select count(*) from log_entries") == 10


async def test_while_trading_is_saturated_nothing_is_logged(
    stocked: Kernel, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "YIELD_S_MAX", 1e9)
    task = asyncio.create_task(
        log_module.run_log(stocked.transparency, trading=lambda: Trading.SATURATED, every_s=0.001)
    )

    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await owner.fetchval("select count(*) from log_entries") == 0


async def test_while_trading_is_busy_steps_are_short(
    stocked: Kernel, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "SHORT_LEN_MAX", 4)
    task = asyncio.create_task(log_module.run_log(stocked.transparency, trading=lambda: Trading.BUSY, every_s=0.001))
    async with asyncio.timeout(10):
        while await owner.fetchval("select count(*) from log_entries") < 10:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await owner.fetchval("select array_agg(size order by size) from log_checkpoints") == [4, 8, 10]
