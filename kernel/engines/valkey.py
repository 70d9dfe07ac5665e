"""A Valkey (or Redis) server that carries hints: nothing in it outlives it, nothing in it is missed."""

import os
import secrets
import signal
import socket
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from kernel.engines.child import Child, pause, pauses
from kernel.engines.errors import EngineError, Fault, disk_full, explain, not_permitted, port_taken
from kernel.engines.home import Holding, Home
from kernel.engines.identity import Identity

_SOCKET_NAME: Final = "valkey.sock"
_READY_LIMIT_S: Final = 20.0
_ANSWER_LIMIT_S: Final = 0.2
_PORT_ATTEMPTS: Final = 3

MEMORY_BYTES_MAX: Final = 128 << 20
"""Hints and rate limits of a small site need a few megabytes; the rest is room for bursts of publishing."""


class ValkeyServer:
    """
    One server, in ``data_dir``: ``lock`` and ``log``; no data on disk.

    It listens on a unix socket that only its owner can reach; with ``port`` (0: a free one) on the loopback address
    ``host`` instead, with a password made anew at each start.
    The thread that starts it must outlive it: when that thread or the whole process dies, the server is killed.
    """

    def __init__(self, program: Path, data_dir: Path, *, port: int | None = None, host: str = "127.0.0.1") -> None:
        self._program: Final = program
        self._home: Final = Home(data_dir)
        self._port_asked: Final = port
        self._host: Final = host
        self._port = port
        self._password = ""
        self._child: Child | None = None
        self._socket: Path | None = None
        self.name: Final = "valkey"

    @property
    def pid(self) -> int:
        """The server, 0 when it is not running."""
        return self._child.pid if self._child is not None else 0

    @property
    def url(self) -> str:
        """Where it answers, for redis-py's ``from_url``; holds a password when over TCP."""
        assert self._socket is not None, "start the server first"
        if self._port is None:
            return f"unix://{quote(str(self._socket))}"
        return f"redis://:{self._password}@{self._host}:{self._port}/0"

    def start(self) -> None:
        """
        Launch it and wait until it answers: 0.1 s.

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
        if self._port == 0:
            with socket.create_server((self._host, 0)) as free:
                self._port = int(free.getsockname()[1])
        config = self._home.path / "config"
        try:
            config.unlink(missing_ok=True)
            with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - mode
                file.writelines(f"{line}\n" for line in self._configuration())
        except OSError as error:
            raise explain(error, self._home.path) from error
        self._child.spawn([self._program, config], cwd=self._home.path)

    def wait_ready(self) -> None:
        """
        Wait until it answers a ping.

        Raises:
            EngineError: It ended instead, or does not answer.
        """
        assert self._child is not None
        for _ in pauses(_READY_LIMIT_S):
            if not self._child.alive():
                raise self._explain(self._child.told())
            if self._answers():
                self._home.note(Holding(os.getpid(), self.pid, self.url))
                return
            pause()
        raise EngineError(
            Fault.FAILED,
            f"Valkey 在 {_READY_LIMIT_S:.0f} 秒内未能就绪，日志见 {self._child.log}。",
            f"Valkey was not ready within {_READY_LIMIT_S:.0f} s; its log is {self._child.log}.",
            log=self._child.told(),
        )

    def alive(self) -> bool:
        return self._child is not None and self._child.alive()

    def stop(self) -> None:
        """End it and let the directory go; harmless when not running."""
        if self._child is not None:
            self._child.stop({signal.SIGTERM: 5.0, signal.SIGKILL: 5.0})
        if self._home.held:
            self._home.release()

    def recover(self) -> None:
        """Get ready for another :meth:`launch`: there is nothing to repair."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

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

    def _answers(self) -> bool:
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

    def _explain(self, log: str) -> EngineError:
        path = self._home.path
        if "Address already in use" in log and self._port is not None:
            return port_taken(self._host, self._port)
        if "No space left on device" in log:
            return disk_full(path)
        if "Permission denied" in log:
            return not_permitted(path, "see the log")
        return EngineError(
            Fault.FAILED,
            f"Valkey 未能启动，日志见 {path / 'log'}。",
            f"Valkey did not start; its log is {path / 'log'}.",
            log=log,
        )


def _quoted(text: str) -> str:
    """Write a path as the configuration file wants it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
