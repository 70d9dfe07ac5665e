"""
The register of issued time stamps: one line each, chained, on disk before the token leaves (ADR 0046).

A line is JSON: its number ``n``, the token's serial number, its time, what was stamped, SHA-256 of the token and that
of the line before. The next number follows the last whole line, so none is given twice; 64 random bits in the serial
number are for the case that somebody restores an old copy.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import msgspec

from crypto.timestamps.authority import Authority
from crypto.timestamps.request import Failure, StampRefused, StampRequest
from kernel.settings import SettingsError

QUEUE_LEN_MAX: Final = 1024
BATCH_LEN_MAX: Final = 256
_RANDOM_BITS: Final = 64
_LINE_BYTES_MAX: Final = 1024
_NOTHING: Final = "0" * 64


class Line(msgspec.Struct, frozen=True):
    """One issued token."""

    n: int
    serial: str
    at: datetime
    hash: str
    imprint: str
    token: str
    before: str
    """SHA-256 of the line before, in hexadecimal; zeros in the first."""


class RegisterError(SettingsError):
    """The register cannot be used: another process has it, or it was altered."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    request: StampRequest
    answer: "asyncio.Future[bytes]"


class Register:
    """
    Issues tokens, each with a line of its own. One process holds it at a time.

    ``now`` gets the time of the newest token and gives that of the next, or raises ``StampRefused``. It is asked when a
    token is made, not when its request came, so serial numbers and times grow together.
    """

    def __init__(self, path: Path, authority: Authority, now: Callable[[datetime | None], datetime]) -> None:
        self.path: Final = path
        self.authority: Final = authority
        self._now: Final = now
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE_LEN_MAX)
        self._file: IO[bytes] | None = None
        self._last: Line | None = None
        self._before = _NOTHING
        self._broken = False

    @property
    def issued(self) -> int:
        """How many tokens there are."""
        return self._last.n if self._last else 0

    @property
    def newest_at(self) -> datetime | None:
        return self._last.at if self._last else None

    def open(self) -> None:
        """
        Take the register, make it where it is not there, and cut off a line that was not finished.

        Raises:
            RegisterError: another process holds it, or its last line is not one.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640), "r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise RegisterError(
                f"时间戳登记簿 {self.path} 正被另一进程使用。", f"Another process uses the register {self.path}."
            ) from error
        try:
            last = _last_whole_line(file)
            if last is not None:
                self._last = _parsed(self.path, last)
                self._before = hashlib.sha256(last).hexdigest()
        except BaseException:
            file.close()
            raise
        file.seek(0, os.SEEK_END)
        self._file = file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def issue(self, request: StampRequest) -> bytes:
        """
        Give a token for ``request`` when its line is on disk.

        Raises:
            StampRefused: the time is not known, too many wait, or the register cannot be written.
        """
        self.authority.check(request)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Waiting(request, answer))
        except asyncio.QueueFull:
            raise StampRefused(Failure.SYSTEM_FAILURE, "too many requests wait; try again") from None
        return await answer

    async def work(self) -> None:
        """Issue what waits, batch after batch, for ever; tokens of one batch share one ``fsync``."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH_LEN_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._issue(batch)

    async def _issue(self, batch: list[_Waiting]) -> None:
        done: list[tuple[_Waiting, bytes]] = []
        lines: list[bytes] = []
        for waiting in batch:
            try:
                token, line = self._token(waiting.request)
            except StampRefused as refusal:
                _tell(waiting, refusal)
            else:
                done.append((waiting, token))
                lines.append(line)
        try:
            await asyncio.to_thread(self._write, b"".join(lines))
        except OSError as error:
            self._broken = True  # what is in the file now nobody knows: only a new start can tell
            for waiting, _ in done:
                _tell(
                    waiting, StampRefused(Failure.SYSTEM_FAILURE, f"the register cannot be written: {error.strerror}")
                )
            return
        for waiting, token in done:
            if not waiting.answer.done():
                waiting.answer.set_result(token)

    def _token(self, request: StampRequest) -> tuple[bytes, bytes]:
        if self._broken:
            raise StampRefused(
                Failure.SYSTEM_FAILURE, "the register cannot be written; the authority must be restarted"
            )
        at = self._now(self.newest_at)
        number = self.issued + 1
        serial = number << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        token = self.authority.token(request, serial=serial, at=at)
        imprint = request.imprint
        self._last = Line(
            number,
            f"{serial:x}",
            at,
            imprint.hash.id,
            imprint.digest.hex(),
            hashlib.sha256(token).hexdigest(),
            self._before,
        )
        line = msgspec.json.encode(self._last) + b"\n"
        self._before = hashlib.sha256(line).hexdigest()
        return token, line

    def _write(self, lines: bytes) -> None:
        assert self._file is not None, "the register is not open"
        if lines:
            written = self._file.write(lines)
            if written != len(lines):
                raise OSError(0, "the disk is full")
            os.fdatasync(self._file.fileno())


def check_register(path: Path) -> Iterator[Line]:
    """
    Read a register from its beginning and yield each line, if it follows the one before.

    Raises:
        RegisterError: there is none, or a line is altered, missing or put in.
    """
    number, before = 0, _NOTHING
    if not path.exists():
        raise RegisterError(f"没有时间戳登记簿 {path}。", f"There is no register {path}.")
    with path.open("rb") as file:
        for line in file:
            found = _parsed(path, line)
            number += 1
            if found.n != number or found.before != before:
                raise RegisterError(
                    f"登记簿 {path} 第 {number} 行与上一行不衔接。",
                    f"Line {number} of the register {path} does not follow the one before.",
                )
            before = hashlib.sha256(line).hexdigest()
            yield found


def _parsed(path: Path, line: bytes) -> Line:
    try:
        return msgspec.json.decode(line, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegisterError(
            f"登记簿 {path} 中有一行无法读取：{error}。", f"A line of the register {path} cannot be read: {error}."
        ) from error


def _last_whole_line(file: IO[bytes]) -> bytes | None:
    """Find the last line, and cut off what was being written when the process was killed: no token left with it."""
    size = file.seek(0, os.SEEK_END)
    begins = max(0, size - 2 * _LINE_BYTES_MAX)
    file.seek(begins)
    tail = file.read(size - begins)
    whole, newline, torn = tail.rpartition(b"\n")
    if torn:
        file.truncate(size - len(torn))
    return whole.rpartition(b"\n")[2] + newline if newline else None


def _tell(waiting: _Waiting, refusal: StampRefused) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        waiting.answer.set_exception(refusal)
