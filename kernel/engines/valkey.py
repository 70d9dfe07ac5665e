"""A Valkey (or Redis) server that carries hints: nothing in it outlives it, nothing in it is missed."""

import os
import secrets
import signal
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import quote

from kernel.engines.child import Child
from kernel.engines.errors import EngineError, disk_full, explain, not_permitted
from kernel.engines.identity import Identity
from kernel.engines.server import Server

_SOCKET_NAME: Final = "valkey.sock"
_ANSWER_LIMIT_S: Final = 0.2

MEMORY_BYTES_MAX: Final = 128 << 20
"""Hints and rate limits of a small site need a few megabytes; the rest is room for bursts of publishing."""


class ValkeyServer(Server):
    """
    One server, in ``data_dir``: ``lock`` and ``log``; no data on disk.

    With ``port`` it listens on TCP alone, with a password made anew at each start.
    """

    name = "valkey"
    title = "Valkey"
    ready_limit_s = 20.0
    stopping: ClassVar = {signal.SIGTERM: 5.0, signal.SIGKILL: 5.0}

    def __init__(self, program: Path, data_dir: Path, *, port: int | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(data_dir, port=port, host=host)
        self._program: Final = program
        self._password = ""
        self._socket: Path | None = None

    @property
    def url(self) -> str:
        """Where it answers, for redis-py's ``from_url``; holds a password when over TCP."""
        assert self._socket is not None, "start the server first"
        if self._port is None:
            return f"unix://{quote(str(self._socket))}"
        return f"redis://:{self._password}@{self._host}:{self._port}/0"

    def prepare(self) -> None:
        """Take the directory."""
        self._home.hold()
        try:
            self._child = Child(self._home.path / "log", identity=Identity.SAME, death_signal=signal.SIGKILL)
            self._socket = self._home.socket_dir(_SOCKET_NAME, owner=os.geteuid()) / _SOCKET_NAME
            self._password = secrets.token_urlsafe(24)
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Start the program, without waiting. In the thread that will outlive it."""
        assert self._child is not None
        self._choose_port()
        config = self._home.path / "config"
        try:
            config.unlink(missing_ok=True)
            with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - mode
                file.writelines(f"{line}\n" for line in self._configuration())
        except OSError as error:
            raise explain(error, self._home.path) from error
        self._child.spawn([self._program, config], cwd=self._home.path)

    def recover(self) -> None:
        """Get ready for another :meth:`launch`: there is nothing to repair."""

    def _configuration(self) -> Iterable[str]:
        assert self._socket is not None
        yield f"dir {_quoted(str(self._home.path))}"
        yield 'save ""'
        yield "appendonly no"
        yield "daemonize no"
        yield f"maxmemory {MEMORY_BYTES_MAX}"
        yield "maxmemory-policy allkeys-lru"
        yield "client-output-buffer-limit pubsub 16mb 4mb 10"  # a subscriber that hangs must not eat the memory
        yield "protected-mode yes"
        yield "loglevel warning"
        if self._port is None:
            yield "port 0"
            yield f"unixsocket {_quoted(str(self._socket))}"
            yield "unixsocketperm 700"
        else:
            yield f"port {self._port}"
            yield f"bind {self._host}"
            yield f"requirepass {self._password}"

    def _ready(self) -> bool:
        try:
            with self._connection() as connection:
                if self._port is None:
                    connection.sendall(b"PING\r\n")
                    return connection.recv(64).startswith(b"+PONG")
                # Only ours knows the password of this start: another server on that port is not taken for it.
                connection.sendall(f"AUTH {self._password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False

    def _connection(self) -> socket.socket:
        if self._port is not None:
            return socket.create_connection((self._host, self._port), timeout=_ANSWER_LIMIT_S)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_ANSWER_LIMIT_S)
            connection.connect(str(self._socket))
        except OSError:
            connection.close()
            raise
        return connection

    def _explained(self, log: str) -> EngineError:
        if "No space left on device" in log:
            return disk_full(self._home.path)
        if "Permission denied" in log:
            return not_permitted(self._home.path, "see the log")
        return self._unexplained(log)


def _quoted(text: str) -> str:
    """Write a path as the configuration file wants it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
