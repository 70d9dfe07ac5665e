"""
Streams: what a kind of stream is, and how its state follows from its entries.

A stream is one thing with a life: one auction, one order, one budget line. Its state is a value that
``evolve`` builds from its events, and a state row that :class:`StreamKind` loads and saves.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import msgspec

S = TypeVar("S")
E = TypeVar("E", bound=msgspec.Struct)

Connection: TypeAlias = asyncpg.Connection


class Versioned(NamedTuple, Generic[S]):
    """A state and the number of events that made it."""

    version: int
    state: S


class Recorded(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """An event with its place in the stream, as it is about to be stored."""

    version: int
    at: datetime
    event: E


class Change(msgspec.Struct, Generic[S, E], frozen=True, gc=False):
    """What one transaction does to one stream: from ``before`` (``None`` when new) to ``after``."""

    id: UUID
    before: S | None
    after: S
    version: int
    events: Sequence[Recorded[E]]


@dataclass(frozen=True, slots=True, eq=False)
class StreamKind(Generic[S, E]):
    """
    A kind of stream, declared once in the ``queries.py`` of its area.

    ``name`` is the prefix of its streams (``auction`` in ``auction/0190…``).
    ``events`` is the union of its event structs; each has ``tag_field="kind"`` and a tag such as
    ``auction.offered``, so that a body names its own type.
    ``evolve(state, event, at)`` is pure and total: it applies what was decided and refuses nothing.
    ``load(connection, ids)`` reads state rows; an absent id is left out.
    ``save(connection, changes)`` writes state rows; it decides nothing and need not compare versions,
    because the journal's unique (stream, version) has already won or lost the race.
    ``in_one`` promises that ``save`` only executes statements, that no two of them touch one row, and that none
    reads what another wrote: they may then travel with the journal's as one (:mod:`kernel.commit.together`).
    ``may_lag(change)`` tells of a change after which the row may stay as it was for a moment; a kind that has it
    promises that ``load`` replays what the journal has behind a row, and that ``save`` leaves a newer row alone.
    ``heard`` says that somebody listens: halls show it, or sessions depend on it. Every process is told of its commits.
    """

    name: str
    events: Any
    evolve: Callable[[S | None, E, datetime], S]
    load: Callable[[Connection, Sequence[UUID]], Awaitable[dict[UUID, Versioned[S]]]]
    save: Callable[[Connection, Sequence[Change[S, E]]], Awaitable[None]]
    in_one: bool = False
    heard: bool = False
    may_lag: Callable[[Change[S, E]], bool] | None = None

    def ref(self, id: UUID) -> "StreamRef[S, E]":
        """Point at one stream of this kind; the same stream gives the same object, so that lookups are quick."""
        found: StreamRef[S, E] = _ref(self, id)
        return found

    def new(self, id: UUID) -> "StreamRef[S, E]":
        """Point at a stream that does not exist yet, by an id made just now: it is not remembered for others."""
        return StreamRef(self, id)


@cache
def decoder(kind: StreamKind[Any, Any]) -> Callable[[bytes], Any]:
    """Make the function that reads an entry's body back as the event it was."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind.events).decode
    return decode


@lru_cache(maxsize=100_000)
def _ref(kind: StreamKind[Any, Any], id_: UUID) -> Any:
    return StreamRef(kind, id_)


class StreamRef(str, Generic[S, E]):
    """
    One stream: its name in the journal, ``kind/uuid``, with its kind and its id.

    A batch looks a stream up a dozen times for each command: as a text it is hashed once, and compared in C.
    """

    __slots__ = ("id", "kind")

    kind: StreamKind[S, E]
    id: UUID

    def __new__(cls, kind: StreamKind[S, E], id: UUID) -> "StreamRef[S, E]":
        ref = super().__new__(cls, f"{kind.name}/{id}")
        ref.kind, ref.id = kind, id
        return ref
