"""
One batch: the decisions about a list of commands, worked out in memory before anything is written.

No I/O: given the states, it is a pure computation, so that a clash with another process is answered by
computing it again.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from kernel.commit.command import Command, Happened
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


Done = Callable[[Outcome], None]


class Pending(msgspec.Struct, gc=False):
    """A command that waits, when it came and whom to tell."""

    command: Command[Any]
    done: Done
    queued_s: float


class Known(Protocol):
    """Where a batch finds the states that were loaded or committed before it: a dictionary, say."""

    def get(self, ref: Ref, /) -> Versioned[Any] | None: ...


_NOTHING: Final[Known] = {}


class _Working(msgspec.Struct, gc=False, eq=False):
    """One stream while a batch is worked out: as it was, as the decisions so far leave it, and what they append."""

    ref: Ref
    before: Versioned[Any]
    version: int
    state: Any
    entries: list[Entry] = []
    recorded: list[Recorded[Any]] = []


class Batch:
    """
    The working copy of the states that a list of commands needs, and what they append.

    ``flying`` is what the batches in flight will leave, ``known`` is what was loaded or committed before.

    Cost: about 5 µs a command and event besides the decision itself; see ``bench/micro/batch.py``.
    """

    def __init__(self, known: Known, flying: Known = _NOTHING) -> None:
        self._known: Final = known
        self._flying: Final = flying
        self._streams: Final[dict[Ref, _Working]] = {}
        self._made: Final[set[Ref]] = set()
        self._results: dict[Ref, Versioned[Any]] | None = None

    def reaches(self, command: Command[Any]) -> bool:
        """Take up the states of all streams that a command names, unless one of them has to be loaded first."""
        streams, creates, supposes = self._streams, command.creates, command.supposes
        flying, known = self._flying.get, self._known.get
        found: list[_Working] = []
        for ref in command.streams:
            if ref in streams:
                continue
            made = ref in creates
            before = None if made else flying(ref) or known(ref)
            if before is None and not made and ref not in supposes:
                return False
            before = before or _ABSENT
            found.append(_Working(ref, before, before.version, before.state))
        for working in found:
            streams[working.ref] = working
        return True

    def get(self, ref: Ref) -> Any:
        """
        Return a stream's state as the earlier commands of this batch leave it (``States``).

        Raises:
            KeyError: no command of the batch names the stream, so nobody has loaded it.
        """
        return self._streams[ref].state

    def decide(self, command: Command[Any]) -> Outcome:
        """Decide one command on top of those before it; a bug in it leaves the batch as it was."""
        streams = self._streams
        for ref in command.streams:
            if ref not in streams:
                before = self._flying.get(ref) or self._known.get(ref) or _ABSENT
                streams[ref] = _Working(ref, before, before.version, before.state)
        if command.creates:
            self._made.update(command.creates)
        try:
            decision = command.decide(self)
            if isinstance(decision, Problem):
                return Outcome(problem=decision)
            if decision.events:
                self._apply(command, decision.events)
        except Problem as problem:
            return Outcome(problem=problem)
        except Exception as bug:  # noqa: BLE001 - one command's bug must not take the batch with it
            return Outcome(bug=bug)
        return Outcome(decision.answer)

    def _apply(self, command: Command[Any], events: Sequence[Happened]) -> None:
        """Append the events; all of them or, when one cannot be applied, none."""
        if len(events) == 1:
            self._append(command, events[0])
            return
        applied: list[tuple[_Working, Any]] = []
        try:
            for happened in events:
                applied.append(self._append(command, happened))  # noqa: PERF401 - what went before one that fails counts
        except BaseException:
            for working, before in reversed(applied):
                working.version, working.state = working.version - 1, before
                working.entries.pop()
                working.recorded.pop()
            raise

    def _append(self, command: Command[Any], happened: Happened) -> tuple[_Working, Any]:
        """Append one event, whole or not at all; return the stream and the state that it had before."""
        ref, event, at = happened.ref, happened.event, command.at
        assert ref in command.streams, f"{ref} is not among the streams of its command"
        working = self._streams[ref]
        version, before = working.version + 1, working.state
        after = ref.kind.evolve(before, event, at)
        entry = entry_of(ref, version, event, command)
        working.version, working.state = version, after
        working.entries.append(entry)
        working.recorded.append(Recorded(version, at, event))
        return working, before

    @property
    def made(self) -> AbstractSet[Ref]:
        """The streams whose ids were made for its commands."""
        return self._made

    @property
    def appends(self) -> bool:
        """Tell whether anything happens at all."""
        return any(working.entries for working in self._streams.values())

    @property
    def entries(self) -> dict[Ref, list[Entry]]:
        """What each stream gets, of those that get something."""
        return {ref: working.entries for ref, working in self._streams.items() if working.entries}

    @property
    def recorded(self) -> dict[Ref, Sequence[Recorded[Any]]]:
        """The events of each stream that gets some, of kinds that somebody listens to."""
        streams = self._streams.items()
        return {ref: working.recorded for ref, working in streams if ref.kind.heard and working.recorded}

    def sorted_entries(self) -> list[Entry]:
        """List all entries by stream name and version: the order in which every writer inserts."""
        touched = {ref: working.entries for ref, working in self._streams.items() if working.entries}
        return [entry for ref in sorted(touched) for entry in touched[ref]]

    def changes(self) -> dict[Kind, list[Change[Any, Any]]]:
        """List what happens to each touched stream, by kind, sorted by id."""
        found: dict[Kind, list[Change[Any, Any]]] = {}
        touched = (working for working in self._streams.values() if working.entries)
        for working in sorted(touched, key=_by_id):
            ref, before = working.ref, working.before.state
            change = Change(ref.id, before, working.state, working.version, working.recorded)
            found.setdefault(ref.kind, []).append(change)
        return found

    def untouched(self) -> dict[Ref, tuple[str, int]]:
        """Name the streams that were only read, with the version that was read; not those that nobody else can know."""
        return {
            ref: (ref, working.before.version)
            for ref, working in self._streams.items()
            if not working.entries and ref not in self._made
        }

    def results(self) -> Mapping[Ref, Versioned[Any]]:
        """Return the touched streams as they are once the batch is committed; nothing is decided after that."""
        if self._results is None:
            self._results = {ref: Versioned(w.version, w.state) for ref, w in self._streams.items() if w.entries}
        return self._results


def entry_of(stream: str, version: int, event: msgspec.Struct, command: Command[Any]) -> Entry:
    """Make the entry that stores an event of a command."""
    body = _encode(event)
    kind = _tag(type(event))
    at, actor, origin = command.at, command.actor, command.origin
    leaf = leaf_of(stream=stream, version=version, kind=kind, at=at, actor=actor, origin=origin, body=body)
    return Entry(stream, version, kind, at, actor, origin, body, leaf)


@cache
def _tag(event: type[msgspec.Struct]) -> str:
    return str(event.__struct_config__.tag)


def kinds_of(refs: Sequence[Ref]) -> dict[Kind, list[UUID]]:
    """Group streams by kind."""
    found: dict[Kind, list[UUID]] = {}
    for ref in refs:
        found.setdefault(ref.kind, []).append(ref.id)
    return found


def _by_id(working: _Working) -> int:
    return working.ref.id.int
