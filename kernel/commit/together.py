"""
One statement for everything that a batch writes: its entries, its idempotency keys, its state rows.

Every round trip to the database costs two wake-ups, and while it lasts all callers of the batch wait. The writes of
a batch are known before the first of them is sent, so they travel as one statement: the journal's insert is what its
result is made of, the rest are further data-modifying parts of its ``WITH``. A batch is then three round trips (BEGIN,
this, COMMIT) whatever it touches.

All parts see the database as it was before the statement, and PostgreSQL promises no order among them. So only kinds
take part whose saves touch rows of their own (:attr:`~kernel.journal.streams.StreamKind.in_one`); for all others,
and when anything goes wrong, the committer writes one after the other as it always could.

Cost: see ``zhecai bench auction`` and ``zhecai bench orders``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from kernel.commit import keys
from kernel.commit.keys import Answer
from kernel.journal import queries
from kernel.journal.entry import Entry
from kernel.journal.streams import Change, Connection, StreamKind

PARTS_MAX: Final = 24
"""Statements of saves that are put into one; a batch with more writes them one after the other."""

_PARAMETER: Final = re.compile(r"\$(\d+)")


class Written(NamedTuple):
    """What became of a batch's writes; ``xid`` is ``None`` where another writer was faster."""

    xid: str | None
    keys_free: bool
    moved: Sequence[str]


class Collector:
    """Stands in for a connection while a save says what it would execute."""

    def __init__(self) -> None:
        self.parts: Final[list[tuple[str, tuple[Any, ...]]]] = []

    async def execute(self, statement: str, *values: Any) -> str:
        """Note a statement."""
        self.parts.append((statement, values))
        return ""

    async def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Note a statement for each row."""
        self.parts.extend((statement, tuple(row)) for row in rows)


async def collected(
    changes: Mapping[StreamKind[Any, Any], Sequence[Change[Any, Any]]],
) -> list[tuple[str, tuple[Any, ...]]] | None:
    """Collect the statements of all saves; ``None`` where they may not be put into one."""
    if not all(kind.in_one for kind in changes):
        return None
    collector: Any = Collector()
    for kind, changed in changes.items():
        await kind.save(collector, changed)
    return collector.parts if len(collector.parts) <= PARTS_MAX else None


async def write(
    tx: Connection,
    entries: Sequence[Entry],
    answers: Sequence[Answer],
    read: Sequence[tuple[str, int]],
    parts: Sequence[tuple[str, tuple[Any, ...]]],
) -> Written:
    """
    Write everything, and look whether the streams of ``read`` are still at the version that was read.

    The transaction is to be rolled back where another was faster, a key was taken or a stream has moved.
    """
    values: list[Any] = [*queries.columns(entries)]
    if answers:
        values += keys.columns(answers)
    if read:
        values += [[name for name, _ in read], [version for _, version in read]]
    for _, own in parts:
        values += own
    shape = tuple((statement, len(own)) for statement, own in parts)
    row = await tx.fetchrow(_statement(shape, keyed=bool(answers), reading=bool(read)), *values)
    return Written(row["xid"], row["keys_free"], row["moved"])


@lru_cache(maxsize=256)
def _statement(parts: tuple[tuple[str, int], ...], *, keyed: bool, reading: bool) -> str:
    """Put the statement together; the same shape gives the same text, which the driver has prepared."""
    clauses = [queries.APPENDED]
    following = queries.APPENDED_PARAMETERS
    keys_free, moved = "true", "array[]::text[]"
    if keyed:
        clauses.append(f"kept as ({_shifted(keys.KEEP, following)} returning 1)")
        keys_free = f"(select count(*) from kept) = cardinality(${following + 1}::text[])"
        following += keys.KEEP_PARAMETERS
    if reading:
        moved = f"array({_shifted(queries.MOVED, following)})"
        following += 2
    for number, (statement, size) in enumerate(parts):
        clauses.append(f"part{number} as ({_shifted(statement, following)})")
        following += size
    return f"with {', '.join(clauses)} select {queries.APPENDED_XID} as xid, {keys_free} as keys_free, {moved} as moved"


def _shifted(statement: str, by: int) -> str:
    """Number the parameters of a statement on from ``by``."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", statement)
