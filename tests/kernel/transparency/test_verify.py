"""Whoever owns the database changes history: ``zhecai verify`` finds it; where the log is written anew, a witness."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from kernel.clock import ManualClock
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.verify import Difference, verify_kind
from kernel.runtime import Kernel
from kernel.transparency.keys import public_key
from kernel.transparency.verify import LOG, LogProgress, verify_log
from tests.builders.logs import captured
from tests.builders.stock import DDL, ID, STOCK, fill, take
from tests.builders.transparency import AWitness, log_key, witnessed_by
from tests.conftest import NOON, KernelMaker

STREAM: Final = f"stock/{ID}"
ENTRIES: Final = 8
PLACES: Final = {"start": 1, "middle": 4, "end": ENTRIES}
"""The version that is tampered with. All entries are of one stream, so their order in the log is that of versions."""

COLUMNS: Final = ("stream", "version", "kind", "at", "actor", "origin", "body", "leaf")


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await fill_journal(kernel, owner)
    return kernel


async def fill_journal(kernel: Kernel, owner: asyncpg.Connection) -> None:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(100))
    for number in range(ENTRIES - 1):
        await kernel.committer.submit(take(str(number)))
        if number == 3:
            await kernel.transparency.step()
    await kernel.transparency.step()


async def differences(kernel: Kernel) -> list[Difference]:
    async with kernel.db.pool.acquire() as connection:
        found = verify_log(connection, public_key(kernel.settings))
        return [one async for one in found if isinstance(one, Difference)]


async def entry_at(owner: asyncpg.Connection, version: int) -> Entry:
    row = await owner.fetchrow(f"select {', '.join(COLUMNS)} from journal where version = $1", version)
    return Entry(*row)


def forged(entry: Entry, **changes: object) -> Entry:
    """An entry whose leaf is right."""
    fields = {name: getattr(entry, name) for name in COLUMNS[:-1]} | changes
    return Entry(**fields, leaf=leaf_of(**fields))


async def change(owner: asyncpg.Connection, version: int) -> None:
    entry = forged(await entry_at(owner, version), actor="user/forged")
    await owner.execute("update journal set actor = $1, leaf = $2 where version = $3", entry.actor, entry.leaf, version)


async def delete(owner: asyncpg.Connection, version: int) -> None:
    """Take an entry out and move those behind it up, so that their versions have no gap."""
    await owner.execute("delete from journal where version = $1", version)
    for behind in range(version + 1, ENTRIES + 1):
        await renumber(owner, behind, behind - 1)
    await owner.execute("update stocks set version = version - 1")


async def insert(owner: asyncpg.Connection, version: int) -> None:
    """Put an entry in and move those behind it down; as old as its neighbour."""
    copied = await entry_at(owner, version)
    xid = await owner.fetchval("select xid::text from journal where version = $1", version)
    for behind in range(ENTRIES, version - 1, -1):
        await renumber(owner, behind, behind + 1)
    entry = forged(copied, actor="user/forged")
    await owner.execute(
        f"insert into journal ({', '.join(COLUMNS)}, xid) values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::xid8)",
        *(getattr(entry, column) for column in COLUMNS), xid,
    )  # fmt: skip
    await owner.execute("update stocks set version = version + 1")


async def renumber(owner: asyncpg.Connection, version: int, to: int) -> None:
    entry = forged(await entry_at(owner, version), version=to)
    await owner.execute("update journal set version = $1, leaf = $2 where version = $3", to, entry.leaf, version)


Tamper = Callable[[asyncpg.Connection, int], Awaitable[None]]
TAMPERINGS: Final[dict[str, Tamper]] = {"change": change, "delete": delete, "insert": insert}
NINE: Final = [(how, place) for how in TAMPERINGS for place in PLACES]


async def test_a_log_that_nobody_touched_is_whole(stocked: Kernel) -> None:
    await stocked.committer.submit(take("waiting"))

    async with stocked.db.pool.acquire() as connection:
        found = [one async for one in verify_log(connection, public_key(stocked.settings))]

    assert found[-1] == LogProgress(entries=ENTRIES, checkpoints=2, waiting=1)
    assert not [one for one in found if isinstance(one, Difference)]


@pytest.mark.parametrize(("how", "place"), NINE)
async def test_any_tampering_with_the_journal_is_found_by_verify(
    stocked: Kernel, owner: asyncpg.Connection, how: str, place: str
) -> None:
    await TAMPERINGS[how](owner, PLACES[place])

    found = await differences(stocked)

    assert found
    assert found[0].stream == STREAM


@pytest.mark.parametrize(("how", "place"), NINE)
async def test_what_the_states_alone_cannot_show_the_log_does(
    stocked: Kernel, owner: asyncpg.Connection, how: str, place: str
) -> None:
    """The forger is careful: no gap, right leaves, and the state row that follows from what is left."""
    await TAMPERINGS[how](owner, PLACES[place])
    await owner.execute("update stocks set version = (select max(version) from journal)")
    async with stocked.db.pool.acquire() as connection:
        states = [one async for one in verify_kind(connection, STOCK) if isinstance(one, Difference)]

    assert not [one for one in states if "leaf" in one.what or "missing" in one.what or "version" in one.what]
    assert await differences(stocked)


async def write_the_log_anew(owner: asyncpg.Connection) -> None:
    """Forget the log, so that the service itself makes and signs another over the journal as it is now."""
    await owner.execute("truncate log_entries, log_nodes, log_checkpoints, log_cosignatures")
    await owner.execute("delete from feed_readers where name = 'log'")


@pytest.fixture
async def witnessed(
    make_kernel: KernelMaker, owner: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[tuple[Kernel, AWitness]]:
    """A journal whose log a witness has cosigned."""
    witness = AWitness(1, tmp_path, ManualClock(NOON))
    kernel = await make_kernel(witnesses=(witness.setting,))
    with witnessed_by(kernel, witness):
        await fill_journal(kernel, owner)
        key = await log_key(kernel)
        witness.logs[key.name] = key
        assert await kernel.transparency.cosign() == 1
        yield kernel, witness


@pytest.mark.parametrize(("how", "place"), NINE)
async def test_a_log_written_anew_over_a_tampered_journal_is_refused_by_a_witness(
    witnessed: tuple[Kernel, AWitness], make_kernel: KernelMaker, owner: asyncpg.Connection, how: str, place: str
) -> None:
    _, witness = witnessed
    await TAMPERINGS[how](owner, PLACES[place])
    await write_the_log_anew(owner)
    fresh = await make_kernel(witnesses=(witness.setting,))
    with witnessed_by(fresh, witness), captured() as said:
        await fresh.transparency.step()
        assert await differences(fresh) == []  # the database and the key agree with each other

        assert await fresh.transparency.cosign(anew=True) == 0

    assert [line["event"] for line in said if line["log_level"] == "error"] == ["witness.refused"]
    assert await owner.fetchval("select count(*) from log_cosignatures") == 0


async def test_a_log_written_anew_over_the_same_journal_is_the_same_log(
    witnessed: tuple[Kernel, AWitness], make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    _, witness = witnessed
    await write_the_log_anew(owner)
    fresh = await make_kernel(witnesses=(witness.setting,))
    with witnessed_by(fresh, witness):
        await fresh.transparency.step()

        assert await fresh.transparency.cosign() == 1


@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        ("update log_entries set hash = sha256('x') where number = 3", "the entry is not the one in the log"),
        ("update log_entries set salt = sha256('x') where number = 3", "the entry is not the one in the log"),
        ("delete from log_entries where number = 3", "leaf 3 is missing, 4 follows"),
        ("delete from log_entries where number = 7", "the checkpoint is over 8 leaves, there are 7"),
        ("update log_entries set number = 9 where number = 7", "leaf 7 is missing, 9 follows"),
        ("update log_checkpoints set root = sha256('x') where size = 8", "checkpoint: the row of checkpoint 8"),
        (r"update log_checkpoints set note = replace(note, E'\n8\n', E'\n9\n') where size = 8", "checkpoint: "),
        ("delete from log_checkpoints where size = 8", "the last checkpoint covers 5 leaves of 8"),
        ("update log_checkpoints set at = at - interval '1 hour' where size = 8", "the checkpoint is older"),
        ("insert into log_nodes values (1, 0, sha256('x'))", "hash 0 of tile level 1 is of no tree"),
        ("insert into log_nodes values (1, 999, sha256('x'))", "hash 999 of tile level 1 is of no tree"),
        ("insert into log_nodes values (7, -1, sha256('x'))", "hash -1 of tile level 7 is of no tree"),
        ("delete from log_keys", "the log's key is not in the database"),
        ("update log_keys set vkey = 'x'", "the log's key: "),
        ("delete from feed_readers where name = 'log'", "the sequencer's position is not that of the last leaf"),
        ("update feed_readers set version = 3 where name = 'log'", "the sequencer's position is not that"),
    ],
)
async def test_tampering_with_the_log_itself_is_found(
    stocked: Kernel, owner: asyncpg.Connection, tampering: str, what: str
) -> None:
    await owner.execute(tampering)

    found = await differences(stocked)

    assert any(one.what.startswith(what) for one in found), found


async def test_trading_and_the_log_go_on_beside_the_check_and_no_snapshot_is_held(
    stocked: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.transparency.verify._PAGE", 3)
    async with stocked.db.pool.acquire() as connection:
        found = []
        async for one in verify_log(connection, public_key(stocked.settings)):
            assert not connection.is_in_transaction()
            found.append(one)
            await stocked.committer.submit(take(f"meanwhile-{len(found)}"))
            await stocked.transparency.step()

    assert found == [LogProgress(5, 1), LogProgress(ENTRIES, 2), LogProgress(ENTRIES, 2, 0)]
    assert await differences(stocked) == []


async def test_every_entry_that_the_log_has_passed_is_looked_for_in_it(
    stocked: Kernel, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.transparency.verify._PAGE", 3)
    await owner.execute("delete from log_entries where number in (1, 5)")

    found = await differences(stocked)

    assert [one for one in found if one.what == "the entry is not in the log"] == [
        Difference(STREAM, 2, "the entry is not in the log"),
        Difference(STREAM, 6, "the entry is not in the log"),
    ]


async def test_a_log_under_another_key_is_not_this_machines(
    stocked: Kernel, make_kernel: KernelMaker, owner: asyncpg.Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await write_the_log_anew(owner)
    await owner.execute("delete from log_keys")
    forger = await make_kernel(data_dir=tmp_path_factory.mktemp("forger"))
    await forger.transparency.step()

    assert await differences(forger) == []
    assert await differences(stocked) == [
        Difference(LOG, 0, "the log's key in the database is not the one of this machine")
    ]


async def test_a_false_cosignature_is_found(witnessed: tuple[Kernel, AWitness], owner: asyncpg.Connection) -> None:
    kernel, _ = witnessed
    await owner.execute("update log_cosignatures set line = replace(line, 'A', 'B')")

    assert [one.what[:12] for one in await differences(kernel)] == ["cosignature:"]


async def test_a_database_in_which_nothing_was_logged_has_no_fault(kernel: Kernel) -> None:
    assert await differences(kernel) == []
