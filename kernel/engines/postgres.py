"""A PostgreSQL server in a directory, from nothing but its programs."""

import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from kernel.engines.child import Child, pause, pauses
from kernel.engines.cluster import (
    DATABASE,
    SUPERUSER,
    create_cluster,
    explain_output,
    forget_postmaster,
    leftovers,
    log_ready_mb,
    prepare_cluster,
)
from kernel.engines.errors import EngineError, Fault, in_use, port_taken
from kernel.engines.home import Holding, Home
from kernel.engines.identity import Identity, unprivileged
from kernel.engines.locate import postgres_version

SOCKET_PORT: Final = 5432
"""Only part of a socket's name when PostgreSQL does not listen on the network."""

_SOCKET_NAME: Final = f".s.PGSQL.{SOCKET_PORT}"
_READY_LIMIT_S: Final = 300.0  # recovery after a crash replays up to max_wal_size of log
_LEFTOVER_LIMIT_S: Final = 15.0
_LEFTOVER_PATIENCE_S: Final = 3.0
_ORPHAN_PATIENCE_S: Final = 0.2  # without a postmaster nothing can be finished
_PORT_ATTEMPTS: Final = 3

TUNING: Final[Mapping[str, str]] = {
    # Acknowledged means on disk; the group commit of kernel/commit shares the wait.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",  # so that a running site can be backed up with pg_basebackup
    "wal_buffers": "16MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # A small machine that it shares with the service.
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiles longer than our statements run
    "max_parallel_workers_per_gather": "0",  # a page of the catalogue must not take the cores from an auction
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    "cluster_name": "zhecai",
}
"""The server's settings; see PostgreSQL's manual, chapter 19."""

_VOLATILE: Final[Mapping[str, str]] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}
"""For tests: a crash of the machine would lose the data, a crash of the server does not."""


