"""The engines that the settings leave open: started with the service, looked after, stopped with it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from kernel.clock import Clock
from kernel.db.database import connections_max
from kernel.engines.errors import EngineError
from kernel.engines.home import Holding, Home
from kernel.engines.locate import postgres_bindir, redis_program
from kernel.engines.postgres import PostgresServer
from kernel.engines.trickle import Trickle
from kernel.engines.valkey import ValkeyServer
from kernel.settings import Settings

log = structlog.get_logger()

_SPARE_CONNECTIONS: Final = 10
"""For migrations, for whoever looks in with psql, and the three that PostgreSQL keeps for its superuser."""
_LOOK_EVERY_S: Final = 0.1
_BACK_OFF_MIN_S: Final = 0.1
_BACK_OFF_MAX_S: Final = 5.0
_HEALTHY_AFTER_S: Final = 30.0


class Engine(Protocol):
    """What the supervisor needs of a server."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def url(self) -> str: ...
    def prepare(self) -> None: ...
    def launch(self) -> None: ...
    def wait_ready(self) -> None: ...
    def alive(self) -> bool: ...
    def recover(self) -> None: ...
    def stop(self) -> None: ...


def connections_wanted(settings: Settings) -> int:
    """Say how many connections the embedded server allows: those of every process, of one command, and a few more."""
    return (settings.workers + 1) * connections_max(settings.pool_size) + _SPARE_CONNECTIONS


class EmbeddedEngines:
    """
    Async context manager: PostgreSQL and Valkey where ``settings`` name none.

    ``database_url`` and ``redis_url`` are what the settings say, or where the embedded ones answer. An embedded
    engine that dies is started again, at once and then ever more slowly (0.1 to 5 s); its address stays the same,
    so clients only reconnect. Existing data is up in 0.1 s, a new directory in 1 s.

    Raises on entering:
        EngineError: An engine cannot be had; what had been started is stopped again.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings: Final = settings
        self._clock: Final = clock
        self._exits: Final = AsyncExitStack()
        self.database_url = ""
        self.redis_url = ""
        self.postgres: PostgresServer | None = None
        self.valkey: ValkeyServer | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            self.database_url, self.redis_url = self._settings.database_url or "", self._settings.redis_url or ""
            if not self.database_url:
                bindir = await asyncio.to_thread(postgres_bindir, self._settings.pg_bindir)
                room = {"max_connections": str(connections_wanted(self._settings))}
                self.postgres = PostgresServer(
                    bindir,
                    self._settings.data_dir / "postgres",
                    log_ready_mb=self._settings.pg_log_ready_mb,
                    settings=room,
                )
                self.database_url = await self._supervised(self.postgres, exits)
                trickle = Trickle(self.postgres.cluster)
                trickle.start()
                exits.callback(trickle.stop)
            if not self.redis_url:
                program = await asyncio.to_thread(redis_program, self._settings.redis_bin)
                self.valkey = ValkeyServer(program, self._settings.data_dir / "valkey")
                self.redis_url = await self._supervised(self.valkey, exits)
            await self._exits.enter_async_context(exits.pop_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    async def _supervised(self, engine: Engine, exits: AsyncExitStack) -> str:
        """Start ``engine`` and have it looked after until ``exits`` closes; return its address."""
        since_s = self._clock.monotonic_s()
        exits.push_async_callback(asyncio.to_thread, engine.stop)
        await _finished(engine.prepare)
        engine.launch()  # in this thread: the engine ends with the thread that launches it
        await _finished(engine.wait_ready, give_up=engine.stop)
        log.info("engine.started", engine=engine.name, pid=engine.pid, took_s=self._took_s(since_s))
        supervision = asyncio.create_task(self._supervise(engine), name=f"supervise-{engine.name}")
        exits.push_async_callback(_cancelled, supervision)
        return engine.url

    async def _supervise(self, engine: Engine) -> None:
        """Start ``engine`` again whenever it has died, until cancelled."""
        back_off_s = _BACK_OFF_MIN_S
        up_since_s = self._clock.monotonic_s()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if engine.alive():
                continue
            died_s = self._clock.monotonic_s()
            if died_s - up_since_s > _HEALTHY_AFTER_S:
                back_off_s = _BACK_OFF_MIN_S
            log.error("engine.died", engine=engine.name, retry_in_s=back_off_s)
            await asyncio.sleep(back_off_s)
            back_off_s = min(back_off_s * 2, _BACK_OFF_MAX_S)
            try:
                await _finished(engine.recover)
                engine.launch()
                await _finished(engine.wait_ready, give_up=engine.stop)
            except EngineError as error:
                log.error("engine.not_restarted", engine=engine.name, fault=error.fault, detail=error.detail[1])  # noqa: TRY400 - explained
            else:
                up_since_s = self._clock.monotonic_s()
                log.warning("engine.restarted", engine=engine.name, pid=engine.pid, took_s=self._took_s(died_s))

    def _took_s(self, since_s: float) -> float:
        return round(self._clock.monotonic_s() - since_s, 3)


def running(data_dir: Path) -> tuple[Holding | None, Holding | None]:
    """
    Tell who runs embedded engines in ``data_dir`` now and where they answer: PostgreSQL and Valkey.

    So that ``zhecai verify`` can look into the database of a demo that is running, instead of starting its own.
    """
    return Home(data_dir / "postgres").holding(), Home(data_dir / "valkey").holding()


async def _finished(work: Callable[[], None], *, give_up: Callable[[], None] | None = None) -> None:
    """
    Do ``work`` in a thread; when cancelled, wait for its end, so that nothing goes on behind our back.

    ``give_up`` makes it end sooner: nobody who presses Ctrl-C waits for a crash recovery.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if give_up is not None:
            await asyncio.to_thread(give_up)
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
