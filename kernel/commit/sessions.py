"""The database sessions of one committer, and what became of a commit whose session is gone."""

import asyncio
import secrets
from typing import Final

from kernel.commit.flight import Flight
from kernel.db.database import Database
from kernel.db.pipeline import Pipeline
from kernel.journal import queries
from kernel.journal.streams import Connection

_LOOK_S: Final = 0.2


class Sessions:
    """One session that asks and waits, and one through which batches are sent without waiting."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._plain: Connection | None = None
        self._pipeline: Pipeline | None = None
        self.life = 0
        """What the pipeline's session is known by: it holds a lock of this number for as long as it lives."""

    async def open(self) -> None:
        """Connect both, or neither. Raises what the database raises."""
        try:
            self._plain = await self._database.connect()
            self._pipeline = await self._database.pipeline()
            self.life = secrets.randbits(62)
            await self._pipeline.send(queries.LIVE, [self.life])
        except BaseException:
            self.terminate()
            raise

    @property
    def plain(self) -> Connection:
        """The session that asks and waits."""
        assert self._plain is not None, "the committer is not open"
        return self._plain

    @property
    def pipeline(self) -> Pipeline:
        """The session that batches are sent through."""
        assert self._pipeline is not None, "the committer is not open"
        return self._pipeline

    def terminate(self) -> None:
        """Close both at once."""
        if self._plain:
            self._plain.terminate()
        if self._pipeline:
            self._pipeline.terminate()

    async def close(self) -> None:
        """Close both in order."""
        if self._pipeline:
            await self._pipeline.close()
        if self._plain:
            await self._plain.close()

    async def happened(self, flight: Flight) -> bool:
        """
        Tell whether a commit whose answer was lost is in the journal.

        It can be known only once it has ended: a server does not notice at once that its client has gone, and goes on
        committing.
        """
        while await self._at_work(flight):  # noqa: ASYNC110 - another server process sets no event
            await asyncio.sleep(_LOOK_S)
        anchor = flight.anchor
        return await queries.leaf(self.plain, anchor.stream, anchor.version) == anchor.leaf

    async def _at_work(self, flight: Flight) -> bool:
        if flight.xid is None:
            return await queries.lives(self.plain, flight.life)
        return await queries.in_progress(self.plain, flight.xid)