class PostgresServer:
    """
    One server and its data, in ``data_dir``: ``cluster/`` (PGDATA), ``log``, ``lock``, ``password``.

    It listens on a unix socket that only its owner can reach, without a password; with ``port`` (0: a free one)
    also on the loopback address ``host`` with a password (SCRAM). There is no TLS in the wheel's programs.
    The thread that starts it must outlive it: when that thread or the whole process dies, the server shuts down.

    ``log_ready_mb`` of its log are there before they are needed, or what suits the disk (:func:`log_ready_mb`).
    ``fsync=False`` is for tests. ``settings`` are added to ``TUNING``. ``identity`` is for tests as well.
    """

    def __init__(
        self,
        bindir: Path,
        data_dir: Path,
        *,
        port: int | None = None,
        host: str = "127.0.0.1",
        fsync: bool = True,
        log_ready_mb: int | None = None,
        settings: Mapping[str, str] | None = None,
        identity: Identity | None = None,
    ) -> None:
        self._bindir: Final = bindir
        self._home: Final = Home(data_dir)
        self._port_asked: Final = port
        self._host: Final = host
        self._fsync: Final = fsync
        self._log_ready_mb: Final = log_ready_mb
        self._settings: Final = {**TUNING, **({} if fsync else _VOLATILE), **(settings or {})}
        self._identity_asked: Final = identity
        self._child: Child | None = None
        self._socket_dir: Path | None = None
        self._port = port
        self.name: Final = "postgres"

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self._home.path / "cluster"

    @property
    def pid(self) -> int:
        """The postmaster, 0 when it is not running."""
        return self._child.pid if self._child is not None else 0

    @property
    def url(self) -> str:
        """Where the database ``zhecai`` answers, for asyncpg and libpq; holds a password when over TCP."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        assert self._socket_dir is not None, "start the server first"
        if self._port is None:
            return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self._socket_dir))}&port={SOCKET_PORT}"
        password = (self._home.path / "password").read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{self._host}:{self._port}/{database}"

    def start(self) -> None:
        """
        Prepare, launch and wait until it answers: 2 s from nothing, 0.2 s on existing data.

        Raises:
            EngineError: It cannot; the sentence says why and what to do. Nothing is left running or locked.
        """
        self.prepare()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            try:
                self.launch()
                self.wait_ready()
            except EngineError as error:
                lost_race = error.fault is Fault.PORT_TAKEN and self._port_asked == 0 and attempt < _PORT_ATTEMPTS
                if not lost_race:
                    self.stop()
                    raise
                self._port = 0
            else:
                return

    def prepare(self) -> None:
        """Take the directory and bring its data into order: make it, or wait for what a dead owner left running."""
        major, version = postgres_version(self._bindir)
        identity = self._identity_asked or unprivileged()
        before = self._home.hold()
        try:
            self._child = Child(self._home.path / "log", identity=identity, death_signal=signal.SIGINT)
            self._socket_dir = self._home.socket_dir(_SOCKET_NAME, owner=identity.owner)
            if (self.cluster / "PG_VERSION").exists():
                prepare_cluster(self.cluster, identity, major=major, version=version)
            else:
                create_cluster(
                    self._bindir, self.cluster, identity, major=major, fsync=self._fsync, ready_mb=self._ready_mb()
                )
            self._clear_leftovers(before)
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Start the program, without waiting. In the thread that will outlive it."""
        assert self._child is not None
        assert self._socket_dir is not None
        if self._port == 0:
            with socket.create_server((self._host, 0)) as free:
                self._port = int(free.getsockname()[1])
        ready_mb = self._ready_mb()
        settings = {
            "min_wal_size": f"{ready_mb}MB",  # segments that are kept need not be filled again
            "max_wal_size": f"{2 * ready_mb}MB",  # checkpoints by time, not in the middle of an auction
            **self._settings,
            "unix_socket_directories": str(self._socket_dir),
            "unix_socket_permissions": "0700",
            "listen_addresses": "" if self._port is None else self._host,
            "port": str(SOCKET_PORT if self._port is None else self._port),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._child.spawn(
            [self._bindir / "postgres", "-D", self.cluster, *options],
            cwd=self._home.path,
            needed=[self.cluster, self._socket_dir],
        )

    def _ready_mb(self) -> int:
        return self._log_ready_mb or log_ready_mb(self._home.path)

    def wait_ready(self) -> None:
        """
        Wait until connections are accepted; a crash recovery takes as long as it takes, at most 5 minutes.

        Raises:
            EngineError: It ended instead.
        """
        assert self._child is not None
        for _ in pauses(_READY_LIMIT_S):
            if self._ready():
                self._home.note(Holding(os.getpid(), self.pid, self.url))
                return
            if not self._child.alive():
                raise self._explain(self._child.told())
            pause()
        raise EngineError(
            Fault.FAILED,
            f"PostgreSQL 在 {_READY_LIMIT_S:.0f} 秒内未能就绪，日志见 {self._child.log}。",
            f"PostgreSQL was not ready within {_READY_LIMIT_S:.0f} s; its log is {self._child.log}.",
            log=self._child.told(),
        )

    def alive(self) -> bool:
        return self._child is not None and self._child.alive()

    def stop(self) -> None:
        """Shut down and let the directory go: open transactions are rolled back; harmless when not running."""
        if self._child is not None:
            self._child.stop({signal.SIGINT: 20.0, signal.SIGQUIT: 5.0, signal.SIGKILL: 5.0})
        if self._home.held:
            self._home.release()

    def recover(self) -> None:
        """Get ready for another :meth:`launch` after the server died by itself, still holding the directory."""
        self._clear_leftovers(None)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ready(self) -> bool:
        """Read what the postmaster says of itself (line 8), as ``pg_ctl`` does."""
        said = self._said()
        return len(said) > 7 and said[0] == str(self.pid) and said[7].strip() == "ready"  # noqa: PLR2004 - line 8

    def _said(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _clear_leftovers(self, before: Holding | None) -> None:
        """
        Wait until nothing of an earlier server runs in the cluster; help what has lost its postmaster to end.

        We hold the lock, so its owner is dead and it is shutting down. A postmaster that somebody else started by
        hand is left alone and named.
        """
        ours = before.engine_pid if before is not None else 0
        asked = 0
        for number, _ in enumerate(pauses(_LEFTOVER_LIMIT_S)):
            found = leftovers(self.cluster)
            if not found:
                forget_postmaster(self.cluster)
                return
            postmaster = next((pid for pid, is_postmaster in found if is_postmaster), None)
            patience_s = _ORPHAN_PATIENCE_S if postmaster is None else _LEFTOVER_PATIENCE_S
            if number - asked >= len(pauses(patience_s)):
                if postmaster is not None and postmaster != ours:
                    raise in_use(self.cluster, str(postmaster))
                for pid, _is_postmaster in found:
                    _send(pid, signal.SIGQUIT)
                asked = number
            pause()
        for pid, _is_postmaster in leftovers(self.cluster):
            _send(pid, signal.SIGKILL)

    def _explain(self, log: str) -> EngineError:
        """Turn the end of the server into one sentence."""
        path = self._home.path
        if "Address already in use" in log and self._port is not None:
            return port_taken(self._host, self._port)
        if "lock file" in log and "already exists" in log:
            return in_use(self.cluster, (self._said() or ["?"])[0])
        return explain_output(log, path) or EngineError(
            Fault.FAILED,
            f"PostgreSQL 未能启动，日志见 {path / 'log'}。",
            f"PostgreSQL did not start; its log is {path / 'log'}.",
            log=log,
        )


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself, as it should
        os.kill(pid, number)
