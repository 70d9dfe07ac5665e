"""Commands: what someone asks for, and the pure decision about it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from kernel.journal.streams import E, S, StreamRef
from kernel.problems import Problem

A = TypeVar("A")


class States(Protocol):
    """The states that a decision may look at: those of the streams its command names."""

    def get(self, ref: StreamRef[S, E]) -> S | None:
        """Return the state of a stream, or ``None`` where it does not exist yet."""
        ...


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An event and the stream it belongs to."""

    ref: StreamRef[Any, Any]
    event: msgspec.Struct


class Decided(msgspec.Struct, Generic[A], frozen=True, gc=False):
    """A decision: what the caller is told once ``events`` are durable. No events, nothing happens."""

    answer: A
    events: Sequence[Happened] = ()


class Key(msgspec.Struct, frozen=True, gc=False):
    """
    An idempotency key: the same key with the same ``fingerprint`` gets the answer of the first time.

    ``owner`` keeps callers apart. ``fingerprint`` is a SHA-256 of what was asked; the same key with
    another fingerprint is a :class:`~kernel.problems.Conflict`.
    """

    owner: str
    key: str
    fingerprint: bytes


class Command(msgspec.Struct, Generic[A], frozen=True, eq=False):
    """
    One thing to be decided.

    ``streams`` names all that ``decide`` may read or append to. ``decide`` is pure and is called again
    when another process was faster; it returns what happens, or the problem that says why not.
    ``at`` is when the request was received, in UTC, stamped once: a retry must not make it late.
    ``answer_type`` is needed with ``key``: the stored answer is read back as that type.
    ``creates`` names those of ``streams`` whose id was made for this command: nobody else knows it, so nobody looks
    whether they exist. ``supposes`` names those that are taken to be absent without looking: the commit finds out.
    """

    streams: Sequence[StreamRef[Any, Any]]
    decide: Callable[[States], Decided[A] | Problem]
    actor: str
    origin: str
    at: datetime
    key: Key | None = None
    answer_type: type[A] | None = None
    creates: Sequence[StreamRef[Any, Any]] = ()
    supposes: Sequence[StreamRef[Any, Any]] = ()
