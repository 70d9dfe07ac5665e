import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from kernel.clock import SystemClock
from portal.collecting import YOUNG, collecting

PYTHONS_OWN = (700, 10, 10)


class Knot:
    """Holds itself: only a garbage collection unties it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def pythons_own() -> Iterator[None]:
    """Begin as Python does, also where a service of other tests is running in this process."""
    before = gc.get_threshold()
    gc.set_threshold(*PYTHONS_OWN)
    yield
    gc.set_threshold(*before)


def kept_for_a_while(untied: asyncio.Event) -> "weakref.ref[Knot]":
    """Make a knot that outlives a collection of the young before nobody holds it any more."""
    knot = Knot()
    gc.collect(0)
    return weakref.ref(knot, lambda _: untied.set())


async def test_the_young_are_collected_as_they_are_made() -> None:
    async with collecting(SystemClock(), lambda: False):
        knot = weakref.ref(Knot())
        made: list[list[int]] = [[] for _ in range(2 * YOUNG)]
        assert knot() is None
        assert made


async def test_what_outlived_that_is_collected_in_a_calm_moment_and_not_before() -> None:
    calm, untied = False, asyncio.Event()
    async with collecting(SystemClock(), lambda: calm, look_s=0.01, every_s=0.0):
        knot = kept_for_a_while(untied)
        made: list[list[int]] = [[] for _ in range(20 * YOUNG)]
        await asyncio.sleep(0.05)
        assert knot() is not None
        calm = True
        await asyncio.wait_for(untied.wait(), 10)
        assert made


async def test_what_there_was_before_is_left_as_it_was() -> None:
    frozen = gc.get_freeze_count()
    async with collecting(SystemClock(), lambda: True):
        assert gc.get_threshold() != PYTHONS_OWN
        assert gc.get_freeze_count() > frozen
    assert gc.get_threshold() == PYTHONS_OWN
    assert gc.get_freeze_count() == 0
