"""One engine process: started, looked after, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kernel.engines.errors import explain
from kernel.engines.identity import Identity, clean_environment, launched

_POLL_S: Final = 0.01
_LOG_BYTES_MAX: Final = 8 << 20
_TAIL_BYTES: Final = 8192


class Child:
    """
    A program that lives no longer than the thread that starts it.

    ``log`` takes what it prints; a log over 8 MB is set aside as ``*.1`` at the next start.
    """

    def __init__(self, log: Path, *, identity: Identity, death_signal: signal.Signals) -> None:
        self.log: Final = log
        self.identity: Final = identity
        self._death_signal: Final = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process, 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def spawn(self, command: Sequence[str | Path], *, cwd: Path, needed: Sequence[Path] = ()) -> None:
        """Start ``command``; returns at once. ``needed`` are the directories that it must be able to enter."""
        assert not self.alive()
        wrapped = launched(command, identity=self.identity, death_signal=self._death_signal, needed=needed)
        try:
            if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
                self.log.replace(self.log.with_name(f"{self.log.name}.1"))
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - a program that the locator chose
                    wrapped,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=clean_environment(os.environ),
                    start_new_session=True,  # Ctrl-C is for the service, which stops its engines in order
                )
        except OSError as error:
            raise explain(error, self.log) from error

    def stop(self, steps: Mapping[signal.Signals, float]) -> None:
        """Send each signal in turn and wait its seconds, until the process has gone; harmless when it has."""
        process = self._process
        if process is None:
            return
        for number, patience_s in steps.items():
            if process.poll() is not None:
                break
            process.send_signal(number)
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def told(self) -> str:
        """Return the last lines that the program has printed since its start."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self._log_start, self.log.stat().st_size - _TAIL_BYTES))
                return log.read().decode(errors="replace")
        except OSError:
            return ""


def pauses(limit_s: float) -> range:
    """Count the short pauses that make up ``limit_s``; each is one call of :func:`pause`."""
    return range(int(limit_s / _POLL_S))


def pause() -> None:
    time.sleep(_POLL_S)
