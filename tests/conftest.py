"""Real engines for the tests: one PostgreSQL and one Valkey a worker, a fresh database for each test."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx2
import pytest
import structlog
from hypothesis import settings as hypothesis_settings
from redis.asyncio import Redis

from kernel.access.actors import Actor
from kernel.clock import ManualClock
from kernel.db.database import Database
from kernel.engines import cluster
from kernel.engines.locate import redis_program
from kernel.engines.postgres import PostgresServer
from kernel.engines.valkey import ValkeyServer
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import create_app, load_actor
from portal.migrate import migrate
from tests.builders.databases import Databases
from tests.builders.engines import bindir, programs

NOON = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Monday morning in Hangzhou: when tests begin."""

SHARED = Path(__file__).parents[2] / "shared"

hypothesis_settings.register_profile("dev", max_examples=100, deadline=None)
hypothesis_settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")

TOGETHER = ("browser", "crash")
"""Folders whose tests share one browser, or load the machine: each runs on one worker, one test after another."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of ``TOGETHER`` together under ``--dist loadgroup``."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(folder))


@pytest.fixture(scope="session", autouse=True)
def _small_logs() -> Iterator[None]:
    """A database that lasts for one test needs no two gigabytes of log; the processes that tests start hear it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "LOG_READY_MB_MAX", cluster.LOG_READY_MB_MIN)
        patch.setenv("ZHECAI_PG_LOG_READY_MB", str(cluster.LOG_READY_MB_MIN))
        yield


@pytest.fixture(scope="session", autouse=True)
def _uncached_loggers() -> Iterator[None]:
    """Commands set up logging for a process's whole life; here many run in one, and a test must see every event."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **how: configure(**{**how, "cache_logger_on_first_use": False}))
        yield


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a test has set up."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL server; gives the URL of a database. ``ZHECAI_TEST_DATABASE_URL`` names another server."""
    outside = os.environ.get("ZHECAI_TEST_DATABASE_URL")
    if outside:
        yield lambda name: outside.rsplit("/", 1)[0] + f"/{name}"
        return
    with PostgresServer(bindir(), tmp_path_factory.mktemp("pg"), fsync=False) as server:
        yield server.url_of


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey server. ``ZHECAI_TEST_REDIS_URL`` names another one."""
    outside = os.environ.get("ZHECAI_TEST_REDIS_URL")
    if outside:
        yield outside
        return
    with ValkeyServer(redis_program(programs().get("redis_bin")), tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="session")
def databases(postgres: Callable[[str], str]) -> Databases:
    """Copies of one migrated, empty database."""
    name = f"template_{os.getpid()}"

    async def make() -> None:
        admin = await asyncpg.connect(postgres("postgres"))
        await admin.execute(f"drop database if exists {name}")
        await admin.execute(f"create database {name}")
        await admin.close()
        await migrate(postgres(name))

    asyncio.run(make())
    return Databases(postgres, name)


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A fresh, migrated database."""
    async with databases.fresh() as url:
        yield url


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do anything: to tamper, and to look."""
    connection = await Database(database_url, role=None).connect()
    yield connection
    await connection.close()


KernelMaker = Callable[..., Awaitable[Kernel]]


@pytest.fixture
async def make_kernel(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[KernelMaker]:
    """Opens kernels on the test's database: each is what one more process would have."""
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()  # what one test counted (logins, say) is not the next one's
    async with AsyncExitStack() as stack:

        async def make(
            clock: ManualClock | None = None,
            *,
            actors: Callable[[Database, UUID], Awaitable[Actor | None]] = load_actor,
            **changes: object,
        ) -> Kernel:
            return await stack.enter_async_context(
                open_kernel(
                    Settings(**{"demo": True, "data_dir": tmp_path, **changes}),  # type: ignore[arg-type]
                    clock or ManualClock(NOON),
                    database_url=database_url,
                    redis_url=redis_url,
                    load_actor=actors,
                )
            )

        yield make


@pytest.fixture
async def kernel(make_kernel: KernelMaker) -> Kernel:
    """A kernel on a fresh database, at ``NOON``; ``kernel.clock`` is a ``ManualClock``."""
    return await make_kernel()


@pytest.fixture
async def client(kernel: Kernel) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the whole application, in this process."""
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found
