"""
The sequencer: gives the journal's entries their places in the log, batch by batch, and signs a checkpoint for each.

It reads the feed, so an entry that commits late is not passed over. Whoever holds the lock sequences; every service
process tries, and one that dies leaves nothing half done: places, tiles, checkpoint and position are one transaction.
"""

import asyncio
from typing import Final

import structlog

from crypto.log.checkpoints import Checkpoint, read_checkpoint
from crypto.log.notes import Note, NoteError, NoteKey, NoteSigner, read_note, verify_note
from crypto.log.tiles import Edge
from kernel.clock import Clock
from kernel.db.database import Database
from kernel.journal import feed
from kernel.journal.streams import Connection
from kernel.metrics import LOG_ENTRIES
from kernel.transparency import queries
from kernel.transparency.policy import COMMITTED
from kernel.transparency.queries import Head

READER: Final = "log"
"""The name of the sequencer's position in the feed."""

BATCH_LEN_MAX: Final = 512
"""Entries that share one checkpoint, at most: a step of 4,096 kept PostgreSQL from trading for 80 ms."""
SHORT_LEN_MAX: Final = 128
"""The same beside a process that is busy trading: every fourth step of 512 kept a batch of offers waiting over 5 ms."""

log = structlog.get_logger()


class LogBroken(Exception):
    """The log's rows are not what its last checkpoint says: nothing more is signed until somebody has looked."""


class OtherKey(Exception):
    """The log in the database was begun with another key than the one of this process."""


class Sequencer:
    """One process's part in the log."""

    def __init__(self, db: Database, clock: Clock, signer: NoteSigner) -> None:
        """``signer`` is the log's key; its name is the log's origin."""
        self._db: Final = db
        self._clock: Final = clock
        self._signer: Final = signer
        self._one_at_a_time: Final = asyncio.Lock()
        self._edge: Edge | None = None
        self._seen = feed.Position()

    async def step(self, len_max: int = BATCH_LEN_MAX) -> int:
        """
        Log what waits, at most ``len_max`` entries; return how many.

        0 also where another process is at it. Calling it twice at once is harmless.

        Raises:
            LogBroken: the tree is not the one that was signed.
            OtherKey: this process has not the log's key.
        """
        async with self._one_at_a_time, self._db.pool.acquire() as connection:
            if not await queries.is_waiting(connection, self._seen):
                return 0
            logged, seen = 0, self._seen
            try:
                async with connection.transaction():
                    if await queries.take_turn(connection):
                        logged, seen = await self._batch(connection, len_max)
            except BaseException:
                self._edge = None  # maybe ahead of what is stored
                raise
            self._seen = seen
        LOG_ENTRIES.inc(logged)
        return logged

    async def _batch(self, tx: Connection, len_max: int) -> tuple[int, feed.Position]:
        """Log one batch; give its length and how far the log has come."""
        await self._check_key(tx)
        after = await feed.position(tx, READER)
        edge = await self._right_edge(tx)
        hashes, to = await queries.sequence(tx, after, size=edge.size, limit=len_max, committed=COMMITTED)
        if not hashes:
            return 0, to
        nodes = edge.append(hashes)
        root = edge.root()
        text = str(Checkpoint(self._signer.key.name, edge.size, root))
        note = Note(text, (self._signer.sign(text),))
        await queries.keep_checkpoint(tx, Head(edge.size, root, self._clock.now(), str(note)), nodes)
        await feed.advance(tx, READER, to)
        return len(hashes), to

    async def _check_key(self, tx: Connection) -> None:
        if self._edge is not None:
            return
        await queries.keep_key(tx, "log", str(self._signer.key), self._clock.now())
        (known,) = await queries.keys(tx, "log")
        if known != str(self._signer.key):
            raise OtherKey(f"the log is {known}, the key here is {self._signer.key}")

    async def _right_edge(self, tx: Connection) -> Edge:
        """Give the edge of the tree as it is stored; what this process remembers is checked against the last size."""
        head = await queries.head(tx)
        size = head.size if head else 0
        if self._edge is None or self._edge.size != size:
            self._edge = await checked_edge(tx, head, self._signer.key)
        return self._edge


async def checked_edge(connection: Connection, head: Head | None, key: NoteKey) -> Edge:
    """
    Read the right edge below a checkpoint.

    Raises:
        LogBroken: it does not have the root that was signed, or it was not signed by ``key``.
    """
    if head is None:
        return Edge()
    try:
        checkpoint = opened(head, key)
        edge = await queries.edge(connection, checkpoint.size)
    except ValueError as error:
        raise LogBroken(str(error)) from error
    if edge.root() != checkpoint.root:
        raise LogBroken(f"the tree of {checkpoint.size} has another root than the one that was signed")
    return edge


def opened(head: Head, key: NoteKey) -> Checkpoint:
    """
    Read a stored checkpoint.

    Raises:
        NoteError: it is not signed by the log's ``key``, or its row says something else than the note.
    """
    note = read_note(head.note)
    verify_note(note, [key])
    checkpoint = read_checkpoint(note.text)
    if checkpoint != Checkpoint(key.name, head.size, head.root):
        raise NoteError(f"the row of checkpoint {head.size} says something else than what was signed")
    return checkpoint
