"""
Who asks whether a path's certificates are revoked: what lies at hand first, then what is kept, then their authorities.

A source that was asked in vain is left alone for ``RETRY_S``: logins must not wait for it one after another. Workers
renew what is in use (:func:`run_renewals`) after half of its time, at most an hour.
"""

import asyncio
import hashlib
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import structlog

from crypto.certificates.certificate import Certificate
from crypto.certificates.revocation import (
    ANSWER_BYTES_MAX,
    LIST_BYTES_MAX,
    Answer,
    Question,
    RevocationList,
    Status,
    ocsp_request,
)
from crypto.certificates.validation import Validated, judge
from crypto.errors import CryptoError
from crypto.suites import Denials
from kernel.clock import Clock
from kernel.db.database import AWAY, Database
from kernel.metrics import REVOCATION_AGE, REVOCATION_FETCHES, REVOCATION_OUT_OF_DATE
from kernel.problems import Unavailable
from kernel.revocation import queries
from kernel.revocation.fetching import Fetcher, FetchError
from kernel.revocation.queries import Fetched, Source, Standing

AHEAD: Final = timedelta(minutes=1)
"""How far the clock of an authority may be ahead of ours."""
RETRY_S: Final = 10
RENEWED_AFTER: Final = timedelta(hours=1)
"""How long a revocation stays unknown here at most while the certificate is in use and the authority answers."""
LOOK_S: Final = 5.0
_RENEWED_AFTER_MIN: Final = timedelta(minutes=1)
_ASKED_AGAIN: Final = timedelta(hours=1)
_URLS_MAX: Final = 4
"""Addresses of one certificate that are asked."""
_KEPT_COUNT_MAX: Final = 1000
_AT_ONCE: Final = 8

log = structlog.get_logger()


