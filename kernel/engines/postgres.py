"""A PostgreSQL server in a directory, from nothing but its programs."""

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final
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
from kernel.engines.errors import EngineError, in_use
from kernel.engines.home import Holding
from kernel.engines.identity import Identity, unprivileged
from kernel.engines.locate import postgres_version
from kernel.engines.server import Server

SOCKET_PORT: Final = 5432
"""Only part of a socket's name when PostgreSQL does not listen on the network."""

_SOCKET_NAME: Final = f".s.PGSQL.{SOCKET_PORT}"
_LEFTOVER_LIMIT_S: Final = 15.0
_LEFTOVER_PATIENCE_S: Final = 3.0
_ORPHAN_PATIENCE_S: Final = 0.2  # without a postmaster nothing can be finished

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


class PostgresServer(Server):
    """
    One server and its data, in ``data_dir``: ``cluster/`` (PGDATA), ``log``, ``lock``, ``password``.

    Its socket needs no password; with ``port`` it listens on TCP as well (SCRAM). There is no TLS in the wheel's
    programs.

    ``log_ready_mb`` of its log are there before they are needed, or what suits the disk (:func:`log_ready_mb`).
    ``fsync=False`` is for tests. ``settings`` are added to ``TUNING``. ``identity`` is for tests as well.
    """

    name = "postgres"
    title = "PostgreSQL"
    ready_limit_s = 300.0  # recovery after a crash replays up to max_wal_size of log
    stopping: ClassVar = {signal.SIGINT: 20.0, signal.SIGQUIT: 5.0, signal.SIGKILL: 5.0}  # SIGINT: rolls back, at once

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
        super().__init__(data_dir, port=port, host=host)
        self._bindir: Final = bindir
        self._fsync: Final = fsync
        self._log_ready_mb: Final = log_ready_mb
        self._settings: Final = {**TUNING, **({} if fsync else _VOLATILE), **(settings or {})}
        self._identity_asked: Final = identity
        self._socket_dir: Path | None = None

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self._home.path / "cluster"

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
        self._choose_port()
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

    def recover(self) -> None:
        """Get ready for another :meth:`launch` after the server died by itself, still holding the directory."""
        self._clear_leftovers(None)

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

    def _explained(self, log: str) -> EngineError:
        if "lock file" in log and "already exists" in log:
            return in_use(self.cluster, (self._said() or ["?"])[0])
        return explain_output(log, self._home.path) or self._unexplained(log)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself, as it should
        os.kill(pid, number)
