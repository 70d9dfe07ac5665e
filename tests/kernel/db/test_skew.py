"""What is known of the clock, and when nothing is."""

import asyncio
from datetime import datetime, timedelta

import pytest

from kernel.clock import SystemClock
from kernel.db.skew import SKEW_S_MAX, Offset, Skew
from kernel.problems import Unavailable
from tests.conftest import KernelMaker

HELD_UP_S = 3 * SKEW_S_MAX
"""How long a busy machine keeps a process from its core: half of it is more than a clock may be off."""


class BusyClock(SystemClock):
    """
    The clock of a process that was held up right after it had looked at it, the next ``held_up`` times.

    What it saw is then as old as that, and so much more time has gone by.
    """

    def __init__(self, held_up: int, fast: timedelta = timedelta()) -> None:
        self.held_up = held_up
        self.fast = fast
        self._gone_by_s = 0.0

    def now(self) -> datetime:
        at = super().now() + self.fast
        if self.held_up:
            self.held_up -= 1
            self._gone_by_s += HELD_UP_S
            at -= timedelta(seconds=HELD_UP_S)
        return at

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self._gone_by_s


async def test_a_clock_that_is_right_is_found_to_be_so(make_kernel: KernelMaker) -> None:
    kernel = await make_kernel(SystemClock())

    offset_s, error_s = await kernel.skew.measure()

    assert abs(offset_s) <= error_s
    kernel.skew.check()


async def test_nobody_is_turned_away_by_a_measurement_that_is_not_finished(make_kernel: KernelMaker) -> None:
    skew = Skew((await make_kernel()).db, BusyClock(held_up=1))

    measuring = asyncio.create_task(skew.measure())
    while not measuring.done():
        skew.check()
        await asyncio.sleep(0)

    assert measuring.result().error_s < HELD_UP_S / 2
    assert skew.known == measuring.result()


async def test_a_measurement_too_rough_to_tell_leaves_what_was_known(make_kernel: KernelMaker) -> None:
    clock = BusyClock(held_up=0, fast=timedelta(seconds=1))
    skew = Skew((await make_kernel()).db, clock)
    await skew.measure()
    assert (off := skew.known).is_off

    clock.fast, clock.held_up = timedelta(), 100
    rough = await skew.measure()

    assert rough.error_s >= HELD_UP_S / 2
    assert not rough.is_off
    assert skew.known == off
    clock.held_up = 0
    await skew.measure()
    skew.check()


async def test_a_rough_measurement_still_finds_a_clock_that_is_far_off(make_kernel: KernelMaker) -> None:
    skew = Skew((await make_kernel()).db, BusyClock(held_up=100, fast=timedelta(seconds=-10)))

    await skew.measure()

    with pytest.raises(Unavailable, match="clock"):
        skew.check()


def test_off_is_what_is_off_however_the_error_fell() -> None:
    assert Offset(0.11, 0.0).is_off
    assert Offset(-0.11, 0.0).is_off
    assert Offset(0.16, 0.05).is_off
    assert not Offset(0.1, 0.0).is_off
    assert not Offset(0.15, 0.05).is_off
    assert not Offset(-0.15, 0.05).is_off
