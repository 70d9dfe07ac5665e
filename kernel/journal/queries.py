"""Every statement on the journal. Raw asyncpg: a batch is one round trip whatever its size."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from kernel.journal import lines
from kernel.journal.entry import LEAF_BYTES, Entry
from kernel.journal.streams import Connection

_TURN: Final = 0x7A68656361690001
"""The advisory lock that every writer shares while it appends, and that one who keeps losing takes alone."""

APPENDED: Final = f"""turn as materialized (select pg_advisory_xact_lock_shared({_TURN})),
appended as (
    insert into journal (stream, version, kind, at, actor, origin, body, leaf)
    select e.stream, e.version::bigint, e.kind, e.at::timestamptz, e.actor, e.origin, convert_to(e.body, 'UTF8'),
           substring($8::bytea from {LEAF_BYTES} * (e.place::int - 1) + 1 for {LEAF_BYTES})
    from turn, unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n'), string_to_array($3, E'\\n'),
                      string_to_array($4, E'\\n'), string_to_array($5, E'\\n'),
                      coalesce(nullif(string_to_array($6, E'\\n'), '{{}}'), '{{""}}'),
                      string_to_array(convert_from($7, 'UTF8'), E'\\n'))
        with ordinality as e(stream, version, kind, at, actor, origin, body, place)
)"""
"""
The part of a ``WITH`` that appends entries; a place that is taken fails the statement (:func:`is_taken`).

Each column travels as one text, or as its bytes, with a line a row: none of these texts holds a line break (JSON
escapes them), and encoding eight arrays element by element costs the driver twice the time. One empty origin alone is
no array at all to ``string_to_array``, hence the ``coalesce``.
"""
APPENDED_PARAMETERS: Final = 8
_APPEND: Final = f"with {APPENDED} select pg_current_xact_id()::text"
_PLACES: Final = "journal_"
"""How the tables begin whose key is (stream, version): the journal's partitions."""
_STATUS: Final = "select pg_xact_status($1::text::xid8)"
LIVE: Final = "select pg_advisory_lock($1)"
"""Has a session hold a lock for as long as it lasts: its server process releases it when it has ended, not before."""
_ENDED: Final = "select pg_try_advisory_lock($1) and pg_advisory_unlock($1)"
_ENTER: Final = f"select pg_advisory_xact_lock_shared({_TURN})"
_ENTER_ALONE: Final = f"select pg_advisory_xact_lock({_TURN})"
MOVED: Final = """
select s.stream from unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n')) as s(stream, version)
where s.version::bigint <> coalesce(
    (select j.version from journal j where j.stream = s.stream order by j.version desc limit 1), 0)
"""
THERE: Final = "select from journal where stream = $1::text and version = $2::bigint and leaf = $3::bytea"
"""Finds one entry, if it is the one that is meant."""
_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended(s, 0)) from unnest($1::text[]) as s"
_COLUMNS: Final = "stream, version, kind, at, actor, origin, body, leaf"
_READ: Final = f"select {_COLUMNS} from journal where stream = $1 and version > $2 order by version limit $3"
_READ_MANY: Final = f"""
select {_COLUMNS} from journal join unnest($1::text[], $2::bigint[]) as s(name, after)
on stream = s.name and version > s.after order by stream, version
"""
_LEAF: Final = "select leaf from journal where stream = $1 and version = $2"


def _entry(row: Sequence[object]) -> Entry:
    return Entry(*row)  # type: ignore[arg-type]


async def append(tx: Connection, entries: Sequence[Entry]) -> str | None:
    """
    Append ``entries``, sorted by stream and version; return the id of the transaction that does it.

    Where it returns ``None`` another writer was faster somewhere and the transaction must be rolled back.
    Two writers insert in one order, so they wait for each other but do not deadlock.
    """
    try:
        xid: str | None = await tx.fetchval(_APPEND, *columns(entries))
    except asyncpg.UniqueViolationError as error:
        if is_taken(error):
            return None
        raise
    return xid


def is_taken(error: asyncpg.UniqueViolationError) -> bool:
    """Tell whether an error says that another writer has put an entry where one of ours was to go."""
    return str(error.table_name).startswith(_PLACES)


def columns(entries: Sequence[Entry]) -> list[Any]:
    """Turn entries into what is sent: for each column a text with a line an entry, and the leaves one after another."""
    joined = "\n".join
    return [
        joined([entry.stream for entry in entries]),
        lines.numbers([entry.version for entry in entries]),
        joined([entry.kind for entry in entries]),
        lines.plain([entry.at for entry in entries]),
        joined([entry.actor for entry in entries]),
        joined([entry.origin for entry in entries]),
        b"\n".join([entry.body for entry in entries]),
        b"".join([entry.leaf for entry in entries]),
    ]


async def in_progress(connection: Connection, xid: str) -> bool:
    """Tell whether a transaction whose connection broke is still at work: then nobody can know yet how it ends."""
    try:
        return bool(await connection.fetchval(_STATUS, xid) == "in progress")
    except asyncpg.InvalidParameterValueError:
        return False  # a standby was promoted that never saw it


async def lives(connection: Connection, life: int) -> bool:
    """Tell whether the server process of a session that was lost is still there, maybe at work on a statement."""
    return not await connection.fetchval(_ENDED, life)


async def moved(tx: Connection, streams: Sequence[tuple[str, int]]) -> list[str]:
    """Name the streams that are no longer at the version given with them (0 for absent)."""
    return [row[0] for row in await tx.fetch(MOVED, *versions(streams))]


def versions(streams: Sequence[tuple[str, int]]) -> list[str]:
    """Turn streams and their versions into what :data:`MOVED` takes."""
    return ["\n".join([name for name, _ in streams]), lines.numbers([version for _, version in streams])]


async def enter(tx: Connection, *, alone: bool) -> None:
    """
    Take the turn that :func:`append` takes, before any other lock.

    ``alone`` waits until nobody else is appending and keeps everybody out until the transaction ends: a process that
    decides more slowly than another appends would otherwise lose every race for a stream.
    """
    await tx.execute(_ENTER_ALONE if alone else _ENTER)


async def lock(tx: Connection, streams: Sequence[str]) -> None:
    """Hold ``streams`` (sorted) until the transaction ends, against others who also ask."""
    await tx.execute(_LOCK, list(streams))


async def read(connection: Connection, stream: str, *, after: int = 0, limit: int = 10_000) -> list[Entry]:
    """Read the entries of one stream behind version ``after``, at most ``limit``."""
    return [_entry(row) for row in await connection.fetch(_READ, stream, after, limit)]


async def read_many(connection: Connection, after: Sequence[tuple[str, int]]) -> list[Entry]:
    """Read the entries behind a version of each of several streams, ordered by stream and version."""
    names, versions = zip(*after, strict=True)
    return [_entry(row) for row in await connection.fetch(_READ_MANY, list(names), list(versions))]


async def leaf(connection: Connection, stream: str, version: int) -> bytes | None:
    """Read the leaf of one entry: it tells whether a commit whose answer was lost did happen."""
    found: bytes | None = await connection.fetchval(_LEAF, stream, version)
    return found
