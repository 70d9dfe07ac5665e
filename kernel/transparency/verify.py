"""
Checking the whole log: ``zhecai verify``.

Every entry of the journal is in the tree once and every leaf of the tree is an entry; the tree is the one of the tiles
and of every checkpoint, each signed by the log's key, each larger than the one before and no earlier; cosignatures are
those of their witnesses. With it, an entry that was cut off together with its state row is missed, and so is one that
was put in by hand.

What this cannot see is a log that was written anew as a whole by somebody who holds the key: that is what witnesses,
and everybody who keeps a receipt, are for.

No snapshot is held for longer than a page takes: the log is checked as far as it had come at the start, below which
nothing ever changes, and trading beside it is not slowed by rows that PostgreSQL must keep for us (ADR-0065).

Cost: about 7 µs an entry and 65 bytes of memory for each 256.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple

from crypto.log.commitments import logged
from crypto.log.merkle import leaf_hash
from crypto.log.notes import NoteError, NoteKey, read_lines, read_note, verify_note
from crypto.log.tiles import TILE_WIDTH, Edge, Node
from kernel.journal.feed import Position
from kernel.journal.streams import Connection
from kernel.journal.verify import Difference
from kernel.transparency import queries
from kernel.transparency.queries import Head
from kernel.transparency.sequencer import READER, opened

LOG: Final = "transparency log"
"""Stands for the stream in a difference that is the log's own."""

_PAGE: Final = 2_000
_NAMED_MAX: Final = 100

_ENTRIES: Final = """
select e.number, e.stream, e.version, e.salt, e.hash, j.leaf
from log_entries e left join journal j on j.stream = e.stream and j.version = e.version
where e.number >= $1 and e.number < $2 order by e.number limit $3
"""
_PASSED: Final = """
with page as materialized (
    select xid, stream, version from journal
    where (xid, stream, version) > ($1::text::xid8, $2, $3) and (xid, stream, version) <= ($4::text::xid8, $5, $6)
    order by xid, stream, version limit {limit}
)
select p.xid::text::bigint, p.stream, p.version, e.number is not null
from page p left join log_entries e on e.stream = p.stream and e.version = p.version
order by p.xid, p.stream, p.version
"""
"""The limit is written out: a planner that does not know it may read the whole log for each page."""
_LAST: Final = """
select e.number, j.xid::text::bigint, j.stream, j.version
from log_entries e left join journal j on j.stream = e.stream and j.version = e.version order by e.number desc limit 1
"""
_WAITING: Final = "select count(*) from journal where (xid, stream, version) > ($1::text::xid8, $2, $3)"
_POSITION: Final = "select xid, stream, version from feed_readers where name = $1"
_CHECKPOINTS: Final = """
select size, root, at, note from log_checkpoints where size > $1 and size <= $2 order by size limit $3
"""
_NODES: Final = f"""
select level, number, hash from log_nodes where (number + 1) * {TILE_WIDTH}::numeric ^ level <= $1::bigint
"""
_BEYOND: Final = f"""
select level, number from log_nodes
where (number + 1) * {TILE_WIDTH}::numeric ^ level > (select coalesce(max(size), 0) from log_checkpoints)
order by level, number limit {_NAMED_MAX}
"""
_COSIGNATURES: Final = "select witness, line from log_cosignatures where size = $1"


class LogProgress(NamedTuple):
    """How far the check of the log has come; ``waiting`` entries are not in it yet."""

    entries: int
    checkpoints: int
    waiting: int = 0


class _Extent(NamedTuple):
    """How far the log had come when the check began; what lies below is fixed."""

    size: int
    """Of the last checkpoint."""
    entries: int
    position: Position
    """The sequencer's in the feed."""
    last: Position | None
    """Of the entry that is the last leaf; ``None`` where the journal does not have it, or there is no leaf."""


async def verify_log(connection: Connection, trusted: bytes | None) -> AsyncIterator[LogProgress | Difference]:
    """
    Check the log: yields progress after each page, and every difference where it is found.

    ``trusted`` is the log's public key where it is known from elsewhere than the database.
    """
    key = await _key(connection, trusted)
    if key is None:
        yield LogProgress(0, 0, await connection.fetchval("select count(*) from journal"))
        return
    if isinstance(key, Difference):
        yield key
        return
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        extent = await _extent(connection)
    walk = _Walk(extent.entries)
    async for head in _checkpoints(connection, extent.size):
        async for difference in walk.to(connection, head.size):
            yield difference
        for difference in walk.compare(head, key):
            yield difference
        for difference in await _cosignatures(connection, head):
            yield difference
        yield LogProgress(walk.edge.size, walk.checkpoints)
    async for difference in walk.to(connection, None):
        yield difference
    for difference in (*walk.ends(), *await _nodes(connection, walk.nodes, extent.size)):
        yield difference
    async for difference in _unlogged(connection, extent):
        yield difference
    waiting = await connection.fetchval(_WAITING, *_parameters(await _position(connection)))
    yield LogProgress(walk.edge.size, walk.checkpoints, waiting)


async def _extent(tx: Connection) -> _Extent:
    head, position = await queries.head(tx), await _position(tx)
    last = await tx.fetchrow(_LAST)
    if last is None:
        return _Extent(head.size if head else 0, 0, position, None)
    number, *place = last
    return _Extent(head.size if head else 0, number + 1, position, Position(*place) if place[1] is not None else None)


