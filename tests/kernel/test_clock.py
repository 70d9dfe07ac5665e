from datetime import UTC, date, datetime, timedelta

import pytest

from kernel.clock import BEIJING, ManualClock, SystemClock, beijing_day

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_the_systems_clock_is_in_utc_and_never_steps_back() -> None:
    clock = SystemClock()
    earlier_s = clock.monotonic_s()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic_s() >= earlier_s


def test_a_manual_clock_stands_still_until_it_is_turned_and_turns_both_times() -> None:
    clock = ManualClock(START)

    assert (clock.now(), clock.monotonic_s()) == (START, 0.0)
    assert clock.advance(timedelta(seconds=1.5)) == clock.now() == START + timedelta(seconds=1.5)
    assert clock.monotonic_s() == 1.5


def test_a_manual_clock_is_not_turned_back_and_knows_no_local_time() -> None:
    with pytest.raises(AssertionError):
        ManualClock(START).advance(timedelta(microseconds=-1))
    with pytest.raises(AssertionError):
        ManualClock(START.astimezone(BEIJING))


def test_beijing_is_eight_hours_ahead() -> None:
    assert START.astimezone(BEIJING).isoformat() == "2026-11-23T09:00:00+08:00"


def test_the_day_in_beijing_begins_at_four_in_the_afternoon_of_utc_whatever_was_asked_before() -> None:
    midnight = datetime(2026, 11, 28, 16, tzinfo=UTC)
    moments = {
        midnight - timedelta(days=1): date(2026, 11, 28),
        midnight - timedelta(microseconds=1): date(2026, 11, 28),
        midnight: date(2026, 11, 29),
        midnight + timedelta(hours=23, minutes=59): date(2026, 11, 29),
        midnight + timedelta(days=1): date(2026, 11, 30),
        midnight.astimezone(BEIJING): date(2026, 11, 29),
    }
    for at, day in [*moments.items(), *reversed(moments.items())]:
        assert beijing_day(at) == day
