"""
Rebuilding every state from the journal and comparing: ``zhecai verify``.

Checked of each stream: versions run 1, 2, 3 … without a gap; each leaf is the hash of its entry; each body reads as an
event of its kind; and the state that follows is the state row. Checked of all: no state row without a stream, no stream
of a kind that nobody knows.

What this cannot see is the end of a stream that was cut off together with its state row, or before a row that may lag
was written (ADR-0068), and the order in which streams were written relative to each other: that the transparency log
shows (:mod:`kernel.transparency.verify`).

A state is compared with the entries up to the version that the stream had in the same snapshot as the row; the entries
are read after it, for they do not change. So no snapshot is held for longer than a page of rows takes, and a stream of
any length is followed in pages.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from kernel.journal import queries
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.streams import Connection, StreamKind, Versioned, decoder

_PAGE: Final = 200
_ENTRIES: Final = 2_000
_NAMED_MAX: Final = 100

_STREAMS: Final = """
select stream, max(version) from journal where stream > $1 and stream like '{kind}/%'
group by stream order by stream limit $2
"""
"""The kind is written out: under the collation C, which is ours, it becomes a range of the key."""
_ALL: Final = "select stream, max(version) from journal where stream > $1 group by stream order by stream limit $2"
_ROWS: Final = """
select id, exists(select from journal j where j.stream = $1 || s.id::text) from {table} s {after} order by id limit $2
"""


class Difference(NamedTuple):
    """The first thing that is wrong with a stream."""

    stream: str
    version: int
    what: str


class Progress(NamedTuple):
    """How far the check of one kind has come."""

    kind: str
    streams: int
    entries: int


async def verify_kind(
    connection: Connection, kind: StreamKind[Any, Any], table: str | None = None
) -> AsyncIterator[Progress | Difference]:
    """
    Check all streams of a kind: yields progress after each page, and every difference where it is found.

    With ``table`` also that each of its rows has a stream.
    """
    done = Progress(kind.name, 0, 0)
    last = ""
    while page := await _page(connection, kind, last):
        last = page[-1].name
        for portion in _portions(page):
            await _follow(connection, portion)
        for stream in page:
            if difference := stream.difference():
                yield difference
        entries = sum(stream.entries for stream in page)
        done = Progress(kind.name, done.streams + len(page), done.entries + entries)
        yield done
    if table:
        async for difference in _orphans(connection, kind, table):
            yield difference


async def strangers(connection: Connection, known: Sequence[str]) -> list[Difference]:
    """Name the streams whose kind is none of ``known``."""
    found: list[Difference] = []
    last = ""
    while rows := await connection.fetch(_ALL, last, _ENTRIES):
        last = rows[-1][0]
        strange = [(name, version) for name, version in rows if name.partition("/")[0] not in known]
        found += [Difference(name, version, "no kind of stream has this name") for name, version in strange]
    return found[:_NAMED_MAX]


class _Stream:
    """One stream on its way from its first entry to the state that must be its row."""

    def __init__(self, kind: StreamKind[Any, Any], name: str, version: int, row: Versioned[Any] | str | None) -> None:
        """``version`` and ``row`` are of one snapshot."""
        self.name: Final = name
        self.version: Final = version
        self.entries = 0
        self._kind: Final = kind
        self._row: Final = row
        self._state: Any = None
        self._fault = ""

    def take(self, entry: Entry) -> None:
        """Follow one entry; nothing follows a fault, and what was appended since the snapshot is not looked at."""
        if self._fault or entry.version > self.version:
            return
        self.entries += 1
        self._fault, self._state = _evolved(self._kind, self.entries, entry, self._state)

    def difference(self) -> Difference | None:
        """Say what is wrong, now that every entry was taken."""
        if _id_of(self._kind, self.name) is None:
            return Difference(self.name, 1, "this is not the name of a stream")
        fault = self._fault or _compare(self._state, self.entries, self._row)
        return Difference(self.name, self.entries, fault) if fault else None


async def _page(connection: Connection, kind: StreamKind[Any, Any], after: str) -> list[_Stream]:
    """Read the next streams of a kind: how long each is, and its state row."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await connection.fetch(_STREAMS.format(kind=kind.name), after, _PAGE)
        ids = [_id_of(kind, name) for name, _ in found]
        rows = await _load(connection, kind, [id_ for id_ in ids if id_])
    return [
        _Stream(kind, name, version, rows.get(id_) if id_ else None)
        for (name, version), id_ in zip(found, ids, strict=True)
    ]


