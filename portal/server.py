"""Running the service: engines, schema, kernel, worker, web server; several processes behind one port."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog
import uvicorn
from starlette.types import ASGIApp

from crypto.errors import CryptoError
from kernel.clock import SystemClock
from kernel.commit.trading import Trading
from kernel.db.database import Database, connections_max, room_of
from kernel.engines.embedded import EmbeddedEngines, running
from kernel.engines.errors import crowded, port_taken
from kernel.live.wire import WireProtocol
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from kernel.transparency.keys import KeyFault, seal_keys
from kernel.trust.folder import FolderError
from kernel.web.whole import http_protocol
from portal.app import DUE, create_app, load_actor
from portal.collecting import collecting
from portal.migrate import migrate
from portal.tls import speaks_tls, tls_context
from portal.worker import working

BACKLOG: Final = 4096
FRAME_BYTES_MAX: Final = 16_384
"""A WebSocket message to a hall is a few hundred bytes."""
_GRACE_S: Final = 5
_RESPAWN_S: Final = 1.0
_STOP_S: Final = 10.0

T = TypeVar("T")

log = structlog.get_logger()


class Server(uvicorn.Server):
    """uvicorn's server, stopped by whoever runs it and not by signals of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def engines_up(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Start the embedded engines where no others are named, bring the schema up to date; give both addresses."""
    async with EmbeddedEngines(settings, SystemClock()) as engines:
        await _check_room(engines.database_url, settings)
        await migrate(engines.database_url)
        yield engines.database_url, engines.redis_url


async def _check_room(database_url: str, settings: Settings) -> None:
    """Refuse to start on a server that cannot take all connections: not to be found out under load."""
    needed = settings.workers * connections_max(settings.pool_size)
    connection = await Database(database_url, role=None).connect()
    try:
        room = await room_of(connection)
    finally:
        await connection.close()
    if room < needed:
        raise crowded(needed=needed, room=room)


@asynccontextmanager
async def data_up(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Give the engines' addresses for a look at the data: those of a running service, else started for the purpose."""
    postgres, valkey = running(settings.data_dir)
    if settings.database_url or not (postgres and postgres.url and valkey and valkey.url):
        async with engines_up(settings) as addresses:
            yield addresses
    else:
        yield postgres.url, valkey.url


@asynccontextmanager
async def kernel_up(settings: Settings) -> AsyncIterator[Kernel]:
    """Open a kernel without a web server, on the data of a running service if there is one: for commands."""
    async with (
        data_up(settings) as (database_url, redis_url),
        open_kernel(
            settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
        ) as kernel,
    ):
        yield kernel


@asynccontextmanager
async def service_up(kernel: Kernel, listener: socket.socket, app: ASGIApp | None = None) -> AsyncIterator[str]:
    """
    Serve the application on ``listener`` with a worker beside it; give its URL, stop on leaving.

    ``app`` is another application than ours around the same kernel: a city's own, or a bench with its baselines.
    """
    server = Server(_config(kernel, app or create_app(kernel)))
    await kernel.skew.measure()
    await asyncio.to_thread(_seal, kernel)
    async with working(kernel, DUE):
        serving = asyncio.create_task(server.serve([listener]), name="web")
        try:
            while not server.started:
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.01)
            async with collecting(kernel.clock, lambda: kernel.trading is Trading.CALM):
                yield url_of(kernel.settings, listener)
        finally:
            server.should_exit = True
            await serving


def _seal(kernel: Kernel) -> None:
    """Bring into the vault what a data directory has in the clear; what cannot be is said again when it is needed."""
    try:
        seal_keys(kernel.settings)
        kernel.trust.seal()
    except (KeyFault, FolderError, CryptoError) as error:
        log.error("vault.not_sealed", error=str(error))  # noqa: TRY400 - nothing to trace


async def serve(settings: Settings, *, ready: Callable[[Kernel, str], Any] | None = None) -> None:
    """Run the service until it is told to stop (SIGINT, SIGTERM)."""
    stop = stop_event()
    with listen(settings) as listener:
        async with engines_up(settings) as addresses:
            await _serve_with(settings, listener, addresses, stop, ready)


