"""
Rebuilding every state from the journal and comparing: ``zhecai verify``.

Checked of each stream: versions run 1, 2, 3 … without a gap; each leaf is the hash of its entry; each body reads as an
event of its kind; and the state that follows is the state row. Checked of all: no state row without a stream, no stream
of a kind that nobody knows.

What this cannot see is the end of a stream that was cut off together with its state row, and the order in which
streams were written relative to each other: that the transparency log shows (:mod:`kernel.transparency.verify`).
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from kernel.journal import queries
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.streams import Connection, StreamKind, Versioned, decoder

_PAGE: Final = 200
_NAMED_MAX: Final = 100

_STREAMS: Final = """
select distinct stream from journal where stream > $1 and split_part(stream, '/', 1) = $2 order by stream limit $3
"""
_STRANGE: Final = """
select stream, max(version) from journal where split_part(stream, '/', 1) <> all($1)
group by stream order by stream limit $2
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
    streams = entries = 0
    last = ""
    while rows := await connection.fetch(_STREAMS, last, kind.name, _PAGE):
        last = rows[-1][0]
        ids = {name: _id_of(kind, name) for (name,) in rows}
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await queries.read_many(connection, [(name, 0) for name in ids])
            states = await _load(connection, kind, [id_ for id_ in ids.values() if id_ is not None])
        by_stream: dict[str, list[Entry]] = {}
        for entry in found:
            by_stream.setdefault(entry.stream, []).append(entry)
        for name, id_ in ids.items():
            difference = _check(kind, name, by_stream[name], states.get(id_) if id_ else None)
            if difference:
                yield difference
        streams += len(ids)
        entries += len(found)
        yield Progress(kind.name, streams, entries)
    for id_ in await _orphans(connection, kind, table) if table else ():
        yield Difference(str(kind.ref(id_)), 0, "there is a state row and no entry")


async def strangers(connection: Connection, known: Sequence[str]) -> list[Difference]:
    """Name the streams whose kind is none of ``known``."""
    rows = await connection.fetch(_STRANGE, list(known), _NAMED_MAX)
    return [Difference(stream, version, "no kind of stream has this name") for stream, version in rows]


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
    except (msgspec.DecodeError, ValueError, AssertionError, LookupError) as error:
        if len(ids) == 1:
            return {ids[0]: f"the state row cannot be read: {error}"}
    found: dict[UUID, Versioned[Any] | str] = {}
    for id_ in ids:
        found |= await _load(connection, kind, [id_])
    return found


async def _orphans(connection: Connection, kind: StreamKind[Any, Any], table: str) -> list[UUID]:
    """Name the state rows of a kind that no journal entry justifies."""
    rows = await connection.fetch(
        f"select id from {table} s where not exists (select from journal j where j.stream = $1 || s.id::text) "
        f"order by id limit {_NAMED_MAX}",
        f"{kind.name}/",
    )
    return [row[0] for row in rows]


def _check(
    kind: StreamKind[Any, Any], stream: str, entries: Sequence[Entry], row: Versioned[Any] | str | None
) -> Difference | None:
    if _id_of(kind, stream) is None:
        return Difference(stream, 1, "this is not the name of a stream")
    state: Any = None
    for number, entry in enumerate(entries, 1):
        fault, state = _follow(kind, number, entry, state)
        if fault:
            return Difference(stream, number, fault)
    fault = _compare(state, len(entries), row)
    return Difference(stream, len(entries), fault) if fault else None


def _follow(kind: StreamKind[Any, Any], number: int, entry: Entry, state: Any) -> tuple[str, Any]:
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
