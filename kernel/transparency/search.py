"""Searching the log: which entries there are, of which stream, kind and person, and when; never what is in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from kernel.journal.streams import Connection
from kernel.paging import Page, decode_cursor, encode_cursor
from kernel.transparency.policy import COMMITTED

SCANNED_MAX: Final = 50_000
"""Leaves that one request looks through: a rare kind takes several requests and holds up nobody."""

_FIND: Final = """
select e.number, e.stream, e.version, j.kind, j.at,
       case when e.salt is not null and not exists (
           select from journal done where done.stream = e.stream and done.kind = any($8::text[])
       ) then '' else j.actor end as actor,
       j.origin, encode(j.leaf, 'hex') as leaf, e.salt is not null as committed
from log_entries e join journal j on j.stream = e.stream and j.version = e.version
where e.number < $1 and e.number >= $2
  and ($3 = '' or e.stream = $3 or e.stream like $3 || '/%')
  and ($4 = '' or j.kind = $4 or j.kind like $4 || '.%')
  and ($5 = '' or (j.actor = $5 and e.salt is null))
  and ($6::timestamptz is null or j.at >= $6) and ($7::timestamptz is null or j.at < $7)
order by e.number desc limit $9
"""
_OF_STREAM: Final = _FIND.replace("and e.number >= $2", "and $2::bigint is not null")
_TOP: Final = "select coalesce(max(number), -1) + 1 from log_entries"


class Wanted(msgspec.Struct, frozen=True):
    """
    What is looked for; what is empty does not narrow.

    ``stream`` and ``kind`` may end before their slash or dot: ``order`` finds all orders, ``auction`` all of auctions.
    """

    stream: str = ""
    kind: str = ""
    actor: str = ""
    since: datetime | None = None
    before: datetime | None = None


class LogRow(msgspec.Struct, frozen=True):
    """
    One entry of the log. ``actor`` is empty while it must not be known; ``leaf`` is the entry's hash in hexadecimal.

    ``committed`` says that the log holds a commitment to the leaf.
    """

    number: int
    stream: str
    version: int
    kind: str
    at: datetime
    actor: str
    origin: str
    leaf: str
    committed: bool


async def find(connection: Connection, wanted: Wanted, *, cursor: str | None, limit: int) -> Page[LogRow]:
    """
    List entries, the latest first. A page may be short, even empty, and still have a next one: see ``SCANNED_MAX``.

    Raises:
        Invalid: The cursor is not one of ours.
    """
    below = decode_cursor(cursor, (int,))[0] if cursor else await connection.fetchval(_TOP)
    of_one = "/" in wanted.stream  # its entries are found by an index, however old
    floor = 0 if of_one else max(0, below - SCANNED_MAX)
    opening: Sequence[str] = sorted({kind for kinds in COMMITTED.values() for kind in kinds})
    filters = (wanted.stream, wanted.kind, wanted.actor, wanted.since, wanted.before, opening)
    rows = await connection.fetch(_OF_STREAM if of_one else _FIND, below, floor, *filters, limit + 1)
    found = tuple(LogRow(**dict(row)) for row in rows[:limit])
    if len(rows) > limit:
        return Page(found, encode_cursor((found[-1].number,)))
    return Page(found, encode_cursor((floor,)) if floor else None)