class _Walk:
    """Rebuilds the tree from the journal's leaves, in the order of the log."""

    def __init__(self, entries: int) -> None:
        """``entries`` is the number behind that of the last leaf that is looked at."""
        self.edge = Edge()
        self.nodes: list[Node] = []
        self.checkpoints = 0
        self._entries: Final = entries
        self._last: Head | None = None
        self._number = 0

    async def to(self, connection: Connection, size: int | None) -> AsyncIterator[Difference]:
        """Take in the entries up to ``size``, or all that are left."""
        while size is None or self.edge.size < size:
            limit = _PAGE if size is None else min(_PAGE, size - self.edge.size)
            rows = await connection.fetch(_ENTRIES, self._number, self._entries, limit)
            if not rows:
                return
            for row in rows:
                for difference in self._take(*row):
                    yield difference

    def _take(
        self, number: int, stream: str, version: int, salt: bytes | None, stored: bytes, leaf: bytes | None
    ) -> Iterator[Difference]:
        if number != self._number:
            yield Difference(LOG, self._number, f"leaf {self._number} is missing, {number} follows")
        self._number = number + 1
        if leaf is None:
            yield Difference(stream, version, f"leaf {number} of the log is an entry that the journal does not have")
        elif leaf_hash(logged(leaf, salt)) != stored:
            yield Difference(stream, version, f"the entry is not the one in the log (leaf {number})")
        self.nodes += self.edge.append([stored])

    def compare(self, head: Head, key: NoteKey) -> Iterator[Difference]:
        """Compare the tree with the checkpoint at its size, and that with the one before."""
        self.checkpoints += 1
        try:
            opened(head, key)
        except NoteError as error:
            yield Difference(LOG, head.size, f"checkpoint: {error}")
        if self.edge.size != head.size:
            yield Difference(LOG, head.size, f"the checkpoint is over {head.size} leaves, there are {self.edge.size}")
        elif self.edge.root() != head.root:
            yield Difference(LOG, head.size, "the tree has another root than the one that was signed")
        if self._last and head.at < self._last.at:
            yield Difference(LOG, head.size, "the checkpoint is older than the one before")
        self._last = head

    def ends(self) -> Iterator[Difference]:
        """Check that the last checkpoint covers the last entry."""
        covered = self._last.size if self._last else 0
        if self.edge.size != covered:
            yield Difference(LOG, covered, f"the last checkpoint covers {covered} leaves of {self.edge.size}")


async def _key(connection: Connection, trusted: bytes | None) -> NoteKey | Difference | None:
    """Give the key to check with, which must be the trusted one; ``None`` where nothing was ever logged."""
    known = await queries.keys(connection, "log")
    if not known:
        begun = await queries.head(connection) is not None or await _position(connection) != Position()
        return Difference(LOG, 0, "the log's key is not in the database") if begun else None
    try:
        key = NoteKey.read(known[0])
    except NoteError as error:
        return Difference(LOG, 0, f"the log's key: {error}")
    if len(known) > 1 or (trusted and key.public != trusted):
        return Difference(LOG, 0, "the log's key in the database is not the one of this machine")
    return key


async def _checkpoints(connection: Connection, size: int) -> AsyncIterator[Head]:
    last = -1
    while rows := await connection.fetch(_CHECKPOINTS, last, size, _PAGE):
        for row in rows:
            yield Head(*row)
        last = rows[-1][0]


async def _cosignatures(connection: Connection, head: Head) -> list[Difference]:
    """Check that each line is the witness's that its row names."""
    found: list[Difference] = []
    for witness, line in await connection.fetch(_COSIGNATURES, head.size):
        try:
            verify_note(read_note(head.note)._replace(lines=read_lines(line)), [NoteKey.read(witness)])
        except NoteError as error:
            found.append(Difference(LOG, head.size, f"cosignature: {error}"))
    return found


async def _nodes(connection: Connection, rebuilt: list[Node], size: int) -> list[Difference]:
    """Compare the tiles above the leaves; there are none of a tree larger than the log."""
    stored = {(level, number): hash_ for level, number, hash_ in await connection.fetch(_NODES, size)}
    wrong = [
        f"hash {node.number} of tile level {node.level} is not that of the tree"
        for node in rebuilt
        if stored.pop((node.level, node.number), None) != node.hash
    ]
    beyond = [(level, number) for level, number in await connection.fetch(_BEYOND)]
    wrong += [f"hash {number} of tile level {level} is of no tree" for level, number in (*sorted(stored), *beyond)]
    return [Difference(LOG, 0, what) for what in wrong[:_NAMED_MAX]]


async def _position(connection: Connection) -> Position:
    row = await connection.fetchrow(_POSITION, READER)
    return Position(*row) if row else Position()


def _parameters(position: Position) -> tuple[str, str, int]:
    return str(position.xid), position.stream, position.version


async def _unlogged(connection: Connection, extent: _Extent) -> AsyncIterator[Difference]:
    """Name the entries that should be in the log, for it has come further, and are not."""
    passed, named = Position(), 0
    page = _PASSED.format(limit=_PAGE)
    while rows := await connection.fetch(page, *_parameters(passed), *_parameters(extent.position)):
        for _, stream, version, found in rows:
            if not found and named < _NAMED_MAX:
                named += 1
                yield Difference(stream, version, "the entry is not in the log")
        passed = Position(*rows[-1][:3])
    if extent.last and extent.last != extent.position:
        yield Difference(LOG, 0, "the sequencer's position is not that of the last leaf")
