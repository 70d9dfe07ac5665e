"""The transparency log of one process: sequence, have cosigned, wait, prove, and write receipts."""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import httpx2
import structlog

from crypto.log.notes import KeyKind, Note, NoteSigner, read_lines, read_note
from kernel.clock import Clock
from kernel.commit.trading import Trading
from kernel.db.database import Database
from kernel.metrics import LOG_REFUSALS
from kernel.problems import Unavailable
from kernel.settings import Settings
from kernel.transparency import queries
from kernel.transparency.keys import log_key, receipt_key
from kernel.transparency.policy import SEALED
from kernel.transparency.proofs import Prover
from kernel.transparency.queries import Head
from kernel.transparency.sequencer import BATCH_LEN_MAX, SHORT_LEN_MAX, Sequencer
from kernel.transparency.witnesses import TIMEOUT_S, Witness, WitnessAway, WitnessRefused, ask, read_witness

SEAL_S_MAX: Final = 10.0
"""How long an act that witnesses must see waits for them."""

REST_SHARE: Final = 3.0
BUSY_REST_SHARE: Final = 8.0
"""How many times as long as a step took the log rests where there is more to do, beside calm and busy trading."""
YIELD_S_MAX: Final = 5.0
"""How long sequencing waits for a process that is busy trading."""
_REST_S: Final = 5.0
"""A witness that did not answer is left alone for as long, unless an act waits for it."""
_LOOK_S: Final = 0.05

log = structlog.get_logger()


class TransparencyLog:
    """What services get. Nothing is opened, and no key made, before it is needed."""

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db: Final = db
        self._clock: Final = clock
        self._settings: Final = settings
        self._sequencer: Sequencer | None = None
        self._receipts: NoteSigner | None = None
        self._http: httpx2.AsyncClient | None = None
        self._again_s: Final[dict[Witness, float]] = {}
        self.prover: Final = Prover()
        self.witnesses: Final = tuple(read_witness(text) for text in settings.witnesses)
        self.required: Final = settings.witnesses_required

    async def open(self) -> None:
        """Nothing to do: see the class."""

    async def close(self) -> None:
        """Close what was opened."""
        if self._http:
            await self._http.aclose()

    async def step(self, len_max: int = BATCH_LEN_MAX) -> int:
        """Log what waits; see :meth:`kernel.transparency.sequencer.Sequencer.step`."""
        if self._sequencer is None:
            self._sequencer = Sequencer(self._db, self._clock, await self._signer())
        return await self._sequencer.step(len_max)

    async def receipt_signer(self) -> NoteSigner:
        """Give the key that signs receipts; its public half is published first."""
        if self._receipts is None:
            async with self._db.pool.acquire() as connection:
                origin = await self._origin()
                key = receipt_key(self._settings)
                signer = NoteSigner(f"{origin}/receipts", KeyKind.NOTE, key)
                await queries.keep_key(connection, "receipts", str(signer.key), self._clock.now())
            self._receipts = signer
        return self._receipts

    async def note_of(self, head: Head) -> Note:
        """Give a checkpoint with the cosignatures that there are."""
        note = read_note(head.note)
        cosigned = "".join(await queries.lines(self._db.pool, head.size))
        return note._replace(lines=note.lines + (read_lines(cosigned) if cosigned else ()))

    async def cosign(self, *, anew: bool = False) -> int:
        """
        Show the latest checkpoint to every witness that has not cosigned it; return how many have.

        ``anew`` shows it to all, those that have cosigned it and those that are resting too: it tells who is there
        now.
        """
        if not self.witnesses:
            return 0
        names = [str(witness.key) for witness in self.witnesses]
        async with self._db.pool.acquire() as connection:
            head = await queries.head(connection)
            known = await queries.cosigned(connection, names)
        if head is None:
            return 0
        asked = [self._cosigned(witness, head, known.get(str(witness.key), 0), anew=anew) for witness in self.witnesses]
        return sum(await asyncio.gather(*asked))

    async def require_witnesses(self) -> None:
        """
        See that as many witnesses as are required answer now: before an act that they must see.

        Raises:
            Unavailable: Fewer do. Nothing was done.
        """
        if self.required == 0:
            return
        while await self.step():
            pass
        there = await self.cosign(anew=True)
        if there < self.required:
            raise _unwitnessed(there, self.required)

    async def seal(self, stream: str, version: int, kind: str) -> None:
        """
        Wait until an act that witnesses must see is in a checkpoint that they have cosigned.

        Asking again is harmless: the same idempotency key gives the same answer once it is.

        Raises:
            Unavailable: That took longer than ``SEAL_S_MAX``; the act is recorded, and it is held.
        """
        assert kind in SEALED
        if self.required == 0:
            return
        try:
            async with asyncio.timeout(SEAL_S_MAX):
                await self.integrated(stream, version, cosigned=self.required)
        except TimeoutError:
            raise _held() from None

    async def integrated(self, stream: str, version: int, *, cosigned: int = 0) -> Head:
        """
        Wait until an entry is in a checkpoint with so many cosignatures; give the latest such checkpoint.

        Whoever waits works: it sequences, unless another process is at it. Set a time limit.
        """
        while True:
            found = await self.covering(stream, version, cosigned=cosigned)
            if found:
                return found
            if not await self.step():
                if cosigned:
                    await self.cosign(anew=True)
                await asyncio.sleep(_LOOK_S)
            elif cosigned:
                await self.cosign(anew=True)

    async def covering(self, stream: str, version: int, *, cosigned: int = 0) -> Head | None:
        """Give the latest checkpoint over an entry with so many cosignatures, if there is one."""
        names = [str(witness.key) for witness in self.witnesses]
        async with self._db.pool.acquire() as connection:
            number = await queries.number_of(connection, stream, version)
            if number is None:
                return None
            return await queries.covering(connection, number, witnesses=names, least=cosigned)

    async def _cosigned(self, witness: Witness, head: Head, known: int, *, anew: bool) -> bool:
        """Tell whether a witness has cosigned the checkpoint, after asking it where that helps."""
        if not anew:
            if known >= head.size:
                return True
            if self._again_s.get(witness, 0.0) > self._clock.monotonic_s():
                return False
        self._again_s[witness] = self._clock.monotonic_s() + _REST_S
        note = read_note(head.note)

        async def prove(old: int) -> list[bytes]:
            async with self._db.pool.acquire() as connection:
                return await self.prover.consistency(connection, old, head.size) if old <= head.size else []

        try:
            line = await ask(
                self._client(), witness, note=note, size=head.size, known=min(known, head.size), prove=prove
            )
        except WitnessRefused as error:
            LOG_REFUSALS.labels(witness.key.name).inc()
            log.error("witness.refused", witness=witness.key.name, size=head.size, error=str(error))  # noqa: TRY400
            return False
        except (WitnessAway, LookupError) as error:
            log.warning("witness.away", witness=witness.key.name, error=str(error))
            return False
        self._again_s.pop(witness, None)
        if line is None:
            return await self._is_ahead(witness, head)
        async with self._db.pool.acquire() as connection:
            await queries.keep_line(
                connection, size=head.size, witness=str(witness.key), at=self._clock.now(), line=str(line)
            )
        return True

    async def _is_ahead(self, witness: Witness, head: Head) -> bool:
        """
        Tell whether the witness is ahead because another process of ours was faster.

        Where nobody has asked it for more, it has seen entries of ours that are no longer there.
        """
        async with self._db.pool.acquire() as connection:
            latest = await queries.head(connection)
        if latest and latest.size > head.size:
            return True
        LOG_REFUSALS.labels(witness.key.name).inc()
        log.error("witness.refused", witness=witness.key.name, size=head.size, error="it has seen a larger tree")
        return False

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            self._http = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
        return self._http

    async def _signer(self) -> NoteSigner:
        key = log_key(self._settings)
        return NoteSigner(await self._origin(), KeyKind.NOTE, key)

    async def _origin(self) -> str:
        """Give the log's name: the one that it began with, else one made from our address and our key."""
        known = await queries.keys(self._db.pool, "log")
        if known:
            return known[0].partition("+")[0]
        host = urlsplit(self._settings.public_url).netloc if self._settings.public_url else "zhecai.localhost"
        public = log_key(self._settings).public_key().public_bytes_raw()
        return f"{host}/{public.hex()[:8]}"


