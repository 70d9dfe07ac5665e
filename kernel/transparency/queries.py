"""Every statement on the log's tables. Rows are only ever added."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from crypto.log.commitments import COMMITMENT_DOMAIN
from crypto.log.tiles import TILE_HEIGHT, TILE_WIDTH, Edge, Node, Place, cut, levels_of, width_of
from kernel.journal.feed import Position
from kernel.journal.streams import Connection

_TURN: Final = 0x7A68656361690002
"""The advisory lock of the one who sequences."""

_LEAF_DATA: Final = f"""case when {{salt}} is null then {{leaf}}
    else sha256('\\x{COMMITMENT_DOMAIN.hex()}'::bytea || {{salt}} || {{leaf}}) end"""

_TAKE_TURN: Final = f"select pg_try_advisory_xact_lock({_TURN})"
_WAITING: Final = """
select exists(select from journal where (xid, stream, version) > ($1::text::xid8, $2, $3)
              and xid < pg_snapshot_xmin(pg_current_snapshot()))
"""
_SEQUENCE: Final = f"""
with page as materialized (
    select xid, stream, version, leaf,
           case when kind = any($6::text[])
                then uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) end as salt
    from journal
    where (xid, stream, version) > ($1::text::xid8, $2, $3) and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by xid, stream, version limit $4
), numbered as materialized (
    select $5 + row_number() over (order by xid, stream, version) - 1 as number, xid, stream, version, salt,
           sha256('\\x00'::bytea || {_LEAF_DATA.format(salt="salt", leaf="leaf")}) as hash
    from page
), logged as (
    insert into log_entries (number, stream, version, salt, hash)
    select number, stream, version, salt, hash from numbered
)
select string_agg(hash, ''::bytea order by number),
       (select array[xid::text, stream, version::text] from numbered order by number desc limit 1)
from numbered
"""
"""
The database hashes the leaves and draws the salts (244 random bits): nothing of an entry travels but its hash.

``$1`` to ``$3`` are the position behind which to read, ``$4`` how many, ``$5`` the log's size, ``$6`` the kinds that
are committed to.
"""
_HEAD: Final = "select size, root, at, note from log_checkpoints order by size desc limit 1"
_CHECKPOINT: Final = "insert into log_checkpoints (size, root, at, note) values ($1, $2, $3, $4)"
_NODES: Final = """
insert into log_nodes (level, number, hash) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
"""
_LEAVES: Final = "select hash from log_entries where number >= $1 and number < $2 order by number"
_LEVEL: Final = "select hash from log_nodes where level = $3 and number >= $1 and number < $2 order by number"
_TILES: Final = f"""
select t.level, t.number, (
    select string_agg(hash, ''::bytea order by number) from (
        select e.number, e.hash from log_entries e
        where t.level = 0 and e.number >= t.number * {TILE_WIDTH} and e.number < t.number * {TILE_WIDTH} + t.width
        union all
        select n.number, n.hash from log_nodes n
        where n.level = t.level and n.number >= t.number * {TILE_WIDTH} and n.number < t.number * {TILE_WIDTH} + t.width
    ) as hashes
) from unnest($1::int[], $2::bigint[], $3::int[]) as t(level, number, width)
"""
_BUNDLE: Final = f"""
select string_agg('\\x0020'::bytea || {_LEAF_DATA.format(salt="e.salt", leaf="j.leaf")}, ''::bytea order by e.number),
       count(*)
