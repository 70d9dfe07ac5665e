"""All halls of this process, and how they learn what was appended, here and elsewhere."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from kernel.bus import Bus
from kernel.commit.batch import Ref
from kernel.db.database import AWAY, Database
from kernel.journal import queries
from kernel.journal.streams import Recorded, decoder
from kernel.live.hall import Hall, HallView

POLL_S: Final = 1.0
"""How long a hall may stay behind when every hint is lost."""
EMPTY_KEPT_S: Final = 60.0
"""How long an empty hall keeps its view, so that a reload of the page does not read the journal again."""
_PAGE: Final = 2_000

log = structlog.get_logger()


class Halls:
    """
    Keeps a hall for each stream that somebody watches.

    Commits of this process arrive at once (:meth:`committed`), those of others as hints over the bus, and what both
    missed by asking the journal every ``POLL_S`` seconds. A view takes events in version order only: on a gap the
    journal is read.
    """

    def __init__(
        self, database: Database, bus: Bus, *, flush_min_s: float, buffer_bytes_max: int, busy: Callable[[], bool]
    ) -> None:
        self._database: Final = database
        self._bus: Final = bus
        self._flush_min_s: Final = flush_min_s
        self._buffer_bytes_max: Final = buffer_bytes_max
        self._busy: Final = busy
        self._halls: Final[dict[Ref, Hall]] = {}
        self._names: Final[dict[str, Ref]] = {}
        self._opening: Final[dict[Ref, asyncio.Lock]] = {}
        self._behind: Final[set[Ref]] = set()
        self._empty: Final[dict[Ref, float]] = {}
        self._wake: Final = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start listening."""
        self._bus.listeners.append(self.hinted)
        self._tasks = [asyncio.create_task(self._catch_up()), asyncio.create_task(self._poll())]

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hall(self, ref: Ref, make_view: Callable[[], HallView]) -> Hall:
        """Return the hall of a stream; the first to ask has it built from the journal."""
        assert ref.kind.heard, "a hall would learn of what happens a second late"
        async with self._opening.setdefault(ref, asyncio.Lock()):
            self._empty.pop(ref, None)
            found = self._halls.get(ref)
            if found is None:
                found = Hall(
                    make_view(),
                    flush_min_s=self._flush_min_s,
                    buffer_bytes_max=self._buffer_bytes_max,
                    busy=self._busy,
                )
                self._halls[ref] = found
                self._names[str(ref)] = ref
                try:
                    await self._read_on(ref, found)
                except BaseException:
                    del self._halls[ref], self._names[str(ref)]  # half a view would be shown to whoever comes next
                    raise
            return found

    def committed(self, recorded: Mapping[Ref, Sequence[Recorded[Any]]]) -> None:
        """Take in what this process has just committed, and hint it to the others."""
        for ref, events in recorded.items():
            self._bus.hint(ref, events[-1].version)
            hall = self._halls.get(ref)
            if hall is None:
                continue
            news = events[max(0, hall.view.version + 1 - events[0].version) :]
            if not news:
                continue
            if news[0].version == hall.view.version + 1:
                hall.apply(news)
            else:
                self._fall_behind([ref])

    def hinted(self, streams: Mapping[str, int]) -> None:
        """Take in a hint of another process."""
        self._fall_behind(
            ref
            for name, version in streams.items()
            if (ref := self._names.get(name)) is not None and version > self._halls[ref].view.version
        )

    def _fall_behind(self, refs: Iterable[Ref]) -> None:
        self._behind.update(refs)
        if self._behind:
            self._wake.set()

    async def _catch_up(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._behind:
                ref = self._behind.pop()
                hall = self._halls.get(ref)
                try:
                    if hall is not None:
                        await self._read_on(ref, hall)
                except AWAY as error:
                    log.warning("halls.journal_away", error=repr(error))
                    self._behind.add(ref)
                    await asyncio.sleep(POLL_S)
                except Exception:  # one view that stumbles must not stop the others
                    log.exception("halls.view_failed", stream=str(ref))

    async def _poll(self) -> None:
        """Repair what hints have missed, and forget halls that stay empty."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_S)
            self._sweep(loop.time())
            known = {str(ref): (ref, hall.view.version) for ref, hall in self._halls.items() if hall.seats}
            if not known:
                continue
            try:
                moved = await queries.moved(
                    self._database.pool, [(name, version) for name, (_, version) in known.items()]
                )
            except AWAY as error:
                log.warning("halls.journal_away", error=repr(error))
                continue
            self._fall_behind(known[name][0] for name in moved)

    def _sweep(self, now_s: float) -> None:
        for ref, hall in self._halls.items():
            if hall.seats:
                self._empty.pop(ref, None)
            else:
                self._empty.setdefault(ref, now_s)
        for ref in [ref for ref, since_s in self._empty.items() if since_s + EMPTY_KEPT_S < now_s]:
            del self._halls[ref], self._names[str(ref)], self._opening[ref], self._empty[ref]

    async def _read_on(self, ref: Ref, hall: Hall) -> None:
        """Read the journal behind the hall's version until nothing is new."""
        decode = decoder(ref.kind)
        while True:
            entries = await queries.read(self._database.pool, str(ref), after=hall.view.version, limit=_PAGE)
            known = hall.view.version  # a commit of this process may have been taken in meanwhile
            news = [Recorded(one.version, one.at, decode(one.body)) for one in entries if one.version > known]
            if news:
                hall.apply(news)
            if len(entries) < _PAGE:
                return
