"""
A hall: one stream's live view in one process, and all who watch it here.

Whoever comes gets a snapshot, then numbered deltas. Deltas are cumulative and leave at most every ``flush_min_s``
seconds, the first at once: a burst of a thousand offers is a few frames, and each frame is encoded once for all
who see the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from kernel.journal.streams import Recorded
from kernel.live.audience import Audience
from kernel.live.wire import TRY_AGAIN_LATER, Wire, text_frame
from kernel.metrics import VIEWERS_CUT

BUSY_FACTOR: Final = 3.0
"""How many times longer a hall keeps from showing itself again while commands wait for the process."""
SEATS_A_TURN: Final = 64
"""How many seats are shown something before the event loop may turn to others."""
FRAME_SEATS: Final = 8
"""A frame that has to be made takes as long as so many seats: each bidder of an auction is shown one of its own."""

_encode: Final = msgspec.json.Encoder().encode


class HallView(Protocol):
    """What there is to see of a stream: a pure projection of its events."""

    version: int

    def apply(self, run: Sequence[Recorded[Any]]) -> None:
        """Take in the next events, at least one."""
        ...

    def snapshot(self, audience: Audience) -> msgspec.Struct:
        """Show everything that this audience may see now."""
        ...

    def delta(self, audience: Audience, after: int) -> msgspec.Struct | None:
        """Show what changed since version ``after``; ``None`` when this audience learns nothing."""
        ...


class Seat:
    """One viewer's place: the wire, the audience, and the last version it was shown."""

    __slots__ = ("audience", "version", "wire")

    def __init__(self, wire: Wire, audience: Audience) -> None:
        self.wire = wire
        self.audience = audience
        self.version = 0


class Hall:
    """
    Shows one view to its seats.

    While ``busy`` says that commands are waiting, it shows itself less often: who offers is to be answered first.
    A viewer with more than ``buffer_bytes_max`` unread bytes is cut off: it never slows the others. The reason that it
    is given says where to resume.
    """

    def __init__(
        self, view: HallView, *, flush_min_s: float, buffer_bytes_max: int, busy: Callable[[], bool] = lambda: False
    ) -> None:
        self.view: Final = view
        self.seats: Final[set[Seat]] = set()
        self._flush_min_s: Final = flush_min_s
        self._buffer_bytes_max: Final = buffer_bytes_max
        self._busy: Final = busy
        self._loop: Final = asyncio.get_running_loop()
        self._flushed_s = 0.0
        self._timer: asyncio.Handle | None = None

    def enter(self, wire: Wire, audience: Audience, *, after: int | None = None) -> Seat:
        """
        Seat a viewer and show it where things stand.

        One that was here before and knows everything up to ``after`` gets only what is new.
        """
        seat = Seat(wire, audience)
        known = after is not None and 0 < after <= self.view.version
        message = self.view.delta(audience, after) if known and after is not None else None
        if message is None:
            message = self.view.snapshot(audience)
        seat.version = self.view.version
        wire.write(text_frame(_encode(message)))
        self.seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Take a viewer's seat away."""
        self.seats.discard(seat)

    def apply(self, run: Sequence[Recorded[Any]]) -> None:
        """Take in the next events; those who watch are told soon."""
        self.view.apply(run)
        if self._timer is None and self.seats:
            self._flush_later()

    def _flush_later(self) -> None:
        flush_s = self._flush_min_s * BUSY_FACTOR if self._busy() else self._flush_min_s
        wait_s = self._flushed_s + flush_s - self._loop.time()
        self._timer = self._loop.call_later(wait_s, self._flush) if wait_s > 0 else self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushed_s = self._loop.time()
        self._show(list(self.seats), self.view.version, {})

    def _show(self, seats: list[Seat], flushed: int, frames: dict[tuple[Audience, int, int], bytes | None]) -> None:
        """
        Show some of ``seats`` where things stand, the others in the next turn of the loop: offers must not wait.

        Whoever had a turn before something new came, behind version ``flushed``, is shown it in the next flush.
        """
        version = self.view.version
        slow: list[Seat] = []
        left = SEATS_A_TURN
        while seats and left > 0:
            seat = seats.pop()
            left -= 1
            if seat.version == version or seat not in self.seats:
                continue
            key = (seat.audience, seat.version, version)
            if key in frames:
                frame = frames[key]
            else:
                delta = self.view.delta(seat.audience, seat.version)
                frame = frames[key] = None if delta is None else text_frame(_encode(delta))
                left -= FRAME_SEATS
            if frame is None:
                continue
            seat.wire.write(frame)
            seat.version = version
            if seat.wire.buffered() > self._buffer_bytes_max:
                slow.append(seat)
        for seat in slow:
            VIEWERS_CUT.inc()
            self.leave(seat)
            seat.wire.close(TRY_AGAIN_LATER, f"too slow, resume with after={seat.version}")
        if seats:
            self._loop.call_soon(self._show, seats, flushed, frames)
            return
        self._timer = None
        if version > flushed and self.seats:
            self._flush_later()
