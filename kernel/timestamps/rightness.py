"""
Is the authority's clock right (ADR 0046)? A time stamp of a wrong clock is worse than none.

Three things are watched: that wall time moves as monotonic time does, that it is not before the newest token, and that
it agrees with references, where some are named.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx2
import structlog

from crypto.timestamps.request import Failure, StampRefused, StampRequest, imprint_of
from crypto.timestamps.response import token_of
from crypto.timestamps.token import BadToken, read_token
from kernel.clock import Clock
from kernel.timestamps.client import NONCE_BITS, fetch

STEP_MAX: Final = timedelta(seconds=0.5)
"""Wall and monotonic time may drift apart by so much between two looks at a reference."""
OFF_MAX: Final = timedelta(seconds=1)
"""A reference may be off by so much beyond half of the way there and back."""
LOOK_EVERY_S: Final = 60.0
SILENCE_MAX_S: Final = 600.0
"""So long may all references be silent."""
_TIMEOUT_S: Final = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reference said: its time minus ours, and how wrong that may be because of the way there and back."""

    offset: timedelta
    uncertain: timedelta


Reference = Callable[[], Awaitable[Reading]]


class Rightness:
    """Gives the time as long as it is known to be right."""

    def __init__(self, clock: Clock, references: Sequence[Reference] = ()) -> None:
        self._clock: Final = clock
        self._references: Final = tuple(references)
        self._wall = clock.now()
        self._monotonic_s = clock.monotonic_s()
        self._heard_s: float | None = None
        self._off: timedelta | None = None

    def now(self, newest_at: datetime | None) -> datetime:
        """
        Give the time, to the millisecond, not before ``newest_at``.

        Raises:
            StampRefused: it is not known to be right; the message says why.
        """
        wall = self._clock.now()
        at = wall.replace(microsecond=wall.microsecond // 1000 * 1000)
        if reason := self.wrong(wall) or _before(at, newest_at):
            raise StampRefused(Failure.TIME_NOT_AVAILABLE, reason)
        return at

    def wrong(self, wall: datetime) -> str | None:
        """Say why the time is not known to be right; None when it is."""
        monotonic_s = self._clock.monotonic_s()
        stepped = (wall - self._wall) - timedelta(seconds=monotonic_s - self._monotonic_s)
        if abs(stepped) > STEP_MAX:
            return f"the clock was set by {stepped.total_seconds():+.3f} s while the authority ran"
        if not self._references:
            return None
        if self._heard_s is None or monotonic_s - self._heard_s > SILENCE_MAX_S:
            return "no reference for the time has answered"
        if self._off is not None:
            return f"the clock is {-self._off.total_seconds():+.3f} s off the references"
        return None

    async def look(self) -> None:
        """Ask every reference once, and judge by the median of those that answer."""
        answers = await asyncio.gather(*(reference() for reference in self._references), return_exceptions=True)
        readings: list[Reading] = []
        for answer in answers:
            if isinstance(answer, Reading):
                readings.append(answer)
            elif isinstance(answer, (httpx2.HTTPError, StampRefused, BadToken)):
                log.warning("tsa.reference_silent", error=repr(answer))
            else:
                raise answer
        if not readings:
            return
        middle = sorted(readings, key=lambda reading: reading.offset)[(len(readings) - 1) // 2]
        off = abs(middle.offset) > OFF_MAX + middle.uncertain
        self._off = middle.offset if off else None
        self._heard_s = self._clock.monotonic_s()
        if off:
            log.error("tsa.clock_off", offset_s=middle.offset.total_seconds())
        else:
            self._wall, self._monotonic_s = self._clock.now(), self._clock.monotonic_s()

    async def watch(self) -> None:
        """Look for ever."""
        while self._references:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)


def _before(at: datetime, newest_at: datetime | None) -> str | None:
    if newest_at is None or at >= newest_at:
        return None
    return f"the clock is {(newest_at - at).total_seconds():.3f} s behind the newest token"


def other_authority(url: str, http: httpx2.AsyncClient, clock: Clock) -> Reference:
    """Make a reference of another authority: it is asked for a stamp of nothing in particular."""

    async def ask() -> Reading:
        request = StampRequest(imprint_of(secrets.token_bytes(32)), nonce=secrets.randbits(NONCE_BITS))
        sent, sent_s = clock.now(), clock.monotonic_s()
        token = read_token(token_of(await fetch(http, url, request.encode(), timeout_s=_TIMEOUT_S)))
        half = timedelta(seconds=(clock.monotonic_s() - sent_s) / 2)
        if token.stamp.nonce != request.nonce:
            raise BadToken("the reference answers another request: another nonce")
        return Reading(token.stamp.at - (sent + half), half)

    return ask
