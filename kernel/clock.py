"""Time comes in as an argument, in UTC; only :class:`SystemClock` asks the machine."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
"""Beijing time (北京时间): for display and for reading typed deadlines, never inside."""

_DAY = timedelta(days=1)
_last = (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), date.min)


def beijing_day(at: datetime) -> date:
    """Return the day that people in Beijing write on that moment; agreements, budgets and limits run by it."""
    global _last  # noqa: PLW0603 - the day that was asked for last: nearly every question is about today
    begin, end, day = _last
    if begin <= at < end:
        return day
    there = at.astimezone(BEIJING)
    begin, day = there.replace(hour=0, minute=0, second=0, microsecond=0), there.date()
    begin = begin.astimezone(UTC)  # compared quickest with times that are in UTC as well
    _last = (begin, begin + _DAY, day)
    return day


class Clock(Protocol):
    """What the time is, asked once per request."""

    def now(self) -> datetime:
        """Wall time in UTC: deadlines, records, signatures."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never step back: durations, timeouts, rate limits."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that a test or a replay turns by hand."""

    def __init__(self, start: datetime) -> None:
        assert start.tzinfo is UTC
        self._now = start
        self._monotonic_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, by: timedelta) -> datetime:
        """Move both times forward by ``by`` and return the new wall time."""
        assert by >= timedelta(0)
        self._now += by
        self._monotonic_s += by.total_seconds()
        return self._now
