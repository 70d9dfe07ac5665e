"""Streams on which processes clash: for a while they are locked, then read, then decided, instead of tried."""

from collections.abc import Iterable
from typing import Final

from kernel.clock import Clock
from kernel.commit.batch import Ref

CONTENDED_S: Final = 5.0
"""How long a stream on which processes clashed is locked before deciding."""


class Contended:
    """What one committer has lost races for, and until when that counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._until_s: Final[dict[Ref, float]] = {}

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._until_s)

    def add(self, refs: Iterable[Ref]) -> None:
        """Remember that another process was faster here."""
        until_s = self._clock.monotonic_s() + CONTENDED_S
        self._until_s.update(dict.fromkeys(refs, until_s))

    def among(self, refs: Iterable[Ref]) -> set[Ref]:
        """Tell which of ``refs`` count now; forget those whose time is over."""
        if not self._until_s:
            return set()
        now_s = self._clock.monotonic_s()
        for old in [ref for ref, until_s in self._until_s.items() if until_s < now_s]:
            del self._until_s[old]
        return {ref for ref in refs if ref in self._until_s}
