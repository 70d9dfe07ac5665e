"""What the engines have in common: how one is taken into a directory, launched, waited for and stopped."""

import os
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from kernel.engines.child import Child, pause, pauses
from kernel.engines.errors import EngineError, Fault, port_taken
from kernel.engines.home import Holding, Home

_PORT_ATTEMPTS: Final = 3


class Server(ABC):
    """
    One server, in ``data_dir``: ``lock`` and ``log``, and what is its own.

    It listens on a unix socket that only its owner can reach, or with ``port`` (0: a free one) on the loopback address
    ``host`` with a password. The thread that starts it must outlive it: when that thread or the whole process dies, it
    ends.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """What people call it."""
    ready_limit_s: ClassVar[float]
    stopping: ClassVar[Mapping[signal.Signals, float]]
    """The signals that end it, each with the seconds that it is given."""

    def __init__(self, data_dir: Path, *, port: int | None, host: str) -> None:
        self._home: Final = Home(data_dir)
        self._host: Final = host
        self._port_asked: Final = port
        self._port = port
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process, 0 when it is not running."""
        return self._child.pid if self._child is not None else 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it answers; holds a password when over TCP."""

    @abstractmethod
    def prepare(self) -> None:
        """Take the directory and bring what is in it into order."""

    @abstractmethod
    def launch(self) -> None:
        """Start the program, without waiting. In the thread that will outlive it."""

    @abstractmethod
    def recover(self) -> None:
        """Get ready for another :meth:`launch` after it died by itself, still holding the directory."""

    @abstractmethod
    def _ready(self) -> bool: ...

    @abstractmethod
    def _explained(self, log: str) -> EngineError:
        """Turn its end into one sentence."""

    def start(self) -> None:
        """
        Prepare, launch and wait until it answers: PostgreSQL 2 s from nothing and 0.2 s on existing data, Valkey 0.1 s.

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

    def wait_ready(self) -> None:
        """
        Wait until it answers, at most ``ready_limit_s``.

        Raises:
            EngineError: It ended instead, or does not answer.
        """
        assert self._child is not None
        for _ in pauses(self.ready_limit_s):
            if not self._child.alive():
                raise self._why()
            if self._ready():
                self._home.note(Holding(os.getpid(), self.pid, self.url))
                return
            pause()
        raise EngineError(
            Fault.FAILED,
            f"{self.title} 在 {self.ready_limit_s:.0f} 秒内未能就绪，日志见 {self._child.log}。",
            f"{self.title} was not ready within {self.ready_limit_s:.0f} s; its log is {self._child.log}.",
            log=self._child.told(),
        )

    def alive(self) -> bool:
        return self._child is not None and self._child.alive()

    def stop(self) -> None:
        """Shut down and let the directory go; harmless when not running."""
        if self._child is not None:
            self._child.stop(self.stopping)
        if self._home.held:
            self._home.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _choose_port(self) -> None:
        """Settle on a free port where any will do."""
        if self._port == 0:
            with socket.create_server((self._host, 0)) as free:
                self._port = int(free.getsockname()[1])

    def _why(self) -> EngineError:
        """Say why it ended."""
        assert self._child is not None
        log = self._child.told()
        if "Address already in use" in log and self._port is not None:
            return port_taken(self._host, self._port)
        return self._explained(log)

    def _unexplained(self, log: str) -> EngineError:
        path = self._home.path / "log"
        return EngineError(
            Fault.FAILED,
            f"{self.title} 未能启动，日志见 {path}。",
            f"{self.title} did not start; its log is {path}.",
            log=log,
        )
