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


async def untied(knot: "weakref.ref[Knot]") -> None:
    async with asyncio.timeout(10):
        while knot() is not None:  # noqa: ASYNC110 - a collection sets no event
            await asyncio.sleep(0.01)


def kept_for_a_while() -> "weakref.ref[Knot]":
    """Make a knot that outlives a collection of the young before nobody holds it any more."""
    knot = Knot()
    gc.collect(0)
    return weakref.ref(knot)


async def test_the_young_are_collected_as_they_are_made() -> None:
    async with collecting(SystemClock(), lambda: False):
        knot = weakref.ref(Knot())
        made = [[] for _ in range(2 * YOUNG)]  # type: ignore[var-annotated]
        assert knot() is None
        assert made


async def test_what_outlived_that_is_collected_in_a_calm_moment_and_not_before() -> None:
    calm = False
    async with collecting(SystemClock(), lambda: calm, look_s=0.01, every_s=0.0):
        knot = kept_for_a_while()
        made = [[] for _ in range(20 * YOUNG)]  # type: ignore[var-annotated]
        await asyncio.sleep(0.05)
        assert knot() is not None
        calm = True
        await untied(knot)
        assert made


async def test_what_there_was_before_is_left_as_it_was() -> None:
    frozen = gc.get_freeze_count()
    async with collecting(SystemClock(), lambda: True):
        assert gc.get_threshold() != PYTHONS_OWN
        assert gc.get_freeze_count() > frozen
    assert gc.get_threshold() == PYTHONS_OWN
    assert gc.get_freeze_count() == 0
