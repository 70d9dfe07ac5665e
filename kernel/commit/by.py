"""Who asks for a command: what every service that writes is given besides what it is to do."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from kernel.access.actors import Actor
from kernel.commit.command import Command, Decided, Key, States
from kernel.journal.streams import StreamRef
from kernel.problems import Problem

A = TypeVar("A")


class By(msgspec.Struct, frozen=True, gc=False):
    """Who asks, from which network address, received when, under which idempotency key."""

    actor: Actor
    origin: str
    at: datetime
    key: Key | None = None

    def command(
        self,
        streams: Sequence[StreamRef[Any, Any]],
        decide: Callable[[States], Decided[A] | Problem],
        answer_type: type[A],
        *,
        creates: Sequence[StreamRef[Any, Any]] = (),
    ) -> Command[A]:
        """Make the command that asks for ``decide`` in this name; its fields are those of :class:`Command`."""
        return Command(streams, decide, self.actor.journal, self.origin, self.at, self.key, answer_type, creates)