from log_entries e join journal j on j.stream = e.stream and j.version = e.version
where e.number >= $1 and e.number < $2
"""
_COSIGNED: Final = "select witness, max(size) from log_cosignatures where witness = any($1::text[]) group by witness"
_KEEP_LINE: Final = """
insert into log_cosignatures (size, witness, at, line) values ($1, $2, $3, $4) on conflict do nothing
"""
_LINES: Final = "select line from log_cosignatures where size = $1 order by witness"
_COVERED: Final = """
select c.size, c.root, c.at, c.note from log_checkpoints c where c.size > $1
and (select count(*) from log_cosignatures s where s.size = c.size and s.witness = any($2::text[])) >= $3
order by c.size desc limit 1
"""
_NUMBER: Final = "select number from log_entries where stream = $1 and version = $2"
_KEYS: Final = "select vkey from log_keys where purpose = $1 order by at, vkey"
_KEEP_KEY: Final = """
insert into log_keys (purpose, vkey, at) select $1, $2, $3
where $1 <> 'log' or not exists (select from log_keys where purpose = 'log') on conflict do nothing
"""


class Head(NamedTuple):
    """A checkpoint as it is kept; ``note`` is signed by the log."""

    size: int
    root: bytes
    at: datetime
    note: str


async def take_turn(tx: Connection) -> bool:
    """Become the one who sequences until the transaction ends; ``False`` where another process is at it."""
    return bool(await tx.fetchval(_TAKE_TURN))


async def is_waiting(connection: Connection, after: Position) -> bool:
    """Tell whether the journal has entries behind a position."""
    return bool(await connection.fetchval(_WAITING, str(after.xid), after.stream, after.version))


async def sequence(
    tx: Connection, after: Position, *, size: int, limit: int, committed: Iterable[str]
) -> tuple[list[bytes], Position]:
    """Give the next entries of the journal their places in the log; return their hashes, and how far this is."""
    row = await tx.fetchrow(_SEQUENCE, str(after.xid), after.stream, after.version, limit, size, list(committed))
    if row[0] is None:
        return [], after
    xid, stream, version = row[1]
    return cut(row[0]), Position(int(xid), stream, int(version))


async def head(connection: Connection) -> Head | None:
    """Read the latest checkpoint."""
    row = await connection.fetchrow(_HEAD)
    return Head(*row) if row else None


async def keep_checkpoint(tx: Connection, checkpoint: Head, nodes: Sequence[Node]) -> None:
    """Store a checkpoint and the tiles that became full on the way to it."""
    if nodes:
        levels, numbers, hashes = zip(*nodes, strict=True)
        await tx.execute(_NODES, list(levels), list(numbers), list(hashes))
    await tx.execute(_CHECKPOINT, *checkpoint)


async def edge(connection: Connection, size: int) -> Edge:
    """
    Read the right edge of the tree of ``size``.

    Raises:
        ValueError: Hashes are missing.
    """
    levels: list[list[bytes]] = []
    for level in range(levels_of(size)):
        stop = size >> (TILE_HEIGHT * level)
        start = stop // TILE_WIDTH * TILE_WIDTH
        asked = (_LEVEL, start, stop, level) if level else (_LEAVES, start, stop)
        levels.append([row[0] for row in await connection.fetch(*asked)])
    return Edge(levels, size)


async def tiles(connection: Connection, places: Iterable[Place], size: int) -> dict[Place, bytes]:
    """Read tiles as they are in the tree of ``size``; one without hashes is left out."""
    asked = [(*place, width_of(place, size)) for place in places]
    if not asked:
        return {}
    rows = await connection.fetch(_TILES, *map(list, zip(*asked, strict=True)))
    return {Place(level, number): hashes for level, number, hashes in rows if hashes is not None}


async def bundle(connection: Connection, number: int, width: int) -> tuple[bytes, int]:
    """Read the data of leaves as an entry bundle, and how many there are."""
    start = number * TILE_WIDTH
    data, count = await connection.fetchrow(_BUNDLE, start, start + width)
    return data or b"", count


async def number_of(connection: Connection, stream: str, version: int) -> int | None:
    """Tell which leaf of the log an entry is."""
    found: int | None = await connection.fetchval(_NUMBER, stream, version)
    return found


async def covering(connection: Connection, number: int, *, witnesses: Sequence[str], least: int) -> Head | None:
    """Read the latest checkpoint over a leaf that at least so many of these ``witnesses`` have cosigned."""
    row = await connection.fetchrow(_COVERED, number, list(witnesses), least)
    return Head(*row) if row else None


async def cosigned(connection: Connection, witnesses: Sequence[str]) -> dict[str, int]:
    """Tell the largest size that each witness has cosigned."""
    return dict(await connection.fetch(_COSIGNED, list(witnesses)))


async def keep_line(connection: Connection, *, size: int, witness: str, at: datetime, line: str) -> None:
    """Store a cosignature; one that is there already stays."""
    await connection.execute(_KEEP_LINE, size, witness, at, line)


async def lines(connection: Connection, size: int) -> list[str]:
    """Read the cosignatures under the checkpoint of a size."""
    return [row[0] for row in await connection.fetch(_LINES, size)]


async def keys(connection: Connection, purpose: str) -> list[str]:
    """Read the public keys of a purpose, the oldest first."""
    return [row[0] for row in await connection.fetch(_KEYS, purpose)]


async def keep_key(connection: Connection, purpose: str, vkey: str, at: datetime) -> None:
    """Publish a key; the log has one only, the first."""
    await connection.execute(_KEEP_KEY, purpose, vkey, at)