def _portions(page: Sequence[_Stream]) -> Iterator[list[_Stream]]:
    """Part streams into lots of about ``_ENTRIES`` entries; a longer one is a lot of its own."""
    lot: list[_Stream] = []
    for stream in page:
        if lot and sum(one.version for one in (*lot, stream)) > _ENTRIES:
            yield lot
            lot = []
        lot.append(stream)
    if lot:
        yield lot


async def _follow(connection: Connection, lot: Sequence[_Stream]) -> None:
    """Have every stream take its entries, and of one alone no more than a page at a time."""
    if len(lot) > 1:
        streams = {stream.name: stream for stream in lot}
        for entry in await queries.read_many(connection, [(name, 0) for name in streams]):
            streams[entry.stream].take(entry)
        return
    (stream,) = lot
    last = 0
    while last < stream.version and (found := await queries.read(connection, stream.name, after=last, limit=_ENTRIES)):
        last = found[-1].version
        for entry in found:
            stream.take(entry)


def _id_of(kind: StreamKind[Any, Any], name: str) -> UUID | None:
    """Read the id in a stream's name; ``None`` where it is not the name that we would have given."""
    try:
        id_ = UUID(name.partition("/")[2])
    except ValueError:
        return None
    return id_ if str(kind.ref(id_)) == name else None


async def _load(
    connection: Connection, kind: StreamKind[Any, Any], ids: Sequence[UUID]
) -> dict[UUID, Versioned[Any] | str]:
    """Load state rows; one that cannot be read becomes the sentence that says why."""
    try:
        return dict(await kind.load(connection, ids))
    except (msgspec.DecodeError, ValueError, AssertionError, LookupError, TypeError, AttributeError) as error:
        if len(ids) == 1:
            return {ids[0]: f"the state row cannot be read: {error}"}
    found: dict[UUID, Versioned[Any] | str] = {}
    for id_ in ids:
        found |= await _load(connection, kind, [id_])
    return found


async def _orphans(connection: Connection, kind: StreamKind[Any, Any], table: str) -> AsyncIterator[Difference]:
    """Name the state rows of a kind that no journal entry justifies."""
    page = _ROWS.format(table=table, after="")
    last: list[UUID] = []
    while rows := await connection.fetch(page, f"{kind.name}/", _ENTRIES, *last):
        page, last = _ROWS.format(table=table, after="where id > $3"), [rows[-1][0]]
        for id_ in (id_ for id_, justified in rows if not justified):
            yield Difference(str(kind.ref(id_)), 0, "there is a state row and no entry")


def _evolved(kind: StreamKind[Any, Any], number: int, entry: Entry, state: Any) -> tuple[str, Any]:
    """Check one entry; give what is wrong with it, or the state behind it."""
    if entry.version != number:
        return f"entry {number} is missing, {entry.version} follows", None
    if _leaf(entry) != entry.leaf:
        return "the leaf is not the hash of the entry", None
    try:
        event = decoder(kind)(entry.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"the body is not an event of {kind.name}: {error}", None
    said = str(event.__struct_config__.tag)
    if said != entry.kind:
        return f"the entry is called {entry.kind}, its body {said}", None
    try:
        return "", kind.evolve(state, event, entry.at)
    except Exception as error:  # noqa: BLE001 - who tampers breaks what evolve may rely on, in any way
        return f"{entry.kind} cannot follow here: {error!r}", None


def _compare(state: Any, version: int, row: Versioned[Any] | str | None) -> str:
    """Say how the state row differs from the state that follows from the entries; empty if not at all."""
    if row is None:
        return "there is no state row"
    if isinstance(row, str):
        return row
    if row.version != version:
        return f"the state row is at version {row.version}"
    return "" if row.state == state else f"the state row differs: {_difference(state, row.state)}"


def _leaf(entry: Entry) -> bytes:
    return leaf_of(
        stream=entry.stream,
        version=entry.version,
        kind=entry.kind,
        at=entry.at,
        actor=entry.actor,
        origin=entry.origin,
        body=entry.body,
    )


def _difference(rebuilt: Any, stored: Any) -> str:
    """Name the first field that differs."""
    for field in msgspec.structs.fields(rebuilt):
        ours, theirs = getattr(rebuilt, field.name), getattr(stored, field.name)
        if ours != theirs:
            return f"{field.name} is {theirs!r}, the journal says {ours!r}"
    return "types differ"
