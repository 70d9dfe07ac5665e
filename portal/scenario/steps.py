"""The steps of a scenario, told as they happen and kept for the summary."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from kernel.clock import Clock

Told = Callable[[str], None]
Show = Callable[[str, str, float], None]


class ScenarioFailed(Exception):
    """The service did not do what it should have."""


def expect(good: object, what: object) -> None:
    """Go on where ``good``. Raises ``ScenarioFailed``, which says ``what`` was found."""
    if not good:
        raise ScenarioFailed(str(what))


class Steps:
    """Times each step; ``show(title, outcome, took_s)`` is called when one is done."""

    def __init__(self, clock: Clock, show: Show) -> None:
        self._clock: Final = clock
        self._show: Final = show
        self.done: Final[list[dict[str, Any]]] = []

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Told]:
        """Do a step; what it tells last is its outcome."""
        outcome = ""

        def told(text: str) -> None:
            nonlocal outcome
            outcome = text

        began_s = self._clock.monotonic_s()
        yield told
        took_s = round(self._clock.monotonic_s() - began_s, 3)
        self.done.append({"step": name, "took_s": took_s, "outcome": outcome})
        self._show(title, outcome, took_s)
