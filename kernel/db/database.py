"""The database: one DSN, a pool of raw connections, and SQLAlchemy Core on top of the same driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kernel.journal.streams import Connection

SERVICE_ROLE: Final = "zhecai_service"
"""The role that serves requests: it may not update or delete journal rows. Made by the first migration."""

AWAY: Final = (
    OSError,
    TimeoutError,
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

_CONNECT_S: Final = 10
_COMMAND_S: Final = 60
_IDLE_IN_TRANSACTION: Final = "15s"
"""What a client that vanished without a word had locked is free again after this."""


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

    async def connect(self) -> Connection:
        """Open a connection of one's own; whoever asks closes it."""
        return await asyncpg.connect(self.dsn, **self._options())

    async def open(self) -> None:
        """Open the pools. Raises what asyncpg raises when the database is not there."""
        self._pool = await asyncpg.create_pool(
            self.dsn, min_size=1, max_size=self._pool_size, reset=_keep_session, **self._options()
        )
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            isolation_level="AUTOCOMMIT",
            pool_size=self._pool_size,
            max_overflow=self._pool_size,
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

    def _options(self) -> dict[str, Any]:
        settings = {"application_name": "zhecai", "TimeZone": "UTC", "jit": "off"}
        if self._role:
            settings["role"] = self._role
            settings["idle_in_transaction_session_timeout"] = _IDLE_IN_TRANSACTION
        options: dict[str, Any] = {"server_settings": settings, "timeout": _CONNECT_S, "command_timeout": _COMMAND_S}
        if "," in self.dsn:
            options["target_session_attrs"] = "primary"
        return options


def is_away(error: BaseException | None) -> bool:
    """Tell whether an error, or what SQLAlchemy made it from, means that the database is away."""
    while error is not None:
        if isinstance(error, AWAY):
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False


async def _keep_session(_: Connection) -> None:
    """Nobody here sets session state, so the driver's reset query on each release would only cost."""