async def run_log(transparency: TransparencyLog, *, trading: Callable[[], Trading], every_s: float = 0.2) -> None:
    """
    Sequence and have cosigned until cancelled; what fails rests a second, and nothing else waits for it.

    While the process is saturated with trading the log waits, at most ``YIELD_S_MAX`` from one step to the next: an
    entry is in the journal before anybody is told of it, in the log soon after. Where there is more to do than one
    step, the log rests some times as long as that took (``REST_SHARE``), and longer while the process is busy; then
    steps are short, too. Whoever trades finds a core free, and waits for one short step at most.
    """
    loop = asyncio.get_running_loop()

    async def stepped() -> float:
        waited_s = 0.0
        while trading() is Trading.SATURATED and waited_s < YIELD_S_MAX:
            await asyncio.sleep(every_s)
            waited_s += every_s
        began_s = loop.time()
        len_max = BATCH_LEN_MAX if trading() is Trading.CALM else SHORT_LEN_MAX
        more = await transparency.step(len_max) >= len_max
        share = REST_SHARE if trading() is Trading.CALM else BUSY_REST_SHARE
        return share * (loop.time() - began_s) if more else every_s

    async def cosigned() -> float:
        await transparency.cosign()
        return every_s

    async def again(what: str) -> None:
        while True:
            try:
                pause_s = await (stepped() if what == "step" else cosigned())
            except Exception:
                log.exception("log.failed", part=what)
                pause_s = 1.0
            await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        group.create_task(again("step"), name="log sequencer")
        group.create_task(again("cosign"), name="log witnesses")


def _unwitnessed(there: int, required: int) -> Unavailable:
    return Unavailable(
        f"这一步须有 {required} 个日志见证方在线，现在只有 {there} 个。本次请求未执行任何操作，请稍后重试。",
        f"This act needs {required} witnesses of the log, and {there} answer. This request did nothing; try later.",
        reason="log-not-witnessed",
        headers={"Retry-After": "10"},
    )


def _held() -> Unavailable:
    return Unavailable(
        "操作已记录，但日志见证方尚未签认。请勿重复操作，稍后用同一请求再次确认。",
        "The act is recorded, but the witnesses of the log have not confirmed it yet. Send the same request again.",
        reason="log-held",
        headers={"Retry-After": "10"},
    )
