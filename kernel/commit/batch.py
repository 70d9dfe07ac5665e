"""
One batch: the decisions about a list of commands, worked out in memory before anything is written.

No I/O: given the states, it is a pure computation, so that a clash with another process is answered by
computing it again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.commit.command import Command, Decided
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.streams import Change, Recorded, StreamKind, StreamRef, Versioned
from kernel.problems import Problem

Ref = StreamRef[Any, Any]
Kind = StreamKind[Any, Any]

_ABSENT: Final = Versioned(0, None)
_encode: Final = msgspec.json.Encoder().encode


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one command: an answer or a problem or a bug, and the streams it looked at."""

    answer: Any = None
    problem: Problem | None = None
    bug: Exception | None = None
    replayed: bool = False


class Batch:
    """
    The working copy of the states that a list of commands needs, and what they append.

    ``entries`` are grouped by stream in the order of first touch; :meth:`sorted_entries` gives the one
    order in which every process writes.
    """

    def __init__(self, known: Mapping[Ref, Versioned[Any]]) -> None:
        self._before: Final = known
        self._after: Final[dict[Ref, Versioned[Any]]] = {}
        self.entries: Final[dict[Ref, list[Entry]]] = {}
        self.recorded: Final[dict[Ref, list[Recorded[Any]]]] = {}
        self.read: Final[set[Ref]] = set()

    def get(self, ref: Ref) -> Any:
        """Return a stream's state as the earlier commands of this batch leave it (``States``)."""
        return (self._after.get(ref) or self._before.get(ref) or _ABSENT).state

    def decide(self, command: Command[Any]) -> Outcome:
        """Decide one command on top of those before it; a bug in it leaves the batch as it was."""
        self.read.update(command.streams)
        try:
            decision = command.decide(self)
            if isinstance(decision, Problem):
                return Outcome(problem=decision)
            if decision.events:
                self._apply(command, decision)
        except Problem as problem:
            return Outcome(problem=problem)
        except Exception as bug:  # noqa: BLE001 - one command's bug must not take the batch with it
            return Outcome(bug=bug)
        return Outcome(answer=decision.answer)

    def _apply(self, command: Command[Any], decision: Decided[Any]) -> None:
        """Append the events; all of them or, when one cannot be applied, none."""
        states: dict[Ref, Versioned[Any]] = {}
        appended: list[tuple[Ref, Entry, Recorded[Any]]] = []
        for ref, event in decision.events:
            assert ref in command.streams, f"{ref} is not among the streams of its command"
            version, state = states.get(ref) or self._after.get(ref) or self._before.get(ref) or _ABSENT
            states[ref] = Versioned(version + 1, ref.kind.evolve(state, event, command.at))
            earlier = self.entries.get(ref)
            stream = earlier[0].stream if earlier else str(ref)
            entry = entry_of(stream, version + 1, event, command)
            appended.append((ref, entry, Recorded(version + 1, command.at, event)))
        self._after.update(states)
        for ref, entry, recorded in appended:
            if ref in self.entries:
                self.entries[ref].append(entry)
                self.recorded[ref].append(recorded)
            else:
                self.entries[ref] = [entry]
                self.recorded[ref] = [recorded]

    def sorted_entries(self) -> list[Entry]:
        """List all entries by stream name and version: the order in which every writer inserts."""
        by_stream = sorted(self.entries.values(), key=lambda entries: entries[0].stream)
        return [entry for entries in by_stream for entry in entries]

    def changes(self) -> dict[Kind, list[Change[Any, Any]]]:
        """List what happens to each touched stream, by kind, sorted by id."""
        found: dict[Kind, list[Change[Any, Any]]] = {}
        for ref in sorted(self.entries, key=_by_id):
            version, after = self._after[ref]
            before = (self._before.get(ref) or _ABSENT).state
            found.setdefault(ref.kind, []).append(Change(ref.id, before, after, version, self.recorded[ref]))
        return found

    def untouched(self) -> dict[Ref, tuple[str, int]]:
        """Name the streams that were only read, with the version that was read."""
        return {
            ref: (str(ref), (self._before.get(ref) or _ABSENT).version) for ref in self.read if ref not in self.entries
        }

    def results(self) -> Mapping[Ref, Versioned[Any]]:
        """Return the states as they are once the batch is committed, of the touched streams only."""
        return self._after


def entry_of(stream: str, version: int, event: msgspec.Struct, command: Command[Any]) -> Entry:
    """Make the entry that stores an event of a command."""
    body = _encode(event)
    kind = str(event.__struct_config__.tag)
    at, actor, origin = command.at, command.actor, command.origin
    leaf = leaf_of(stream=stream, version=version, kind=kind, at=at, actor=actor, origin=origin, body=body)
    return Entry(stream, version, kind, at, actor, origin, body, leaf)


def kinds_of(refs: Sequence[Ref]) -> dict[Kind, list[UUID]]:
    """Group streams by kind."""
    found: dict[Kind, list[UUID]] = {}
    for ref in refs:
        found.setdefault(ref.kind, []).append(ref.id)
    return found


def _by_id(ref: Ref) -> int:
    return ref.id.int
