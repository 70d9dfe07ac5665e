"""
What a server's files have grown by goes to the disk a little at a time.

PostgreSQL lets its tables grow in the system's cache, where pages stay for half a minute and are then written all at
once: with 15,000 offers a second 290 MB, and each commit behind them waited up to 100 ms for its few kilobytes of log.
It has settings that hurry what it writes itself (``checkpoint_flush_after``), but none for what a file grows by.

Source: ``sync_file_range(2)``: with ``SYNC_FILE_RANGE_WRITE`` alone writing begins, and nobody waits for its end.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

EVERY_S: Final = 0.5
FILE_BYTES_MIN: Final = 1 << 20
"""Smaller files cannot have much to write."""
_LOOK_EVERY: Final = 20
"""After so many turns it is looked which files have become large."""
_SYNC_FILE_RANGE_WRITE: Final = 2

log = structlog.get_logger()


class Trickle:
    """
    A thread that begins to write what the files of a cluster have grown by, twice a second, while it is entered.

    Cost: three system calls for each file that has grown, one for each other that is large. Where the system has no
    ``sync_file_range`` (it is Linux's) it does nothing.
    """

    def __init__(self, cluster: Path) -> None:
        self._base: Final = cluster / "base"
        self._begin: Final = _begin_to_write()
        self._stop: Final = threading.Event()
        self._sizes: dict[Path, int] = {}
        self._thread: Final = threading.Thread(target=self._run, name="trickle", daemon=True)

    def start(self) -> None:
        if self._begin is not None:
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def turn(self) -> list[Path]:
        """Begin to write what has grown since the last turn; return which files these are."""
        grown = [path for path, size in self._sizes.items() if self._grew(path, size)]
        for path in grown:
            self._write(path)
        return grown

    def look(self) -> None:
        """Find the files that are large by now."""
        found = [path for base in self._base.iterdir() if base.is_dir() for path in base.iterdir()]
        sizes = ((path, _size(path)) for path in found)
        self._sizes = {path: self._sizes.get(path, 0) for path, size in sizes if size >= FILE_BYTES_MIN}

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(EVERY_S):
            try:
                if turn % _LOOK_EVERY == 0:
                    self.look()
                self.turn()
            except OSError as error:  # the server moves files at any moment; and without us it is only slower
                log.debug("engine.trickle", error=repr(error))
            turn += 1

    def _grew(self, path: Path, size: int) -> bool:
        self._sizes[path] = _size(path)
        return self._sizes[path] > size

    def _write(self, path: Path) -> None:
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            if self._begin is not None:
                self._begin(file)
        finally:
            os.close(file)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _begin_to_write() -> Callable[[int], None] | None:
    """Find the system's call; ``None`` where there is none."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if call is None:
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]

    def begin(file: int) -> None:
        if call(file, 0, 0, _SYNC_FILE_RANGE_WRITE):
            raise OSError(ctypes.get_errno(), "sync_file_range")

    return begin