class Revocations:
    """What outside authorities say, for one process; the table is every process's."""

    def __init__(self, db: Database, clock: Clock, fetcher: Fetcher, denials: Denials) -> None:
        self._db: Final = db
        self._clock: Final = clock
        self._fetcher: Final = fetcher
        self._denials: Final = denials
        self._parsed: Final[dict[bytes, tuple[datetime, RevocationList | Answer]]] = {}
        self._locks: Final[dict[bytes, asyncio.Lock]] = {}
        self._slots: Final = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        await self._fetcher.close()

    async def judge(self, found: Validated, local: Sequence[RevocationList]) -> None:
        """
        Check that no certificate of a path is revoked; authorities are asked about those that ``local`` leaves open.

        Raises:
            CertificateRefusedError: one is revoked, or there is nobody to ask about it.
            Unavailable: there is, and no answer came that counts.
        """
        lists, answers = list(local), []
        for issuer, certificate in itertools.pairwise(found.path):
            question = Question(certificate, issuer, found.at, self._denials, AHEAD)
            if any(question.put(one) for one in local):
                continue
            said = await self._ask(question)
            if isinstance(said, RevocationList):
                lists.append(said)
            elif said is not None:
                answers.append(said)
        judge(found, lists, answers, self._denials, ahead=AHEAD)

    async def renew(self) -> int:
        """Fetch some of what is due; return how many were."""
        at = self._clock.now()
        due = await queries.claim(self._db.pool, at)
        await asyncio.gather(*(self._renewed(source) for source in due))
        return len(due)

    async def measure(self) -> None:
        """Set the gauges, and forget what is not used any more."""
        at = self._clock.now()
        states = await queries.states(self._db.pool, at)
        ages = [(at - one.fetched_at).total_seconds() for one in states if one.fetched_at is not None]
        REVOCATION_AGE.set(max(ages, default=0))
        REVOCATION_OUT_OF_DATE.set(sum(one.next_update is None or one.next_update < at for one in states))
        await queries.forget(self._db.pool, at)

    async def _ask(self, question: Question) -> RevocationList | Answer | None:
        sources = self._sources(question)
        if not sources:
            return None
        known = await queries.standing(self._db.pool, [one.name for one in sources])
        stale = [one.name for one in known.values() if one.asked_at < question.at - _ASKED_AGAIN]
        if stale:
            await queries.asked(self._db.pool, stale, question.at)
        for source in sources:
            said = await self._kept(source, known.get(source.name), question)
            if said is not None:
                return said
        failures = []
        for source in sources:
            try:
                return await self._fetched_once(source, question)
            except (FetchError, CryptoError) as error:
                failures.append(f"{error}")
        log.warning("revocation.unknown", serial=question.certificate.serial_hex, failures=failures)
        raise Unavailable(
            "暂时无法向证书的签发机构查询证书是否已吊销，请稍后重试。",
            "The authority that issued the certificate cannot be asked now whether it is revoked; try again later.",
            reason="revocation-unreachable",
            headers={"Retry-After": str(RETRY_S)},
        )

    def _sources(self, question: Question) -> list[Source]:
        """Say whom to ask: responders first, then lists, in the order that the certificate names them in."""
        certificate, issuer = question.certificate, question.issuer
        named = [("ocsp", url) for url in certificate.ocsp_urls] + [("crl", url) for url in certificate.crl_urls]
        return [
            Source(_name(kind, url, issuer, certificate), kind, url, issuer.der, certificate.der)
            for kind, url in named
            if self._fetcher.allows(url)
        ][:_URLS_MAX]

    async def _kept(self, source: Source, known: Standing | None, question: Question) -> RevocationList | Answer | None:
        """Give what is kept of a source if it counts now."""
        if known is None or known.this_update is None or known.next_update is None:
            return None
        if known.next_update < question.at:
            return None
        held = self._parsed.get(source.name)
        if held is None or held[0] != known.fetched_at:
            body = await queries.body(self._db.pool, source.name)
            if body is None or known.fetched_at is None:
                return None
            held = (known.fetched_at, await _parsed(source.kind, body))
            self._remember(source.name, held)
        return held[1] if question.put(held[1]) else None

    async def _fetched_once(self, source: Source, question: Question) -> RevocationList | Answer:
        """Fetch unless somebody in this process has just done so, or has in vain."""
        lock = self._locks.setdefault(source.name, asyncio.Lock())
        try:
            async with lock:
                known = (await queries.standing(self._db.pool, [source.name])).get(source.name)
                said = await self._kept(source, known, question)
                if said is not None:
                    return said
                if known and known.failed_at and (self._clock.now() - known.failed_at).total_seconds() < RETRY_S:
                    raise FetchError(f"{source.url}: asked in vain a moment ago")
                return await self._fetched(source)
        finally:
            if not lock.locked():
                self._locks.pop(source.name, None)

    async def _renewed(self, source: Source) -> None:
        try:
            await self._fetched(source)
        except (FetchError, CryptoError) as error:
            log.warning("revocation.not_renewed", url=source.url, error=str(error))

    async def _fetched(self, source: Source) -> RevocationList | Answer:
        """Fetch, verify and keep; what fails is noted, and raised."""
        try:
            said = await self._verified(source)
        except (FetchError, CryptoError) as error:
            REVOCATION_FETCHES.labels(kind=source.kind, outcome="failed").inc()
            await queries.fail(self._db.pool, source, str(error), self._clock.now())
            raise
        REVOCATION_FETCHES.labels(kind=source.kind, outcome="kept").inc()
        return said

    async def _verified(self, source: Source) -> RevocationList | Answer:
        issuer, certificate = Certificate(source.issuer), Certificate(source.certificate)
        asking = ocsp_request(certificate, issuer) if source.kind == "ocsp" else None
        bytes_max = LIST_BYTES_MAX if asking is None else ANSWER_BYTES_MAX
        async with self._slots:
            body = await self._fetcher.fetch(source.url, question=asking, bytes_max=bytes_max)
            said = await _parsed(source.kind, body)
        at = self._clock.now()
        status = await asyncio.to_thread(Question(certificate, issuer, at, self._denials).checked, said)
        if not status.holds(at, ahead=AHEAD):
            raise FetchError(f"{source.url}: holds from {status.this_update} to {status.next_update}, not now")
        fetched = Fetched(body, status.this_update, status.next_update, _due(status, at))
        if not await queries.save(self._db.pool, source, fetched, at):
            raise FetchError(f"{source.url}: of {status.this_update}, older than what came before")
        self._remember(source.name, (at, said))
        return said

    def _remember(self, name: bytes, held: tuple[datetime, RevocationList | Answer]) -> None:
        self._parsed.pop(name, None)
        if len(self._parsed) >= _KEPT_COUNT_MAX:
            del self._parsed[next(iter(self._parsed))]
        self._parsed[name] = held


async def run_renewals(revocations: Revocations) -> None:
    """Renew what is due until cancelled."""
    while True:
        try:
            while await revocations.renew():
                pass
            await revocations.measure()
        except (*AWAY, asyncpg.PostgresError) as error:
            log.warning("revocation.renewals_rest", error=repr(error))
        await asyncio.sleep(LOOK_S)


async def _parsed(kind: str, body: bytes) -> RevocationList | Answer:
    """Parse off the event loop: a list may have many megabytes."""
    if kind == "ocsp":
        return Answer(body)
    return await asyncio.to_thread(RevocationList, body)


def _due(status: Status, at: datetime) -> datetime:
    """Say when to fetch again: after half of what is left of its time, between a minute and an hour."""
    half = (status.next_update - at) / 2
    return at + max(_RENEWED_AFTER_MIN, min(half, RENEWED_AFTER))


def _name(kind: str, url: str, issuer: Certificate, certificate: Certificate) -> bytes:
    about = certificate.serial_hex if kind == "ocsp" else ""
    text = b"\0".join((kind.encode(), url.encode(), issuer.fingerprint, about.encode()))
    return hashlib.sha256(text).digest()
