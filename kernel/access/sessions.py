"""
Sessions: a random token in the caller's hand, its SHA-256 in the database.

A session ends when it was idle for ``session_idle_s``, at the latest after ``session_absolute_s``, or when it is
closed. It has a level (what was shown) and a floor (what must be shown before it is of use): below its floor it is
pending and ends after ``PENDING``. The token changes whenever more is shown; the session stays the same.

What a process has looked up it believes for ``CACHE_S``: so long a closed session may still be served by another
process.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from kernel.access.actors import Actor
from kernel.access.assurance import Assurance, has_second_factor, strongest
from kernel.clock import Clock
from kernel.db.database import Database
from kernel.ids import uuid7

CACHE_S: Final = 5.0
PENDING: Final = timedelta(minutes=10)
"""How long somebody may look for the second factor after the password."""
LISTED_MAX: Final = 100
"""Sessions of one account that are shown."""
_CACHED_MAX: Final = 20_000
_TOUCH_AFTER_MAX: Final = timedelta(minutes=1)
_USER_AGENT_LEN_MAX: Final = 200

_OPEN: Final = """
insert into sessions
    (token_hash, id, user_id, level, floor, proven_at, opened_at, seen_at, expires_at, origin, user_agent)
values ($1, $2, $3, $4, $5, $6, $6, $6, $7, $8, $9)
"""
_COLUMNS: Final = "id, user_id, level, floor, proven_at, opened_at, seen_at, expires_at"
_FIND: Final = f"select {_COLUMNS} from sessions where token_hash = $1"
_TOUCH: Final = "update sessions set seen_at = $2 where token_hash = $1"
_RAISE: Final = f"""
update sessions set token_hash = $2, level = $3, proven_at = $4, seen_at = $4, expires_at = $5
where token_hash = $1 returning {_COLUMNS}
"""
_CLOSE: Final = "delete from sessions where token_hash = $1"
_LIVE: Final = "expires_at > $2 and seen_at > $3"
_ALIVE: Final = f"select user_id from sessions where id = $1 and {_LIVE}"
_LIST: Final = f"""
select id, level, opened_at, seen_at, expires_at, origin, user_agent from sessions
where user_id = $1 and {_LIVE} order by seen_at desc, id limit {LISTED_MAX}
"""
_REVOKE: Final = "delete from sessions where user_id = $1 and id = $2 returning token_hash"
_REVOKE_OTHERS: Final = "delete from sessions where user_id = $1 and id is distinct from $2 returning token_hash"
_SWEEP: Final = "delete from sessions where expires_at < $1 or seen_at < $2"

LoadActor = Callable[[UUID], Awaitable[Actor | None]]


class Session(msgspec.Struct, frozen=True):
    """An open session: whose, and what has been shown in it, last at ``proven_at``."""

    id: UUID
    actor: Actor
    level: Assurance
    floor: Assurance
    proven_at: datetime
    opened_at: datetime
    expires_at: datetime

    @property
    def pending(self) -> bool:
        """Whether more must be shown, or set up, before it is of use."""
        return self.actor.must_enrol or not self.level.reaches(self.floor)

    @property
    def enrolling(self) -> bool:
        """Whether it waits for a second factor to be set up: there is none, or those there were have been reset."""
        return self.pending and (self.actor.must_enrol or not has_second_factor(self.actor.methods))


class SessionRow(NamedTuple):
    """A session as its owner sees it in a list."""

    id: UUID
    level: Assurance
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    origin: str
    user_agent: str


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
        self._cache: dict[bytes, tuple[Session | None, float]] = {}
        self._alive: dict[UUID, tuple[bool, float]] = {}
        self._closed = 0

    async def open(
        self,
        user_id: UUID,
        *,
        origin: str,
        user_agent: str,
        level: Assurance = Assurance.PASSWORD,
        floor: Assurance = Assurance.PASSWORD,
    ) -> tuple[str, datetime]:
        """Open a session; return its token (256 random bits, never stored) and when it ends at the latest."""
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        expires_at = now + (self._absolute if level.reaches(floor) else min(PENDING, self._absolute))
        values = (_hash(token), uuid7(now), user_id, level, floor, now, expires_at, origin)
        await self._database.pool.execute(_OPEN, *values, user_agent[:_USER_AGENT_LEN_MAX])
        return token, expires_at

    async def find(self, token: str) -> Session | None:
        """Find the session of a token; ``None`` when it has ended or never was."""
        hashed = _hash(token)
        now_s = self._clock.monotonic_s()
        cached = self._cache.get(hashed)
        if cached and cached[1] > now_s:
            return cached[0]
        closed = self._closed
        session = await self._find(hashed)
        if len(self._cache) >= _CACHED_MAX:
            self._cache.clear()
        if closed == self._closed:  # else it may have been read just before its session was closed
            self._cache[hashed] = (session, now_s + CACHE_S)
        return session

    async def actor_of(self, token: str) -> Actor | None:
        """Tell who holds a token; ``None`` when the session has ended, never was, or is pending."""
        session = await self.find(token)
        return session.actor if session and not session.pending else None

    async def is_open(self, session_id: UUID) -> bool:
        """Tell whether a session has not ended, whatever its token is by now; for what outlives a request."""
        now_s = self._clock.monotonic_s()
        known = self._alive.get(session_id)
        if known and known[1] > now_s:
            return known[0]
        now = self._clock.now()
        user_id = await self._database.pool.fetchval(_ALIVE, session_id, now, now - self._idle)
        alive = user_id is not None and await self._load_actor(user_id) is not None
        if len(self._alive) >= _CACHED_MAX:
            self._alive.clear()
        self._alive[session_id] = (alive, now_s + CACHE_S)
        return alive

    async def raise_to(self, token: str, level: Assurance) -> tuple[str, Session] | None:
        """
        Note that ``level`` was shown just now, and give the session another token; the old one is void.

        A weaker proof than the session already has changes the token only. ``None`` when the session has ended.
        """
        session = await self.find(token)
        if session is None:
            return None
        fresh, now = secrets.token_urlsafe(32), self._clock.now()
        reached = strongest(level, session.level)
        proven_at = now if level.reaches(session.level) else session.proven_at
        expires_at = session.opened_at + self._absolute if reached.reaches(session.floor) else session.expires_at
        old = _hash(token)
        row = await self._database.pool.fetchrow(_RAISE, old, _hash(fresh), reached, proven_at, expires_at)
        self._drop([old])
        return (fresh, _session(row, session.actor)) if row else None

    async def close(self, token: str) -> None:
        """End a session."""
        hashed = _hash(token)
        await self._database.pool.execute(_CLOSE, hashed)
        self._drop([hashed])

    async def list_of(self, user_id: UUID) -> list[SessionRow]:
        """List the open sessions of an account, the last used first; at most ``LISTED_MAX``."""
        now = self._clock.now()
        rows = await self._database.pool.fetch(_LIST, user_id, now, now - self._idle)
        return [SessionRow(row["id"], Assurance(row["level"]), *tuple(row)[2:]) for row in rows]

    async def revoke(self, user_id: UUID, session_id: UUID) -> bool:
        """End one session of an account; ``False`` when it has none such."""
        rows = await self._database.pool.fetch(_REVOKE, user_id, session_id)
        self._drop(row["token_hash"] for row in rows)
        return bool(rows)

    async def revoke_others(self, user_id: UUID, keep: UUID | None) -> int:
        """End every session of an account but ``keep``; return how many."""
        rows = await self._database.pool.fetch(_REVOKE_OTHERS, user_id, keep)
        self._drop(row["token_hash"] for row in rows)
        return len(rows)

    def forget(self, user_id: UUID) -> None:
        """Look an account up anew at its next request: what it may or can has changed."""
        self._drop([hashed for hashed, (known, _) in self._cache.items() if known and known.actor.user_id == user_id])

    def hinted(self, streams: Iterable[str]) -> None:
        """
        Look up anew whose account's stream, or whose organisation's, has moved on: what it may has changed.

        Called with what this process commits and with what others hint. A role that was taken away is gone with the
        commit, and a closed account is out, in every process that hears the hint; without Redis after ``CACHE_S``.
        """
        moved = {name for name in streams if name.startswith(("user/", "organisation/"))}
        if not moved:
            return
        self._drop(
            [
                hashed
                for hashed, (known, _) in self._cache.items()
                if known is None
                or not moved.isdisjoint((f"user/{known.actor.user_id}", f"organisation/{known.actor.organisation_id}"))
            ]
        )

    async def sweep(self) -> None:
        """Delete the sessions that have ended; called by the worker."""
        now = self._clock.now()
        await self._database.pool.execute(_SWEEP, now, now - self._idle)

    async def _find(self, hashed: bytes) -> Session | None:
        row = await self._database.pool.fetchrow(_FIND, hashed)
        now = self._clock.now()
        if row is None or row["expires_at"] <= now or row["seen_at"] + self._idle <= now:
            return None
        if now - row["seen_at"] > self._touch_after:
            await self._database.pool.execute(_TOUCH, hashed, now)
        actor = await self._load_actor(row["user_id"])
        return _session(row, actor) if actor else None

    def _drop(self, hashes: Iterable[bytes]) -> None:
        self._closed += 1
        self._alive.clear()
        for hashed in hashes:
            self._cache.pop(hashed, None)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _session(row: Any, actor: Actor) -> Session:
    level, floor = Assurance(row["level"]), Assurance(row["floor"])
    return Session(row["id"], actor, level, floor, row["proven_at"], row["opened_at"], row["expires_at"])
