"""Is this machine's clock right? Measured against the database, which all processes share."""

from typing import Final

from kernel.clock import Clock
from kernel.db.database import Database
from kernel.problems import Unavailable

SKEW_S_MAX: Final = 0.1
"""A process that is further off refuses live sessions: it would stamp offers with a wrong time of receipt."""

_SAMPLES: Final = 5


class Skew:
    """What is known of the offset between this process's clock and the database's."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self.offset_s = 0.0
        """Database minus process, in seconds; 0 until it was measured."""

    async def measure(self) -> float:
        """
        Measure the offset: of several questions the one with the quickest answer, taken in its middle.

        Returns:
            The offset in seconds; its error is at most half of that round trip.
        """
        best_s = float("inf")
        async with self._database.pool.acquire() as connection:
            for _ in range(_SAMPLES):
                sent_s = self._clock.monotonic_s()
                sent = self._clock.now()
                theirs = await connection.fetchval("select clock_timestamp()")
                trip_s = self._clock.monotonic_s() - sent_s
                if trip_s < best_s:
                    best_s = trip_s
                    self.offset_s = (theirs - sent).total_seconds() - trip_s / 2
        return self.offset_s

    def check(self) -> None:
        """
        Refuse to serve anything live while the clock is off.

        Raises:
            Unavailable: the last measurement was more than ``SKEW_S_MAX`` off.
        """
        if abs(self.offset_s) > SKEW_S_MAX:
            raise Unavailable(
                "服务器时钟与数据库不一致，实时交易暂停，请稍后重试。",
                "The server's clock differs from the database's; live trading waits until it is set right.",
                reason="clock-skew",
                headers={"Retry-After": "30"},
            )
