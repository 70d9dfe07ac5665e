"""
Group commit: while one transaction commits, the next batch gathers; nobody is answered before the commit.

Correctness lives in the database: a batch appends to the journal where (stream, version) is unique, so of two
processes that decided from the same state one fails whole, reloads and decides again. A process therefore keeps
no truth, needs no lease and no leader; what it caches is checked by the commit that relies on it.

Cost: see ``zhecai bench auction`` and ``zhecai bench orders``.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import asyncpg
import msgspec
import structlog

from kernel.clock import Clock
from kernel.commit import keys, together
from kernel.commit.ahead import Ahead
from kernel.commit.batch import Batch, Done, Outcome, Pending, Ref, kinds_of
from kernel.commit.command import Command
from kernel.commit.failures import Clash, KeyTaken, failed, unavailable
from kernel.commit.herald import Herald, tell
from kernel.commit.together import Lost, NotCommittedError
from kernel.db.database import AWAY, Database
from kernel.journal import queries
from kernel.journal.streams import Connection, Versioned
from kernel.metrics import COMMIT_BATCHES, COMMIT_CLASHES, COMMIT_COMMANDS, COMMIT_SECONDS
from kernel.problems import storage_full

A = TypeVar("A")
ATTEMPTS_MAX: Final = 20
ATTEMPTS_BEFORE_ALONE: Final = 3
"""After so many lost races for a stream, one batch keeps all other writers out: nobody starves."""
CONTENDED_S: Final = 5.0
"""How long a stream on which processes clashed is locked before deciding, instead of tried."""
AHEAD_PART: Final = 8
"""How many commands are decided ahead in one turn of the event loop: the database's answer must not wait long."""
SPACING_S: Final = 0.001
"""The shortest time from the beginning of one batch to that of the next, unless ``ENOUGH`` commands wait."""
ENOUGH: Final = 32
BUSY: Final = 12
"""A process whose batches usually hold so many commands has no time for what can wait a little."""
SATURATED_S: Final = 0.25
"""How long after its last batch a committer still counts as saturated."""
CACHED_STREAMS_MAX: Final = 50_000
_RECONNECT_S: Final = 0.2
_CONNECT_S_MIN: Final = 1.0

log = structlog.get_logger()


