"""What somebody who owns the database cannot change without being found out."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from kernel.journal import verify
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.verify import Difference, Progress, strangers, verify_kind
from kernel.runtime import Kernel
from tests.builders.stock import DDL, ID, STOCK, fill, take
from tests.conftest import NOON

OTHER = UUID("01900000-0000-7000-8000-000000000002")
STREAM = f"stock/{ID}"


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(3))
    await kernel.committer.submit(take("a"))
    await kernel.committer.submit(take("b"))
    await kernel.committer.submit(fill(5, OTHER))
    return kernel


async def differences(kernel: Kernel) -> list[Difference]:
    async with kernel.db.pool.acquire() as connection:
        found = [one async for one in verify_kind(connection, STOCK, "stocks") if isinstance(one, Difference)]
        return found + await strangers(connection, ["stock"])


async def test_a_journal_that_nobody_touched_is_clean_and_everything_was_looked_at(stocked: Kernel) -> None:
    async with stocked.db.pool.acquire() as connection:
        found = [one async for one in verify_kind(connection, STOCK, "stocks")]

    assert found == [Progress("stock", 2, 4)]
    assert await differences(stocked) == []


@pytest.mark.parametrize(
    ("tampering", "version", "what"),
    [
        ("set kind = 'stock.filled'", 2, "the leaf is not the hash"),
        ("set at = at + interval '1 microsecond'", 2, "the leaf is not the hash"),
        ("set actor = 'user/x'", 2, "the leaf is not the hash"),
        ("set origin = ''", 2, "the leaf is not the hash"),
        ('set body = \'{"kind":"stock.taken","by":"x"}\'', 2, "the leaf is not the hash"),
        ("set leaf = sha256('')", 2, "the leaf is not the hash"),
        ("set version = 4", 2, "entry 2 is missing, 3 follows"),
        (f"set stream = 'stock/{OTHER}'", 2, "entry 2 is missing, 3 follows"),
    ],
)
async def test_changing_any_column_of_an_entry_is_found_where_it_was_done(
    stocked: Kernel, owner: asyncpg.Connection, tampering: str, version: int, what: str
) -> None:
    await owner.execute(f"update journal {tampering} where stream = $1 and version = 2", STREAM)

    found = next(one for one in await differences(stocked) if one.stream == STREAM)

    assert (found.version, found.what[: len(what)]) == (version, what)


@pytest.mark.parametrize(
    ("deleted", "version", "what"),
    [
        ("version = 1", 1, "entry 1 is missing, 2 follows"),
        ("version = 2", 2, "entry 2 is missing, 3 follows"),
        ("version = 3", 2, "the state row is at version 3"),
        ("version > 0", 0, "there is a state row and no entry"),
    ],
)
async def test_deleting_entries_is_found(
    stocked: Kernel, owner: asyncpg.Connection, deleted: str, version: int, what: str
) -> None:
    await owner.execute(f"delete from journal where stream = $1 and {deleted}", STREAM)

    assert await differences(stocked) == [Difference(STREAM, version, what)]


def an_entry(**changes: Any) -> Entry:
    """An entry that fits behind the others, with the right leaf."""
    fields = {
        "stream": STREAM,
        "version": 4,
        "kind": "stock.taken",
        "at": NOON,
        "actor": "user/c",
        "origin": "127.0.0.1",
        "body": b'{"kind":"stock.taken","by":"c"}',
        **changes,
    }
    return Entry(**fields, leaf=leaf_of(**fields))


async def insert(owner: asyncpg.Connection, entry: Entry) -> None:
    columns = ("stream", "version", "kind", "at", "actor", "origin", "body", "leaf")
    await owner.execute(
        f"insert into journal ({', '.join(columns)}) values ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(getattr(entry, column) for column in columns),
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (an_entry(), Difference(STREAM, 4, "the state row is at version 3")),
        (an_entry(version=9), Difference(STREAM, 4, "entry 4 is missing, 9 follows")),
        (
            an_entry(kind="stock.filled"),
            Difference(STREAM, 4, "the entry is called stock.filled, its body stock.taken"),
        ),
        (an_entry(body=b"{}"), Difference(STREAM, 4, "the body is not an event of stock")),
        (an_entry(body=b"\xff"), Difference(STREAM, 4, "the body is not an event of stock")),
        (
            an_entry(stream="stock/00000000-0000-7000-8000-00000000000a", version=1),
            Difference("stock/00000000-0000-7000-8000-00000000000a", 1, "stock.taken cannot follow here"),
        ),
        (an_entry(stream="stock/none", version=1), Difference("stock/none", 1, "this is not the name of a stream")),
        (
            an_entry(stream=STREAM.upper().replace("STOCK", "stock"), version=1),
            Difference(STREAM.upper().replace("STOCK", "stock"), 1, "this is not the name of a stream"),
        ),
        (an_entry(stream="stick/1", version=1), Difference("stick/1", 1, "no kind of stream has this name")),
    ],
)
async def test_inserting_an_entry_is_found_even_with_the_right_leaf(
    stocked: Kernel, owner: asyncpg.Connection, entry: Entry, expected: Difference
) -> None:
    await insert(owner, entry)

    (found,) = await differences(stocked)

    assert found._replace(what=found.what[: len(expected.what)]) == expected


@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        ('update stocks set "left" = 2', "the state row differs: left is 2, the journal says 1"),
        (
            "update stocks set buyers = '[\"a\"]'",
            "the state row differs: buyers is ('a',), the journal says ('a', 'b')",
        ),
        ("update stocks set version = 2", "the state row is at version 2"),
        ("update stocks set buyers = '[1]'", "the state row cannot be read"),
        ("delete from stocks", "there is no state row"),
    ],
)
async def test_changing_a_state_row_is_found_and_the_field_is_named(
    stocked: Kernel, owner: asyncpg.Connection, tampering: str, what: str
) -> None:
    await owner.execute(f"{tampering} where id = $1", ID)

    (found,) = await differences(stocked)

    assert (found.stream, found.version, found.what[: len(what)]) == (STREAM, 3, what)


async def test_a_state_row_without_a_stream_is_found(stocked: Kernel, owner: asyncpg.Connection) -> None:
    await owner.execute("insert into stocks values ($1, 1, 5, '[]')", UUID(int=7))

    assert await differences(stocked) == [
        Difference(f"stock/{UUID(int=7)}", 0, "there is a state row and no entry"),
    ]


async def test_many_streams_are_checked_in_pages_and_none_is_left_out(
    stocked: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.journal.verify._PAGE", 3)
    for number in range(8):
        await stocked.committer.submit(fill(1, UUID(int=number + 100)))
    async with stocked.db.pool.acquire() as connection:
        found = [one async for one in verify_kind(connection, STOCK, "stocks")]

    assert [one.streams for one in found if isinstance(one, Progress)] == [3, 6, 9, 10]


async def test_a_stream_of_any_length_is_followed_in_pages(stocked: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernel.journal.verify._ENTRIES", 2)
    await stocked.committer.submit(fill(9))
    for number in range(5):
        await stocked.committer.submit(take(str(number)))
    async with stocked.db.pool.acquire() as connection:
        found = [one async for one in verify_kind(connection, STOCK, "stocks")]

    assert found == [Progress("stock", 2, 10)]


async def test_trading_goes_on_beside_the_check_and_no_snapshot_is_held_between_pages(
    stocked: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.journal.verify._PAGE", 1)
    async with stocked.db.pool.acquire() as connection:
        async for found in verify_kind(connection, STOCK, "stocks"):
            assert isinstance(found, Progress)
            assert not connection.is_in_transaction()
            await stocked.committer.submit(fill(9))

    assert found == Progress("stock", 2, 5)  # this stream grew after the first page, which was the other's


async def test_what_was_appended_since_the_row_was_read_is_not_compared_with_it(
    stocked: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_many = verify.queries.read_many

    async def later(connection: asyncpg.Connection, after: Sequence[tuple[str, int]]) -> list[Entry]:
        await stocked.committer.submit(take("late", OTHER))
        return await read_many(connection, after)

    monkeypatch.setattr(verify.queries, "read_many", later)

    assert await differences(stocked) == []


async def test_every_state_row_is_asked_for_its_stream(
    stocked: Kernel, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.journal.verify._ENTRIES", 2)
    strange = [UUID(int=number) for number in (0, 1, 2, 2**128 - 1)]
    for id_ in strange:
        await owner.execute("insert into stocks values ($1, 1, 5, '[]')", id_)

    assert {one.stream for one in await differences(stocked)} == {f"stock/{id_}" for id_ in strange}


FIELDS: dict[str, Callable[[Entry], Any]] = {
    "stream": lambda entry: entry.stream + "0",
    "version": lambda entry: entry.version + 1,
    "kind": lambda entry: entry.kind[:-1],
    "at": lambda entry: entry.at + timedelta(microseconds=1),
    "actor": lambda entry: entry.actor[1:],
    "origin": lambda entry: entry.origin + " ",
    "body": lambda entry: entry.body + b" ",
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_leaf_depends_on_each_field(field: str) -> None:
    entry = an_entry()

    assert an_entry(**{field: FIELDS[field](entry)}).leaf != entry.leaf


def test_moving_a_letter_from_one_field_to_the_next_changes_the_leaf() -> None:
    assert an_entry(actor="ab", origin="c").leaf != an_entry(actor="a", origin="bc").leaf
    assert an_entry(kind="1:a", actor="").leaf != an_entry(kind="", actor="1:a").leaf


def test_the_leaf_of_an_entry_never_changes_with_the_program() -> None:
    fields = {"stream": "s/1", "version": 1, "kind": "k", "at": NOON, "actor": "a", "origin": "o", "body": b"{}"}

    assert leaf_of(**fields).hex() == "143237dc4d8836771f5c79e3d15f77061c5513a450509f1437200002478b3565"  # type: ignore[arg-type]
