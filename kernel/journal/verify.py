"""
Rebuilding every state from the journal and comparing: ``zhecai verify``.

Checked of each stream: versions run 1, 2, 3 … without a gap; each leaf is the hash of its entry; each body reads as an
event of its kind; and the state that follows is the state row.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from kernel.journal import queries
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.streams import Connection, StreamKind, Versioned, decoder

_PAGE = 200


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


async def verify_kind(connection: Connection, kind: StreamKind[Any, Any]) -> AsyncIterator[Progress | Difference]:
    """Check all streams of a kind: yields progress after each page, and every difference where it is found."""
    streams = entries = 0
    async for ids in queries.stream_ids(connection, kind.name, page=_PAGE):
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await queries.read_many(connection, [(str(kind.ref(id_)), 0) for id_ in ids])
            rows = await kind.load(connection, ids)
        by_stream: dict[str, list[Entry]] = {}
        for entry in found:
            by_stream.setdefault(entry.stream, []).append(entry)
        for id_ in ids:
            difference = _check(kind, id_, by_stream[str(kind.ref(id_))], rows.get(id_))
            if difference:
                yield difference
        streams += len(ids)
        entries += len(found)
        yield Progress(kind.name, streams, entries)


async def orphans(connection: Connection, kind: StreamKind[Any, Any], table: str) -> list[UUID]:
    """Name the state rows of a kind that no journal entry justifies."""
    rows = await connection.fetch(
        f"select id from {table} s where not exists "
        f"(select from journal j where j.stream = $1 || s.id::text and j.version = s.version)",
        f"{kind.name}/",
    )
    return [row[0] for row in rows]


def _check(
    kind: StreamKind[Any, Any], id_: UUID, entries: Sequence[Entry], row: Versioned[Any] | None
) -> Difference | None:
    stream = str(kind.ref(id_))
    state: Any = None
    for number, entry in enumerate(entries, 1):
        if entry.version != number:
            return Difference(stream, number, f"entry {number} is missing, {entry.version} follows")
        if _leaf(entry) != entry.leaf:
            return Difference(stream, number, "the leaf is not the hash of the entry")
        try:
            event = decoder(kind)(entry.body)
        except msgspec.DecodeError as error:
            return Difference(stream, number, f"the body is not an event of {kind.name}: {error}")
        state = kind.evolve(state, event, entry.at)
    if row is None:
        return Difference(stream, len(entries), "there is no state row")
    if row.version != len(entries):
        return Difference(stream, len(entries), f"the state row is at version {row.version}")
    if row.state != state:
        return Difference(stream, len(entries), f"the state row differs: {_difference(state, row.state)}")
    return None


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
