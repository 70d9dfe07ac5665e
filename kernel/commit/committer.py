"""
Group commit: while one batch commits, the next gathers and follows it; nobody is answered before the commit.

Correctness lives in the database: a batch appends to the journal where (stream, version) is unique, so of two
processes that decided from the same state one fails whole, reloads and decides again. A process therefore keeps
no truth, needs no lease and no leader; what it caches is checked by the commit that relies on it.

Cost: see ``zhecai bench auction`` and ``zhecai bench orders``.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import asyncpg
import structlog

from kernel.clock import Clock
from kernel.commit import keys, together
from kernel.commit.ahead import Ahead
from kernel.commit.batch import Batch, Done, Outcome, Pending, Ref, kinds_of
from kernel.commit.command import Command
from kernel.commit.contended import Contended
from kernel.commit.failures import Clash, KeyTaken, failed, unavailable
from kernel.commit.flight import Flight
from kernel.commit.herald import Herald, tell
from kernel.commit.known import KnownStates
from kernel.commit.owed import Owed
from kernel.commit.sessions import Sessions
from kernel.commit.together import Lost, NotCommittedError
from kernel.commit.trading import Tempo, Trading
from kernel.db.database import AWAY, Database, is_away
from kernel.journal import queries
from kernel.journal.streams import Connection
from kernel.metrics import COMMIT_BATCHES, COMMIT_CLASHES, COMMIT_COMMANDS, COMMIT_SECONDS
from kernel.problems import storage_full

A = TypeVar("A")
ATTEMPTS_MAX: Final = 20
ATTEMPTS_BEFORE_ALONE: Final = 3
"""After so many lost races for a stream, one batch keeps all other writers out: nobody starves."""
AHEAD_PART: Final = 8
"""How many commands are decided ahead in one turn of the event loop: the database's answer must not wait long."""
SPACING_S: Final = 0.002
"""The shortest time from the beginning of one batch to that of the next, unless ``ENOUGH`` commands wait."""
ENOUGH: Final = 32
"""So many commands do not wait for more: they are a batch, and are sent behind the one that is being written."""
FLIGHTS_MAX: Final = 2
"""How many batches are under way at most: one that the database writes, and one that lies there and comes next."""
CACHED_STREAMS_MAX: Final = 50_000
_RECONNECT_S: Final = 0.2
_CONNECT_S_MIN: Final = 1.0

log = structlog.get_logger()


