"""A batch that was sent to the database and has not been answered: what is needed to see it through."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from kernel.commit.batch import Batch, Outcome, Pending, Ref
from kernel.journal.streams import Versioned


class Anchor(NamedTuple):
    """One entry of a batch: where it is, the batch is, for a transaction is there whole or not at all."""

    stream: str
    version: int
    leaf: bytes


class Flight(msgspec.Struct, gc=False):
    """
    A batch whose COMMIT is under way.

    ``xid`` is that of its transaction, or ``None`` where one statement is also the commit; then ``answer`` is told,
    and ``life`` names the session that runs it. ``waiting`` are the streams whose rows it leaves owed, ``paid`` the
    rows that it writes for batches before it (:mod:`kernel.commit.owed`).
    """

    batch: Batch
    pending: list[Pending]
    outcomes: list[Outcome]
    sent_s: float
    xid: str | None = None
    life: int = 0
    answer: asyncio.Future[None] | None = None
    waiting: frozenset[Ref] = frozenset()
    paid: Mapping[Ref, Versioned[Any]] = {}

    @property
    def anchor(self) -> Anchor:
        """Name an entry that tells whether the batch came to be."""
        entry = next(iter(self.batch.entries.values()))[0]
        return Anchor(entry.stream, entry.version, entry.leaf)
