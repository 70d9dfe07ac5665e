"""
Rows that are owed: what loading begins from may lag behind the journal for a moment, while there is a lot to do.

A live auction gets hundreds of offers a second, and its row with everybody's place is a good part of what a batch of
offers writes. The journal alone is what counts: a kind that replays what the journal has behind its rows says which
changes may wait (:attr:`~kernel.journal.streams.StreamKind.may_lag`). Such rows are written ``LAG_S`` later, with the
next batch or, where none follows, alone. Where little is going on, nothing waits.

Source: ADR-0068.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import asyncpg
import structlog

from kernel.commit.batch import Kind, Ref
from kernel.db.database import is_away
from kernel.journal.streams import Change, Connection, Versioned

LAG_S: Final = 0.25

Changes = dict[Kind, list[Change[Any, Any]]]
Rows = Mapping[Ref, Versioned[Any]]

log = structlog.get_logger()


class Owed:
    """
    The rows that a committer owes: their entries are committed, they are not written.

    ``wake`` is called when they fall ``due``.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake: Final = wake
        self._rows: Final[dict[Ref, Versioned[Any]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.due = False

    def parted(self, changes: Changes, *, put_off: bool) -> tuple[Changes, frozenset[Ref], Rows]:
        """
        Say what a batch writes: all of ``changes`` and what is due, or, with ``put_off``, only what may not wait.

        Return also the streams whose rows wait, and the rows that are paid; :meth:`settle` takes both back.
        """
        if self.due:
            return self._claimed(changes)
        if not put_off:
            return changes, frozenset(), {}
        written, waiting = dict(changes), set[Ref]()
        for kind, changed in changes.items():
            if kind.may_lag is None:
                continue
            late = frozenset(change.id for change in changed if kind.may_lag(change))
            waiting.update(map(kind.ref, late))
            written[kind] = [change for change in changed if change.id not in late]
        return {kind: changed for kind, changed in written.items() if changed}, frozenset(waiting), {}

    def _claimed(self, changes: Changes) -> tuple[Changes, frozenset[Ref], Rows]:
        """Add all that is owed, unless the batch writes that row anyway; sorted by id, as every writer sorts."""
        own = {change.id for changed in changes.values() for change in changed}
        paid = {ref: row for ref, row in self._rows.items() if ref.id not in own}
        written = dict(changes)
        for ref, (version, state) in paid.items():
            written[ref.kind] = [*written.get(ref.kind, ()), Change(ref.id, state, state, version, ())]
        self.due = False
        self._fall_due_later()
        return {kind: sorted(changed, key=_by_id) for kind, changed in written.items()}, frozenset(), paid

    async def pay(self, connection: Connection) -> None:
        """
        Write all that is owed, statement by statement; what the database refuses is left for loading to replay.

        Raises what :data:`~kernel.db.database.AWAY` names; everything is still owed then.
        """
        changes, _, paid = self._claimed({})
        try:
            for kind, changed in changes.items():
                await kind.save(connection, changed)
        except asyncpg.PostgresError as error:
            if is_away(error):
                raise
            log.warning("commit.rows_not_written", error=repr(error))
        self.settle({}, frozenset(), paid)

    def settle(self, results: Rows, waiting: frozenset[Ref], paid: Rows) -> None:
        """Take note of a batch that is committed: what it left owed, what it wrote, what it paid of earlier ones."""
        rows = self._rows
        for ref, row in paid.items():
            if rows.get(ref) is row:
                del rows[ref]
        for ref in rows.keys() & results.keys():
            del rows[ref]
        for ref in waiting:
            rows[ref] = results[ref]
        self._fall_due_later()

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._timer:
            self._timer.cancel()

    def _fall_due_later(self) -> None:
        if self._rows and self._timer is None and not self.due:
            self._timer = asyncio.get_running_loop().call_later(LAG_S, self._fall_due)

    def _fall_due(self) -> None:
        self._timer = None
        self.due = bool(self._rows)
        self._wake()


def _by_id(change: Change[Any, Any]) -> int:
    return change.id.int
