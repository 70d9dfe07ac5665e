"""
Deciding ahead: while one batch is being written, what arrives for the next is decided at once.

Writing a batch is waiting for the database, and the processor would be idle meanwhile. The batch ahead is decided on
top of what the one in flight will leave behind. Where that one does not come to be (another process was faster, the
connection broke), nothing was told to anybody: the commands go back to the queue and are decided again.
"""

from collections.abc import Iterable
from typing import Any, Final

from kernel.commit.batch import Batch, Known, Outcome, Pending, Ref
from kernel.commit.command import Command
from kernel.journal.streams import Versioned


class Ahead:
    """
    The next batch, decided command by command while those of ``flying``, the oldest first, are being written.

    ``grounded`` tells that it cannot be sent behind them, and waits until they have landed.
    """

    def __init__(self, flying: Iterable[Batch], known: Known, len_max: int) -> None:
        left: dict[Ref, Versioned[Any]] = {}
        for batch in flying:
            left.update(batch.results())
        self.batch: Final = Batch(known, left)
        self.grounded = False
        self.pending: Final[list[Pending]] = []
        self.outcomes: Final[list[Outcome]] = []
        self._keys: Final[set[tuple[str, str]]] = set()
        self._len_max: Final = len_max

    def takes(self, command: Command[Any]) -> bool:
        """
        Tell whether a command can be decided here and now, for nothing is to be loaded; if so, it has to be taken next.

        A second one with the same idempotency key waits for the answer of the first.
        """
        key = command.key
        if len(self.pending) >= self._len_max or (key is not None and (key.owner, key.key) in self._keys):
            return False
        return self.batch.reaches(command)

    def take(self, one: Pending) -> None:
        """Decide a command; nobody is told yet."""
        if key := one.command.key:
            self._keys.add((key.owner, key.key))
        self.pending.append(one)
        self.outcomes.append(self.batch.decide(one.command))