async def _serve_with(
    settings: Settings,
    listener: socket.socket,
    addresses: tuple[str, str],
    stop: asyncio.Event,
    ready: Callable[[Kernel, str], Any] | None,
) -> None:
    if speaks_tls(settings):
        tls_context(settings, SystemClock())  # whatever is wrong with it is said before anything runs
    if settings.workers > 1:
        await _serve_processes(settings, listener, addresses, stop)
        return
    database_url, redis_url = addresses
    async with (
        open_kernel(
            settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
        ) as kernel,
        service_up(kernel, listener) as url,
    ):
        log.info("service.ready", url=url)
        if ready:
            ready(kernel, url)
        await stop.wait()
        log.info("service.stopping")


async def serve_on(settings: Settings, descriptor: int) -> None:
    """Run one process of several on the listening socket that it inherited."""
    listener = socket.socket(fileno=descriptor)
    stop = stop_event()
    orphaned = asyncio.create_task(_stop_when_orphaned(os.getppid(), stop))
    assert settings.database_url, "the parent process names the database"
    assert settings.redis_url, "the parent process names the Redis"
    async with (
        open_kernel(
            settings,
            SystemClock(),
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            load_actor=load_actor,
        ) as kernel,
        service_up(kernel, listener),
    ):
        await stop.wait()
    orphaned.cancel()


async def _stop_when_orphaned(parent: int, stop: asyncio.Event) -> None:
    """Stop when the parent was killed: its engines die with it, and the port must be free for the next."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells a process that its parent has died
        await asyncio.sleep(_RESPAWN_S)
    stop.set()


def listen(settings: Settings) -> socket.socket:
    """
    Open the listening socket before anything else is started.

    Raises:
        EngineError: the port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.bind, settings.port))
    except OSError as error:
        listener.close()
        raise port_taken(settings.bind, settings.port) from error
    listener.listen(BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own
    return listener


def url_of(settings: Settings, listener: socket.socket) -> str:
    """Say how a browser on this machine reaches the service."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - only shown
    scheme = "https" if speaks_tls(settings) else "http"
    return settings.public_url or f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def stop_event() -> asyncio.Event:
    """Make an event that the usual signals set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop, where the platform has it."""
    try:
        import uvloop  # noqa: PLC0415 - absent on some platforms
    except ImportError:
        return asyncio.run(main)
    result: T = uvloop.run(main)
    return result


def _context(settings: Settings) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    context = tls_context(settings, SystemClock())
    return lambda _config, _default: context


def _config(kernel: Kernel, app: ASGIApp) -> uvicorn.Config:
    settings = kernel.settings
    return uvicorn.Config(
        app,
        http=http_protocol(),
        ws=WireProtocol,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        proxy_headers=bool(settings.trusted_proxies),
        ssl_context_factory=_context(settings) if speaks_tls(settings) else None,
        forwarded_allow_ips=list(settings.trusted_proxies) or None,
    )


async def _serve_processes(
    settings: Settings, listener: socket.socket, addresses: tuple[str, str], stop: asyncio.Event
) -> None:
    """Run ``settings.workers`` processes on one listening socket; one that dies is started again."""
    environment = {
        **os.environ,
        **{f"ZHECAI_{name.upper()}": _written(getattr(settings, name)) for name in settings.sources},
        "ZHECAI_DATABASE_URL": addresses[0],
        "ZHECAI_REDIS_URL": addresses[1],
        "ZHECAI_WORKERS": "1",
    }
    environment.pop("ZHECAI_CONFIG", None)  # what it said is among the sources
    command = [sys.executable, "-m", "portal", "serve-on", str(listener.fileno())]

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, pass_fds=[listener.fileno()])  # noqa: S603 - ourselves

    processes = [spawn() for _ in range(settings.workers)]
    log.info("service.ready", url=url_of(settings, listener), processes=[process.pid for process in processes])
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RESPAWN_S)
        if not stop.is_set():
            processes = [process if process.poll() is None else _respawn(process, spawn) for process in processes]
    await _stop_all(processes)


def _written(value: object) -> str:
    """Write a setting as its variable takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _respawn(dead: subprocess.Popen[bytes], spawn: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    process = spawn()
    log.error("service.process_died", pid=dead.pid, status=dead.returncode, started=process.pid)
    return process


async def _stop_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            await asyncio.to_thread(process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            log.error("service.process_killed", pid=process.pid)  # noqa: TRY400 - where it hangs, we cannot see
            process.kill()