class Committer:
    """
    Decides commands in batches and commits each batch in one transaction on a connection of its own.

    ``queue_len_max`` commands may wait, the oldest at most ``queue_age_max_s``; beyond that a new one is
    refused with 503 before anything was done. ``batch_len_max`` bounds a transaction.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        name: str,
        queue_len_max: int = 20_000,
        queue_age_max_s: float = 5.0,
        batch_len_max: int = 512,
    ) -> None:
        self._clock: Final = clock
        self._name: Final = name
        self._queue_len_max: Final = queue_len_max
        self._queue_age_max_s: Final = queue_age_max_s
        self._batch_len_max: Final = batch_len_max
        self._queue: deque[Pending] = deque()
        self._wake: Final = asyncio.Event()
        self._known: Final = KnownStates(CACHED_STREAMS_MAX)
        self._contended: Final = Contended(clock)
        self._sessions: Final = Sessions(database)
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._flights: Final[deque[Flight]] = deque()
        self._ahead: Ahead | None = None
        self._looking = False
        self._tempo: Final = Tempo(clock)
        self._herald: Final = Herald(name)
        self._owed: Final = Owed(self._wake.set)
        self.listeners: Final = self._herald.listeners

    async def open(self) -> None:
        """Connect and start committing."""
        await self._sessions.open()
        self._task = asyncio.create_task(self._run(), name=f"committer-{self._name}")

    async def close(self) -> None:
        """Commit what is queued, then stop; while the database is away, wait no longer than any command does."""
        self._closing = True
        self._wake.set()
        if self._task:
            await self._task
        self._owed.stop()
        self._herald.finish()
        await self._sessions.close()

    async def submit(self, command: Command[A]) -> A:
        """
        Have a command decided and wait until what it did is durable.

        Raises ``Problem``: why it was not done; ``Unavailable`` when the queue is full or the database away.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.post(command, done)
        outcome = await future
        if outcome.problem:
            raise outcome.problem
        if outcome.bug:
            raise outcome.bug
        answer: A = outcome.answer
        return answer

    def post(self, command: Command[Any], done: Done) -> None:
        """
        Queue a command; ``done`` is called with its outcome once that is durable. It must not raise.

        Raises:
            Unavailable: the queue is full, too old, or closing; nothing was done.
        """
        now_s = self._clock.monotonic_s()
        waiting = self._ahead.pending if self._ahead else ()
        oldest = waiting[0] if waiting else self._queue[0] if self._queue else None
        stale = oldest is not None and now_s - oldest.queued_s > self._queue_age_max_s
        if self._closing or stale or len(waiting) + len(self._queue) >= self._queue_len_max:
            raise unavailable()
        self._queue.append(Pending(command, done, now_s))
        self._wake.set()
        self._look_ahead_soon()

    def _look_ahead_soon(self) -> None:
        if self._ahead and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look_ahead)

    def _look_ahead(self) -> None:
        """
        Decide some of what waits on top of the batches in flight, and go on in the next turn of the event loop.

        What has become a batch is sent behind the one that is being written, so that the database finds it there.
        """
        self._looking = False
        ahead, queue = self._ahead, self._queue
        if ahead is None or self._contended:
            return
        for _ in range(min(AHEAD_PART, len(queue))):
            if not ahead.takes(queue[0].command):
                break  # it waits for the batch after the next, and with it whoever came later
            ahead.take(queue.popleft())
        else:
            if queue:
                self._look_ahead_soon()
        if len(ahead.pending) >= ENOUGH and len(self._flights) < FLIGHTS_MAX and not ahead.grounded:
            self._follow(ahead)

    def _follow(self, ahead: Ahead) -> None:
        """Send a batch behind those in flight; one that cannot be sent so, for whatever reason, waits for its turn."""
        ahead.grounded = True
        retried = any(
            one.command.key and outcome.problem for one, outcome in zip(ahead.pending, ahead.outcomes, strict=True)
        )
        if retried or not ahead.batch.appends:  # the journal is asked first what they were answered the first time
            return
        try:
            self._send(ahead.batch, ahead.pending, ahead.outcomes)
        except Exception as error:  # noqa: BLE001 - its turn finds out the same, and tells whom it concerns
            log.debug("commit.grounded", committer=self._name, error=repr(error))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or self._ahead or self._flights:
                if self._flights:
                    await self._settle(self._flights[0].pending, flight=self._flights[0])
                    continue
                await self._gather()
                if self._flights:  # what was decided ahead has become a batch meanwhile
                    continue
                ahead, self._ahead = self._ahead, None
                if ahead and ahead.pending:
                    await self._settle(self._without_repeats(ahead.pending), ahead)
                elif self._queue:
                    size = min(len(self._queue), self._batch_len_max)
                    await self._settle(self._without_repeats([self._queue.popleft() for _ in range(size)]))
            if self._owed.due or self._closing:
                await self._pay()
            if self._closing:
                return

    async def _pay(self) -> None:
        """Write the rows that are owed, while nothing is under way."""
        try:
            await self._owed.pay(self._sessions.plain)
        except AWAY as error:
            log.warning("commit.connection_lost", committer=self._name, error=repr(error))
            await self._recover([])

    async def _gather(self) -> None:
        """
        Let some time pass from one batch to the next unless enough is waiting.

        A batch costs as much as ten commands: one for each two or three of them would leave no time for the commands.
        Who comes alone, long after the last one, does not wait.
        """
        waiting = len(self._queue) + (len(self._ahead.pending) if self._ahead else 0)
        wait_s = self._tempo.begun_s + SPACING_S - self._clock.monotonic_s()
        if 0 < wait_s <= SPACING_S and waiting < ENOUGH and not self._closing:
            await asyncio.sleep(wait_s)

    @property
    def trading(self) -> Trading:
        """Tell how much there is to do: what can wait should."""
        return self._tempo.trading

    async def _settle(  # noqa: C901 - one case a failure
        self, pending: list[Pending], ahead: Ahead | None = None, *, flight: Flight | None = None
    ) -> None:
        """See a batch through, decided ahead, sent already, or not: every one of its commands is told exactly once."""
        attempts = 0
        replay = False
        in_turn = False
        while pending:
            try:
                if replay:
                    pending, replay = await self._replayed(pending), False
                    continue
                sent, flight, decided, ahead = flight, None, ahead, None
                alone = attempts >= ATTEMPTS_BEFORE_ALONE
                return await (
                    self._land(sent) if sent else self._commit(pending, decided, alone=alone, in_turn=in_turn)
                )
            except (Clash, asyncpg.DeadlockDetectedError):
                COMMIT_CLASHES.labels(self._name).inc()
                attempts += 1
                if attempts == ATTEMPTS_MAX:
                    return tell(pending, [Outcome(problem=unavailable())] * len(pending))
            except KeyTaken:
                replay = True
            except AWAY as error:  # whether the last commit happened is unknown until the journal is asked
                log.warning("commit.connection_lost", committer=self._name, error=repr(error))
                pending = await self._recover(pending)
            except asyncpg.DiskFullError as error:
                log.error("commit.storage_full", committer=self._name, error=str(error))  # noqa: TRY400 - it says where
                return tell(pending, [Outcome(problem=storage_full())] * len(pending))
            except Exception as error:  # noqa: BLE001 - the worker loop: it answers and goes on
                if not in_turn:  # in one statement nobody knows who failed first: now one after the other
                    in_turn = True
                    continue
                if len(pending) == 1:
                    return tell(pending, [failed(error)])
                for one in pending:  # find the guilty: each in a transaction of its own
                    await self._settle([one])
                return None
        return None

    def _without_repeats(self, pending: list[Pending]) -> list[Pending]:
        """Put off a second command with the same idempotency key until the first has its answer."""
        first, repeated = keys.parted(pending)
        self._queue.extendleft(repeated)
        return first

    async def _commit(self, pending: list[Pending], ahead: Ahead | None, *, alone: bool, in_turn: bool) -> None:
        """
        Decide a batch, unless that was done ahead, and make it durable. Nothing else is in flight meanwhile.

        Raises ``Clash``, ``KeyTaken`` or what the database raises; nothing was done then, and nobody told.
        """
        connection = self._sessions.plain
        refs = {ref for one in pending for ref in one.command.streams} if ahead is None else set[Ref]()
        new = {ref for one in pending for ref in (*one.command.creates, *one.command.supposes)}
        contended = self._contended.among(refs)
        transaction = connection.transaction()
        open_ = False
        try:
            if contended or alone:
                await transaction.start()
                open_ = True
                await queries.enter(connection, alone=alone)
            if contended:
                await queries.lock(connection, sorted(map(str, contended)))
            unknown = [ref for ref in refs if ref in contended or not (ref in self._known or ref in new)]
            await self._load(connection, unknown)
            batch = ahead.batch if ahead else Batch(self._known)
            outcomes = ahead.outcomes if ahead else [batch.decide(one.command) for one in pending]
            await keys.answer_replays(connection, pending, outcomes)
            self._tempo.note(len(pending))
            if not batch.appends:
                await self._check(connection, batch)
                return self._finish(batch, pending, outcomes)
            if not (in_turn or open_) and (flight := self._send(batch, pending, outcomes)):
                return await self._land(flight)
            if not open_:
                await transaction.start()
                open_ = True
            sent_s = self._clock.monotonic_s()
            xid = await self._write(connection, batch, pending, outcomes)
            self._flights.append(Flight(batch, pending, outcomes, sent_s, xid))
            try:
                await transaction.commit()
            except Exception as error:
                if not is_away(error):
                    self._flights.clear()
                raise
            open_ = False
        finally:
            if open_ and not connection.is_closed():
                await transaction.rollback()
        self._finish_first()
        return None

    def _send(self, batch: Batch, pending: list[Pending], outcomes: list[Outcome]) -> Flight | None:
        """
        Send a batch as one statement, behind those in flight; ``None``, and nothing sent, where its kinds forbid it.

        What comes from now on is decided on top of it.
        """
        changes, waiting, paid = self._owed.parted(batch.changes(), put_off=self.trading > Trading.CALM)
        parts = together.collected(changes)
        if parts is None:
            return None
        answers, read = keys.answers_of(pending, outcomes), list(batch.untouched().values())
        behind = self._flights[-1].anchor if self._flights else None
        sent_s, sessions = self._clock.monotonic_s(), self._sessions
        answer = together.send(sessions.pipeline, batch.sorted_entries(), answers, read, parts, behind)
        flight = Flight(batch, pending, outcomes, sent_s, None, sessions.life, answer, waiting, paid)
        if self._flights:
            self._tempo.note(len(pending))
        self._flights.append(flight)
        self._ahead = Ahead([one.batch for one in self._flights], self._known, self._batch_len_max)
        self._look_ahead_soon()
        return flight

    async def _land(self, flight: Flight) -> None:
        """
        Wait until the first batch in flight is durable, and have its callers told.

        Raises as :meth:`_commit`; where the connection broke, the batch and those behind it stay in flight.
        """
        assert flight is self._flights[0]
        assert flight.answer is not None
        try:
            await together.committed(flight.answer)
        except Exception as error:
            if is_away(error):
                raise
            self._flights.popleft()
            await self._dissolve()
            if not isinstance(error, NotCommittedError):
                raise
            match error.lost:
                case Lost.KEY:
                    raise KeyTaken from error
                case Lost.MOVED:
                    self._contended.add(flight.batch.untouched())
                case Lost.FASTER | Lost.BEHIND:
                    self._contended.add(flight.batch.entries)
            raise Clash from error
        self._finish_first()

    async def _dissolve(self) -> None:
        """
        Put back what was decided on top of a batch that did not come to be: it is decided again.

        What was sent behind it does not come to be either, and is answered at once.
        """
        back = self._drop_ahead()
        while self._flights:
            flight = self._flights.pop()
            assert flight.answer is not None
            await asyncio.wait([flight.answer])
            assert flight.answer.exception(), "a batch was committed on top of one that was not"
            back = [*flight.pending, *back]
        self._queue.extendleft(reversed(back))

    def _drop_ahead(self) -> list[Pending]:
        ahead, self._ahead = self._ahead, None
        return ahead.pending if ahead else []

    async def _write(
        self, connection: Connection, batch: Batch, pending: list[Pending], outcomes: list[Outcome]
    ) -> str:
        """Write entries, keys and state rows; the journal goes first, for it decides who won. Return the xid."""
        xid = await queries.append(connection, batch.sorted_entries())
        if xid is None:
            self._contended.add(batch.entries)
            raise Clash
        answers = keys.answers_of(pending, outcomes)
        if answers and not await keys.keep(connection, answers):
            raise KeyTaken
        for kind, changes in batch.changes().items():
            await kind.save(connection, changes)
        await self._check(connection, batch)
        return xid

    async def _check(self, connection: Connection, batch: Batch) -> None:
        """Make sure that what was only read is still so: a refusal from a stale state would be wrong."""
        untouched = batch.untouched()
        if untouched and (moved := await queries.moved(connection, list(untouched.values()))):
            self._contended.add(ref for ref, (name, _) in untouched.items() if name in moved)
            raise Clash

    async def _load(self, connection: Connection, refs: Sequence[Ref]) -> None:
        for kind, ids in kinds_of(refs).items():
            found = await kind.load(connection, ids)
            for id_ in ids:
                self._known.pop(kind.ref(id_), None)
            for id_, versioned in found.items():
                self._known[kind.ref(id_)] = versioned

    async def _replayed(self, pending: list[Pending]) -> list[Pending]:
        """Answer the commands whose keys are taken; return the others, to be decided again."""
        done, outcomes, rest = await keys.replays(self._sessions.plain, pending)
        tell(done, outcomes)
        return rest

    def _finish_first(self) -> None:
        """Take the first batch in flight for durable."""
        flight = self._flights.popleft()
        COMMIT_SECONDS.labels(self._name).observe(self._clock.monotonic_s() - flight.sent_s)
        self._owed.settle(flight.batch.results(), flight.waiting, flight.paid)
        self._finish(flight.batch, flight.pending, flight.outcomes)

    def _finish(self, batch: Batch, pending: list[Pending], outcomes: list[Outcome]) -> None:
        """After the commit: remember the states now, and have everybody told in the next turns of the event loop."""
        self._known.keep(batch.results(), batch.made)
        COMMIT_BATCHES.labels(self._name).inc()
        COMMIT_COMMANDS.labels(self._name).inc(len(pending))
        self._herald.announce(pending, outcomes, batch.recorded)

    async def _recover(self, pending: list[Pending]) -> list[Pending]:
        """
        Connect again and find out which of the batches in flight happened; return what is still to be decided.

        Each was to follow the one before it: where one did not happen, none behind it did.
        """
        self._known.clear()
        self._queue.extendleft(reversed(self._drop_ahead()))
        while True:
            self._sessions.terminate()
            try:
                async with asyncio.timeout(max(_CONNECT_S_MIN, self._queue_age_max_s)):
                    await self._sessions.open()
                while self._flights and await self._sessions.happened(self._flights[0]):
                    pending = []
                    self._finish_first()
            except Exception as error:  # noqa: BLE001 - the worker loop: whatever keeps us from the database may pass
                log.warning("commit.database_away", committer=self._name, error=repr(error))
                pending = self._give_up_old(pending, error)
                if self._closing and not pending and not self._queue:
                    return []
                await asyncio.sleep(_RECONNECT_S)
            else:
                back = [one for flight in self._flights for one in flight.pending]
                self._flights.clear()
                self._queue.extendleft(reversed(back[len(pending) :]))
                return self._give_up_old(pending)

    def _give_up_old(self, pending: list[Pending], error: Exception | None = None) -> list[Pending]:
        """
        Refuse what has waited too long, in hand and in the queue; return the rest of what is in hand.

        What is in doubt waits until it is known; only when we are to stop is it told that we do not know.
        """
        limit_s = self._clock.monotonic_s() - self._queue_age_max_s
        doubtful = [one for flight in self._flights for one in flight.pending]
        if not doubtful:
            old = [one for one in pending if one.queued_s < limit_s]
            tell(old, [Outcome(problem=unavailable())] * len(old))
            pending = [one for one in pending if one.queued_s >= limit_s]
        elif self._closing and all(one.queued_s < limit_s for one in doubtful):
            tell(doubtful, [Outcome(bug=error)] * len(doubtful))
            pending = []
            self._flights.clear()
        while self._queue and self._queue[0].queued_s < limit_s:
            tell([self._queue.popleft()], [Outcome(problem=unavailable())])
        return pending
