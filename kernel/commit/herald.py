"""
Telling: after a commit its callers get their answers, and those who listen the events.

A batch is told in parts, a turn of the event loop each. Told all at once, a hundred callers would all be heard again at
once: the database would be idle while they are decided, and the decider while they are written. In parts the first of
them are on their way to the database before the last has its answer.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from kernel.commit.batch import Outcome, Pending, Ref
from kernel.journal.streams import Recorded

PART: Final = 16
"""How many callers get their answers in one turn of the event loop."""

Committed = Callable[[Mapping[Ref, Sequence[Recorded[Any]]]], None]
"""Told after each commit which events each stream of a kind that is ``heard`` got; must not raise, nor block."""

log = structlog.get_logger()


class _Telling(msgspec.Struct, gc=False):
    """What is still to be told of one batch; ``told`` callers have their answers."""

    pending: Sequence[Pending]
    outcomes: Sequence[Outcome]
    recorded: Mapping[Ref, Sequence[Recorded[Any]]]
    told: int = 0


class Herald:
    """Tells batch after batch, in the order of their commits."""

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._tellings: Final[deque[_Telling]] = deque()
        self.listeners: Final[list[Committed]] = []

    def announce(
        self, pending: Sequence[Pending], outcomes: Sequence[Outcome], recorded: Mapping[Ref, Sequence[Recorded[Any]]]
    ) -> None:
        """Have a committed batch told, from the next turn of the event loop on."""
        self._tellings.append(_Telling(pending, outcomes, recorded))
        if len(self._tellings) == 1:
            asyncio.get_running_loop().call_soon(self._go_on)

    def finish(self) -> None:
        """Tell now whatever is left to be told."""
        while self._tellings:
            self._tell_part()

    def _go_on(self) -> None:
        if self._tellings:
            self._tell_part()
        if self._tellings:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _tell_part(self) -> None:
        first = self._tellings[0]
        part = slice(first.told, first.told + PART)
        tell(first.pending[part], first.outcomes[part])
        first.told += PART
        if first.told >= len(first.pending):
            self._tellings.popleft()
            self._publish(first.recorded)

    def _publish(self, recorded: Mapping[Ref, Sequence[Recorded[Any]]]) -> None:
        for listener in self.listeners if recorded else ():
            try:
                listener(recorded)
            except Exception:  # what is committed must not be done again because somebody could not watch it
                log.exception("commit.listener_failed", committer=self._name)


def tell(pending: Sequence[Pending], outcomes: Sequence[Outcome]) -> None:
    """Give callers their outcomes."""
    for one, outcome in zip(pending, outcomes, strict=True):
        try:
            one.done(outcome)
        except Exception:  # one caller that cannot take its answer must not keep the others from theirs
            log.exception("commit.answer_failed")
