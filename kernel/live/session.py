"""The sans-I/O side of a live connection: a message comes in, effects come out."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from kernel.commit.batch import Outcome
from kernel.commit.command import Command


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send this message to the one who is connected."""

    message: msgspec.Struct


class Submit(msgspec.Struct, frozen=True, gc=False):
    """Have a command decided; once it is durable, send what ``reply`` makes of its outcome."""

    command: Command[Any]
    reply: Callable[[Outcome], msgspec.Struct]


class LiveSession(Protocol):
    """One connection's side of the conversation, without I/O: driven by a socket, a test or a replay."""

    def receive(self, raw: bytes, at: datetime) -> list[Send | Submit]:
        """Take one message as it came off the wire and say what is to be done. Raises nothing."""
        ...
