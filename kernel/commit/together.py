"""
One statement for everything that a batch writes: its entries, its idempotency keys, its state rows.

Every round trip to the database costs two wake-ups, and while it lasts all callers of the batch wait. The writes of
a batch are known before the first of them is sent, so they travel as one statement, which is its own transaction:
the journal's insert is what its result is made of, the rest are further data-modifying parts of its ``WITH``. A batch
is then one round trip instead of five (offers) or twelve (orders).

All parts see the database as it was before the statement, and PostgreSQL promises no order among them. So only kinds
take part whose saves touch rows of their own (:attr:`~kernel.journal.streams.StreamKind.in_one`); for all others,
and when anything goes wrong, the committer writes one after the other as it always could.

Cost: see ``zhecai bench auction`` and ``zhecai bench orders``.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import asyncpg

from kernel.commit import keys
from kernel.commit.flight import Anchor
from kernel.commit.keys import Answer
from kernel.db.database import COMMAND_S
from kernel.db.pipeline import Pipeline
from kernel.journal import queries
from kernel.journal.entry import Entry
from kernel.journal.streams import Change, StreamKind

PARTS_MAX: Final = 24
"""Statements of saves that are put into one; a batch with more writes them one after the other."""

_PARAMETER: Final = re.compile(r"\$(\d+)")


class Lost(StrEnum):
    """Why a batch that was written at once was not committed."""

    FASTER = "zhecai-faster"  # another writer appended to one of its streams
    KEY = "zhecai-key"  # one of its idempotency keys was answered before
    MOVED = "zhecai-moved"  # a stream that was only read is no longer as it was
    BEHIND = "zhecai-behind"  # the batch that it was decided on top of did not come to be


class NotCommittedError(Exception):
    """The database rolled back what was written at once, for the reason that is the argument."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(lost)
        self.lost: Final = lost


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


def collected(
    changes: Mapping[StreamKind[Any, Any], Sequence[Change[Any, Any]]],
) -> list[tuple[str, tuple[Any, ...]]] | None:
    """Collect the statements of all saves; ``None`` where they may not be put into one."""
    if not all(kind.in_one for kind in changes):
        return None
    collector: Any = Collector()
    for kind, changed in changes.items():
        _at_once(kind.save(collector, changed))
    return collector.parts if len(collector.parts) <= PARTS_MAX else None


def _at_once(saving: Awaitable[None]) -> None:
    """Run a save to its end: with a collector in place of a connection there is nothing that it could wait for."""
    steps = saving.__await__()
    with contextlib.suppress(StopIteration):
        next(steps)
        raise AssertionError("a save that goes into one statement waits for nothing but its connection")


def send(
    pipeline: Pipeline,
    entries: Sequence[Entry],
    answers: Sequence[Answer],
    read: Sequence[tuple[str, int]],
    parts: Sequence[tuple[str, tuple[Any, ...]]],
    behind: Anchor | None,
) -> asyncio.Future[None]:
    """
    Write everything and look whether the streams of ``read`` are still at the version that was read.

    ``behind`` is an entry of the batch that was sent before and not answered yet: where it did not come to be, neither
    does this one. It is a transaction of its own: one round trip, and durable when :func:`committed` returns.
    """
    shape = tuple((statement, len(own)) for statement, own in parts)
    statement = _commit_statement(shape, keyed=bool(answers), reading=bool(read), following=behind is not None)
    return pipeline.send(statement, _values(entries, answers, read, parts, behind))


async def committed(answer: asyncio.Future[None]) -> None:
    """
    Wait until what was sent is durable.

    Raises:
        NotCommittedError: nothing was written, and why: the statement ends in an error, so PostgreSQL undoes it.
    """
    try:
        async with asyncio.timeout(COMMAND_S):
            await answer
    except asyncpg.UniqueViolationError as error:
        if not queries.is_taken(error):
            raise
        raise NotCommittedError(Lost.FASTER) from None
    except asyncpg.InvalidTextRepresentationError as error:
        found = next((lost for lost in Lost if lost.value in str(error)), None)
        if found is None:
            raise
        raise NotCommittedError(found) from None


def _values(
    entries: Sequence[Entry],
    answers: Sequence[Answer],
    read: Sequence[tuple[str, int]],
    parts: Sequence[tuple[str, tuple[Any, ...]]],
    behind: Anchor | None,
) -> list[Any]:
    values: list[Any] = [*queries.columns(entries)]
    if answers:
        values += keys.columns(answers)
    if read:
        values += queries.versions(read)
    if behind:
        values += behind
    for _, own in parts:
        values += own
    return values


@lru_cache(maxsize=256)
def _commit_statement(parts: tuple[tuple[str, int], ...], *, keyed: bool, reading: bool, following: bool) -> str:
    """
    Put a statement together that fails where the batch must not be committed: a text that is no number.

    The same shape gives the same text, which the server has prepared.
    """
    clauses, faults = [queries.APPENDED], ""
    used = queries.APPENDED_PARAMETERS
    if keyed:
        clauses.append(f"kept as ({_shifted(keys.KEEP, used)} returning 1)")
        asked = f"cardinality(string_to_array(${used + 1}, E'\\n'))"
        faults += f" when (select count(*) from kept) <> {asked} then '{Lost.KEY}'"
        used += keys.KEEP_PARAMETERS
    if reading:
        faults += f" when exists ({_shifted(queries.MOVED, used)}) then '{Lost.MOVED}'"
        used += 2
    if following:
        faults = f" when not exists ({_shifted(queries.THERE, used)}) then '{Lost.BEHIND}'{faults}"
        used += 3
    for number, (statement, size) in enumerate(parts):
        clauses.append(f"part{number} as ({_shifted(statement, used)})")
        used += size
    lost = f"case{faults} end" if faults else "null"
    return (
        f"with {', '.join(clauses)} "
        f"select case when lost is null then 0 else lost::int end from (select {lost} as lost) as o"
    )


def _shifted(statement: str, by: int) -> str:
    """Number the parameters of a statement on from ``by``."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", statement)
