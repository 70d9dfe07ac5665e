"""How much a committer has to do: what could wait asks for it."""

from enum import IntEnum
from typing import Final

from kernel.clock import Clock

BUSY: Final = 12
"""Batches that usually hold so many commands leave no time for what can wait a little."""
SATURATED: Final = 20
"""Batches that usually hold so many commands leave no time for what can wait longer."""
_RECENT_S: Final = 0.25
"""How long after the last batch that counts."""


class Trading(IntEnum):
    """How much there is to do."""

    CALM = 0
    BUSY = 1
    SATURATED = 2


class Tempo:
    """Watches how many commands the batches of a committer usually hold."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._usual_len = 0.0
        self.begun_s = 0.0
        """When the last batch was sent."""

    def note(self, batch_len: int) -> None:
        """Take note of a batch that is being sent."""
        self.begun_s = self._clock.monotonic_s()
        self._usual_len += (batch_len - self._usual_len) / 8

    @property
    def trading(self) -> Trading:
        """Tell how much there is to do now."""
        if self._usual_len <= BUSY or self._clock.monotonic_s() - self.begun_s >= _RECENT_S:
            return Trading.CALM
        return Trading.SATURATED if self._usual_len > SATURATED else Trading.BUSY
