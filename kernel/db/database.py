"""The database: one DSN, a pool of raw connections, and SQLAlchemy Core on top of the same driver."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy.exc import TimeoutError as NoneFreeError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kernel.db.pipeline import Pipeline
from kernel.journal.streams import Connection

SERVICE_ROLE: Final = "zhecai_service"
"""The role that serves requests: it may not update or delete journal rows. Made by the first migration."""

AWAY: Final = (
    OSError,
    TimeoutError,
    NoneFreeError,  # every connection for reading was lent out for too long
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # the primary has become a standby
)
"""The connection broke or cannot be made: it is worth trying again, on another connection."""

OWN_CONNECTIONS_MAX: Final = 6
"""Connections that parts of a process hold for themselves: two each of the two committers, and room for two more."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_CONNECT_S: Final = 10
_LEND_S: Final = 10
COMMAND_S: Final = 60
"""How long a statement may take."""
_ROOM: Final = """
select least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int,
    nullif(d.datconnlimit, -1), nullif(r.rolconnlimit, -1))
from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = session_user
"""
_BY_INDEX: Final = {"enable_seqscan": "off"}
"""What goes through a pipeline looks rows up by their keys, with plans made while the tables may still be short."""
_IDLE_IN_TRANSACTION: Final = "15s"
"""What a client that vanished without a word had locked is free again after this."""


def connections_max(pool_size: int) -> int:
    """Say how many connections one process opens at most: raw ones, those for reading, and those of its parts."""
    return 2 * pool_size + OWN_CONNECTIONS_MAX


async def room_of(connection: Connection) -> int:
    """Ask a server how many connections it lets us have: its own limit, that of the database, that of the login."""
    room: int = await connection.fetchval(_ROOM)
    return room


class Database:
    """
    Connections to one database, all of them in the service role.

    ``dsn`` is a ``postgresql://`` URL; several hosts are allowed, then the primary is found.
    """

    def __init__(self, dsn: str, *, pool_size: int = 10, role: str | None = SERVICE_ROLE) -> None:
        self.dsn: Final = dsn
        self._role = role
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self._engine: AsyncEngine | None = None
        self._own: list[Connection | Pipeline] = []

    async def connect(self) -> Connection:
        """
        Open a connection of one's own; whoever asks closes it.

        At most ``OWN_CONNECTIONS_MAX`` at once, or ``connections_max`` would not hold: who wants more is wrong.
        """
        self._make_room()
        connection = await self._connect()
        self._own.append(connection)
        return connection

    async def pipeline(self) -> Pipeline:
        """Open a session in pipeline mode, of one's own as well. Raises ``ConnectionError``."""
        self._make_room()
        primary = "," in self.dsn
        settings = self._settings() | _BY_INDEX
        pipeline = await Pipeline.open(self.dsn, settings, timeout_s=_CONNECT_S, primary=primary)
        self._own.append(pipeline)
        return pipeline

    def _make_room(self) -> None:
        self._own = [connection for connection in self._own if not connection.is_closed()]
        assert len(self._own) < OWN_CONNECTIONS_MAX, "more connections than connections_max says"

    async def _connect(self) -> Connection:
        return await asyncpg.connect(self.dsn, **self._options())

    async def open(self) -> None:
        """Open the pools. Raises what asyncpg raises when the database is not there."""
        self._pool = await asyncpg.create_pool(
            self.dsn, min_size=1, max_size=self._pool_size, reset=_keep_session, **self._options()
        )
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            isolation_level="AUTOCOMMIT",
            pool_size=self._pool_size,
            max_overflow=0,
            pool_timeout=_LEND_S,
            pool_pre_ping=False,
        )

    async def close(self) -> None:
        """Close the pools."""
        if self._engine:
            await self._engine.dispose()
        if self._pool:
            await self._pool.close()

    @property
    def pool(self) -> asyncpg.Pool:
        """Raw connections, for statements where a bench shows that it pays."""
        assert self._pool is not None, "the database is not open"
        return self._pool

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for reading; each statement sees what was committed when it began."""
        assert self._engine is not None, "the database is not open"
        async with self._engine.connect() as connection:
            yield connection

    def _settings(self) -> dict[str, str]:
        settings = {"application_name": "zhecai", "TimeZone": "UTC", "jit": "off"}
        if self._role:
            settings["role"] = self._role
            settings["idle_in_transaction_session_timeout"] = _IDLE_IN_TRANSACTION
        return settings

    def _options(self) -> dict[str, Any]:
        settings = self._settings()
        options: dict[str, Any] = {"server_settings": settings, "timeout": _CONNECT_S, "command_timeout": COMMAND_S}
        if "," in self.dsn:
            options["target_session_attrs"] = "primary"
        return options


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error, or what it was made from, means that a disk is full: the database's or our own."""
    while error is not None:
        if isinstance(error, asyncpg.DiskFullError) or (isinstance(error, OSError) and error.errno in _NO_ROOM):
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False


def is_away(error: BaseException | None) -> bool:
    """Tell whether an error, or what SQLAlchemy made it from, means that the database is away."""
    while error is not None:
        if isinstance(error, AWAY):
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False


async def _keep_session(_: Connection) -> None:
    """Nobody here sets session state, so the driver's reset query on each release would only cost."""
