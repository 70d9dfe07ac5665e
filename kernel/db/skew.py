"""Is this machine's clock right? Measured against the database, which all processes share."""

from typing import Final, NamedTuple

from kernel.clock import Clock
from kernel.db.database import Database
from kernel.problems import Unavailable

SKEW_S_MAX: Final = 0.1
"""A process that is further off refuses live sessions: it would stamp offers with a wrong time of receipt."""

_SAMPLES: Final = 5
_SAMPLES_MAX: Final = 10
_FINE_S: Final = SKEW_S_MAX / 2


class Offset(NamedTuple):
    """One measurement: the truth lies within ``error_s`` on either side of ``offset_s``."""

    offset_s: float
    """Database minus process, in seconds."""
    error_s: float

    @property
    def is_off(self) -> bool:
        """Tell that the clock is more than ``SKEW_S_MAX`` off, however the error fell."""
        return abs(self.offset_s) - self.error_s > SKEW_S_MAX


class Skew:
    """What is known of the offset between this process's clock and the database's."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self.known = Offset(0.0, 0.0)
        """The last measurement that told anything."""

    async def measure(self) -> Offset:
        """
        Measure the offset: of several questions the one with the quickest answer, taken in its middle.

        On a machine so busy that no answer was quick, what was known stays known. Costs at most ``_SAMPLES_MAX``
        round trips, and nobody sees a measurement before it is finished.

        Returns:
            This measurement; its error is half of the quickest round trip.
        """
        best = Offset(0.0, float("inf"))
        async with self._database.pool.acquire() as connection:
            for taken in range(_SAMPLES_MAX):
                if taken >= _SAMPLES and best.error_s <= _FINE_S:
                    break
                sent_s = self._clock.monotonic_s()
                sent = self._clock.now()
                theirs = await connection.fetchval("select clock_timestamp()")
                error_s = (self._clock.monotonic_s() - sent_s) / 2
                if error_s < best.error_s:
                    best = Offset((theirs - sent).total_seconds() - error_s, error_s)
        if best.error_s <= _FINE_S or best.is_off:
            self.known = best
        return best

    def check(self) -> None:
        """
        Refuse to serve anything live while the clock is off.

        Raises:
            Unavailable: the last measurement was more than ``SKEW_S_MAX`` off.
        """
        if self.known.is_off:
            raise Unavailable(
                "服务器时钟与数据库不一致，实时交易暂停，请稍后重试。",
                "The server's clock differs from the database's; live trading waits until it is set right.",
                reason="clock-skew",
                headers={"Retry-After": "30"},
            )