class InDoubt(msgspec.Struct, gc=False):
    """
    A batch whose COMMIT was sent and has not been answered yet, and the transaction that holds it.

    ``xid`` is ``None`` where the one statement was also the commit; then ``life`` names the session that ran it.
    """

    batch: Batch
    outcomes: list[Outcome]
    xid: str | None
    life: int = 0


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
        self._database: Final = database
        self._clock: Final = clock
        self._name: Final = name
        self._queue_len_max: Final = queue_len_max
        self._queue_age_max_s: Final = queue_age_max_s
        self._batch_len_max: Final = batch_len_max
        self._queue: deque[Pending] = deque()
        self._wake: Final = asyncio.Event()
        self._known: dict[Ref, Versioned[Any]] = {}
        self._contended: Final[dict[Ref, float]] = {}
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._in_doubt: InDoubt | None = None
        self._ahead: Ahead | None = None
        self._looking = False
        self._life = 0
        self._begun_s = 0.0
        self._usual_len = 0.0
        self._herald: Final = Herald(name)
        self.listeners: Final = self._herald.listeners

    async def open(self) -> None:
        """Connect and start committing."""
        await self._connect()
        self._task = asyncio.create_task(self._run(), name=f"committer-{self._name}")

    async def close(self) -> None:
        """Commit what is queued, then stop; while the database is away, wait no longer than any command does."""
        self._closing = True
        self._wake.set()
        if self._task:
            await self._task
        self._herald.finish()
        if self._connection:
            await self._connection.close()

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
        """Decide some of what waits on top of the batch in flight, and go on in the next turn of the event loop."""
        self._looking = False
        ahead, queue = self._ahead, self._queue
        if ahead is None or self._contended:
            return
        for _ in range(min(AHEAD_PART, len(queue))):
            if not ahead.takes(queue[0].command):
                return  # it waits for the batch after the next, and with it whoever came later
            ahead.take(queue.popleft())
        if queue:
            self._look_ahead_soon()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or self._ahead:
                await self._gather()
                ahead, self._ahead = self._ahead, None
                if ahead and ahead.pending:
                    await self._settle(ahead.pending, ahead)
                elif self._queue:
                    size = min(len(self._queue), self._batch_len_max)
                    await self._settle([self._queue.popleft() for _ in range(size)])
            if self._closing:
                return

    async def _gather(self) -> None:
        """
        Let some time pass from one batch to the next unless enough is waiting.

        A batch costs as much as ten commands: one for each two or three of them would leave no time for the commands.
        Who comes alone, long after the last one, does not wait.
        """
        waiting = len(self._queue) + (len(self._ahead.pending) if self._ahead else 0)
        wait_s = self._begun_s + SPACING_S - self._clock.monotonic_s()
        if 0 < wait_s <= SPACING_S and waiting < ENOUGH and not self._closing:
            await asyncio.sleep(wait_s)
        self._begun_s = self._clock.monotonic_s()
        self._usual_len += (waiting - self._usual_len) / 8

    @property
    def busy(self) -> bool:
        """Tell whether many commands come: what can be done less often should."""
        return self._usual_len > BUSY and self._clock.monotonic_s() - self._begun_s < SATURATED_S

    @property
    def saturated(self) -> bool:
        """Tell whether commands come faster than batches leave: what can wait should."""
        return self._usual_len > ENOUGH and self._clock.monotonic_s() - self._begun_s < SATURATED_S

    async def _settle(  # noqa: C901 - one case a failure
        self, pending: list[Pending], ahead: Ahead | None = None
    ) -> None:
        """See a batch through, decided ahead or not: every one of its commands is told exactly once."""
        pending = self._without_repeats(pending)
        attempts = 0
        replay = False
        in_turn = False
        while pending:
            try:
                if replay:
                    pending, replay = await self._replay(pending), False
                    continue
                alone, decided, ahead = attempts >= ATTEMPTS_BEFORE_ALONE, ahead, None
                return await self._commit(pending, decided, alone=alone, in_turn=in_turn)
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
        seen: set[tuple[str, str]] = set()
        first: list[Pending] = []
        for one in pending:
            key = one.command.key
            if key is None:
                first.append(one)
            elif (key.owner, key.key) in seen:
                self._queue.appendleft(one)
            else:
                seen.add((key.owner, key.key))
                first.append(one)
        return first

    async def _commit(self, pending: list[Pending], ahead: Ahead | None, *, alone: bool, in_turn: bool) -> None:
        """
        Decide a batch, unless that was done ahead, and make it durable.

        Raises ``Clash``, ``KeyTaken`` or what the database raises; nothing was done then, and nobody told.
        """
        connection = self._connected()
        self._dissolve()
        self._in_doubt = None
        refs = {ref for one in pending for ref in one.command.streams} if ahead is None else set[Ref]()
        new = {ref for one in pending for ref in (*one.command.creates, *one.command.supposes)}
        contended = self._contended_among(refs)
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
            await self._answer_replays(connection, pending, outcomes)
            started_s = self._clock.monotonic_s()
            if not batch.appends:
                await self._check(connection, batch)
            elif in_turn or open_ or not await self._write_at_once(connection, batch, pending, outcomes):
                if not open_:
                    await transaction.start()
                    open_ = True
                xid = await self._write(connection, batch, pending, outcomes)
                self._in_doubt = InDoubt(batch, outcomes, xid)
                await transaction.commit()
                open_ = False
            COMMIT_SECONDS.labels(self._name).observe(self._clock.monotonic_s() - started_s)
        finally:
            if open_ and not connection.is_closed():
                await transaction.rollback()
        self._finish(batch, pending, outcomes)

    async def _write_at_once(
        self, connection: Connection, batch: Batch, pending: list[Pending], outcomes: list[Outcome]
    ) -> bool:
        """Write and commit everything as one statement; ``False``, and nothing done, where the kinds forbid it."""
        parts = await together.collected(batch.changes())
        if parts is None:
            return False
        answers, read = keys.answers_of(pending, outcomes), list(batch.untouched().values())
        self._in_doubt = InDoubt(batch, outcomes, None, self._life)
        self._ahead = Ahead(batch, self._known, self._batch_len_max)
        self._look_ahead_soon()
        try:
            await together.commit(connection, batch.sorted_entries(), answers, read, parts)
        except BaseException as error:
            self._dissolve()
            if not isinstance(error, NotCommittedError):
                raise
            match error.lost:
                case Lost.FASTER:
                    self._contend(batch.entries)
                    raise Clash from error
                case Lost.KEY:
                    raise KeyTaken from error
                case Lost.MOVED:
                    self._contend(batch.untouched())
                    raise Clash from error
        return True

    def _dissolve(self) -> None:
        """Put back what was decided on top of a batch that did not come to be: it is decided again."""
        if self._ahead:
            self._queue.extendleft(reversed(self._ahead.pending))
            self._ahead = None

    async def _write(
        self, connection: Connection, batch: Batch, pending: list[Pending], outcomes: list[Outcome]
    ) -> str:
        """Write entries, keys and state rows; the journal goes first, for it decides who won. Return the xid."""
        xid = await queries.append(connection, batch.sorted_entries())
        if xid is None:
            self._contend(batch.entries)
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
            self._contend(ref for ref, (name, _) in untouched.items() if name in moved)
            raise Clash

    async def _load(self, connection: Connection, refs: Sequence[Ref]) -> None:
        for kind, ids in kinds_of(refs).items():
            found = await kind.load(connection, ids)
            for id_ in ids:
                self._known.pop(kind.ref(id_), None)
            for id_, versioned in found.items():
                self._known[kind.ref(id_)] = versioned

    async def _answer_replays(self, connection: Connection, pending: list[Pending], outcomes: list[Outcome]) -> None:
        """A refused command whose key was answered before is a retry: it gets that answer, not the refusal."""
        asked = [
            one.command.key
            for one, outcome in zip(pending, outcomes, strict=True)
            if outcome.problem and one.command.key
        ]
        if not asked:
            return
        found = await keys.find(connection, asked)
        for index, one in enumerate(pending):
            key = one.command.key
            if key and outcomes[index].problem and (key.owner, key.key) in found:
                outcomes[index] = keys.replayed(one.command, key, found[key.owner, key.key])

    async def _replay(self, pending: list[Pending]) -> list[Pending]:
        """Answer the commands whose keys are taken; return the others, to be decided again."""
        found = await keys.find(self._connected(), [one.command.key for one in pending if one.command.key])
        rest: list[Pending] = []
        for one in pending:
            key = one.command.key
            if key and (key.owner, key.key) in found:
                tell([one], [keys.replayed(one.command, key, found[key.owner, key.key])])
            else:
                rest.append(one)
        return rest

    def _finish(self, batch: Batch, pending: list[Pending], outcomes: list[Outcome]) -> None:
        """After the commit: remember the states now, and have everybody told in the next turns of the event loop."""
        self._in_doubt = None
        self._known.update(batch.results())
        while len(self._known) > CACHED_STREAMS_MAX:
            del self._known[next(iter(self._known))]
        COMMIT_BATCHES.labels(self._name).inc()
        COMMIT_COMMANDS.labels(self._name).inc(len(pending))
        self._herald.announce(pending, outcomes, batch.recorded)

    async def _recover(self, pending: list[Pending]) -> list[Pending]:
        """Connect again and find out whether the last commit happened; return what is still to be decided."""
        self._known.clear()
        while True:
            self._connected().terminate()
            try:
                async with asyncio.timeout(max(_CONNECT_S_MIN, self._queue_age_max_s)):
                    await self._connect()
                if self._in_doubt is None or not await self._happened(self._in_doubt):
                    self._in_doubt = None
                    return self._give_up_old(pending)
                self._finish(self._in_doubt.batch, pending, self._in_doubt.outcomes)
            except Exception as error:  # noqa: BLE001 - the worker loop: whatever keeps us from the database may pass
                log.warning("commit.database_away", committer=self._name, error=repr(error))
                pending = self._give_up_old(pending, error)
                if self._closing and not pending and not self._queue:
                    return []
                await asyncio.sleep(_RECONNECT_S)
            else:
                return []

    async def _happened(self, doubt: InDoubt) -> bool:
        """
        Tell whether a commit whose answer was lost is in the journal.

        A transaction is there whole or not at all, so the leaf of one of its entries tells; but only once it has
        ended: a server does not notice at once that its client has gone, and goes on committing.
        """
        connection = self._connected()
        while await self._at_work(connection, doubt):  # noqa: ASYNC110 - another server process sets no event
            await asyncio.sleep(_RECONNECT_S)
        entry = next(iter(doubt.batch.entries.values()))[0]
        return await queries.leaf(connection, entry.stream, entry.version) == entry.leaf

    async def _at_work(self, connection: Connection, doubt: InDoubt) -> bool:
        if doubt.xid is None:
            return await queries.lives(connection, doubt.life)
        return await queries.in_progress(connection, doubt.xid)

    def _give_up_old(self, pending: list[Pending], error: Exception | None = None) -> list[Pending]:
        """
        Refuse what has waited too long, in hand and in the queue; return the rest of what is in hand.

        What is in doubt waits until it is known; only when we are to stop is it told that we do not know.
        """
        limit_s = self._clock.monotonic_s() - self._queue_age_max_s
        old = [one for one in pending if one.queued_s < limit_s]
        if self._in_doubt is None:
            tell(old, [Outcome(problem=unavailable())] * len(old))
            pending = [one for one in pending if one.queued_s >= limit_s]
        elif self._closing and len(old) == len(pending):
            tell(old, [Outcome(bug=error)] * len(old))
            pending, self._in_doubt = [], None
        while self._queue and self._queue[0].queued_s < limit_s:
            tell([self._queue.popleft()], [Outcome(problem=unavailable())])
        return pending

    async def _connect(self) -> None:
        """Connect, and let the session hold a lock of its own for as long as its server process lives."""
        connection = await self._database.connect()
        self._life = secrets.randbits(62)
        await queries.live(connection, self._life)
        self._connection = connection

    def _connected(self) -> Connection:
        assert self._connection is not None, "the committer is not open"
        return self._connection

    def _contend(self, refs: Iterable[Ref]) -> None:
        """Remember that processes clash here: for a while these streams are locked, then read, then decided."""
        until_s = self._clock.monotonic_s() + CONTENDED_S
        self._contended.update(dict.fromkeys(refs, until_s))

    def _contended_among(self, refs: Iterable[Ref]) -> set[Ref]:
        if not self._contended:
            return set()
        now_s = self._clock.monotonic_s()
        for old in [ref for ref, until_s in self._contended.items() if until_s < now_s]:
            del self._contended[old]
        return {ref for ref in refs if ref in self._contended}
