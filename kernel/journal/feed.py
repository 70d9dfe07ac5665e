"""
The feed: all entries in the order in which they became visible, without skipping one that commits late.

A clock or a sequence number is drawn before the commit, so a reader that remembers the highest it saw
passes over what commits behind it (ProZorro's feed does). Here a reader sees a transaction's entries only
when every transaction with a lower id has ended: ``xid < pg_snapshot_xmin(pg_current_snapshot())``, in the
order (xid, stream, version). A long transaction anywhere in the cluster delays the feed and loses nothing.
"""

from typing import Final, NamedTuple

from kernel.journal.entry import Entry
from kernel.journal.streams import Connection

_READ: Final = """
select xid::text::bigint, stream, version, kind, at, actor, origin, body, leaf from journal
where (xid, stream, version) > ($1::text::xid8, $2, $3)
  and xid < pg_snapshot_xmin(pg_current_snapshot())
order by xid, stream, version limit $4
"""
_POSITION: Final = "select xid, stream, version from feed_readers where name = $1 for update"
_ADVANCE: Final = """
insert into feed_readers (name, xid, stream, version) values ($1, $2, $3, $4)
on conflict (name) do update set xid = excluded.xid, stream = excluded.stream, version = excluded.version
"""


class Position(NamedTuple):
    """How far a reader has come: everything up to and including this entry is done."""

    xid: int = 0
    stream: str = ""
    version: int = 0


async def read(connection: Connection, after: Position, *, limit: int = 1_000) -> tuple[list[Entry], Position]:
    """Read the next entries behind ``after`` and the position behind the last of them."""
    rows = await connection.fetch(_READ, str(after.xid), after.stream, after.version, limit)
    if not rows:
        return [], after
    return [Entry(*row[1:]) for row in rows], Position(rows[-1][0], rows[-1][1], rows[-1][2])


async def position(tx: Connection, reader: str) -> Position:
    """Read and lock a named reader's position: its next page and its advance are one transaction."""
    row = await tx.fetchrow(_POSITION, reader)
    return Position(*row) if row else Position()


async def advance(tx: Connection, reader: str, to: Position) -> None:
    """Store how far a named reader has come, in the transaction that holds what it made of the entries."""
    await tx.execute(_ADVANCE, reader, to.xid, to.stream, to.version)
