"""
Sessions: a random token in the caller's hand, its SHA-256 in the database.

A session ends when it was idle for ``session_idle_s``, at the latest after ``session_absolute_s``, or when it is
closed. What a process has looked up it believes for ``CACHE_S``: so long a closed session may still be served by
another process.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from kernel.access.actors import Actor
from kernel.clock import Clock
from kernel.db.database import Database

CACHE_S: Final = 5.0
_CACHED_MAX: Final = 20_000
_TOUCH_AFTER_MAX: Final = timedelta(minutes=1)
_USER_AGENT_LEN_MAX: Final = 200

_OPEN: Final = """
insert into sessions (token_hash, user_id, opened_at, seen_at, expires_at, origin, user_agent)
values ($1, $2, $3, $3, $4, $5, $6)
"""
_FIND: Final = "select user_id, seen_at, expires_at from sessions where token_hash = $1"
_TOUCH: Final = "update sessions set seen_at = $2 where token_hash = $1"
_CLOSE: Final = "delete from sessions where token_hash = $1"
_SWEEP: Final = "delete from sessions where expires_at < $1 or seen_at < $2"

LoadActor = Callable[[UUID], Awaitable[Actor | None]]


class Sessions:
    """Opens, finds and closes sessions. ``load_actor`` tells who a user is, ``None`` when suspended or gone."""

    def __init__(
        self, database: Database, clock: Clock, load_actor: LoadActor, *, idle_s: int, absolute_s: int
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._load_actor: Final = load_actor
        self._idle: Final = timedelta(seconds=idle_s)
        self._touch_after: Final = min(_TOUCH_AFTER_MAX, self._idle / 10)
        self._absolute: Final = timedelta(seconds=absolute_s)
        self._cache: dict[bytes, tuple[Actor | None, float]] = {}
        self._closed = 0

    async def open(self, user_id: UUID, *, origin: str, user_agent: str) -> tuple[str, datetime]:
        """Open a session; return its token (256 random bits, never stored) and when it ends at the latest."""
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        expires_at = now + self._absolute
        values = (_hash(token), user_id, now, expires_at, origin, user_agent[:_USER_AGENT_LEN_MAX])
        await self._database.pool.execute(_OPEN, *values)
        return token, expires_at

    async def actor_of(self, token: str) -> Actor | None:
        """Tell who holds a token; ``None`` when the session has ended or never was."""
        hashed = _hash(token)
        now_s = self._clock.monotonic_s()
        cached = self._cache.get(hashed)
        if cached and cached[1] > now_s:
            return cached[0]
        closed = self._closed
        actor = await self._find(hashed)
        if len(self._cache) >= _CACHED_MAX:
            self._cache.clear()
        if closed == self._closed:  # else it may have been read just before its session was closed
            self._cache[hashed] = (actor, now_s + CACHE_S)
        return actor

    async def close(self, token: str) -> None:
        """End a session."""
        hashed = _hash(token)
        await self._database.pool.execute(_CLOSE, hashed)
        self._closed += 1
        self._cache.pop(hashed, None)

    async def sweep(self) -> None:
        """Delete the sessions that have ended; called by the worker."""
        now = self._clock.now()
        await self._database.pool.execute(_SWEEP, now, now - self._idle)

    async def _find(self, hashed: bytes) -> Actor | None:
        row = await self._database.pool.fetchrow(_FIND, hashed)
        now = self._clock.now()
        if row is None or row["expires_at"] <= now or row["seen_at"] + self._idle <= now:
            return None
        if now - row["seen_at"] > self._touch_after:
            await self._database.pool.execute(_TOUCH, hashed, now)
        return await self._load_actor(row["user_id"])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
