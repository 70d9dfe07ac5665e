"""The directory of one engine: held by one process at a time."""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from kernel.engines.errors import EngineError, Fault, explain, in_use, not_permitted

SOCKET_PATH_BYTES_MAX: Final = 103
"""The shortest limit among the systems we run on (macOS; Linux has 107)."""


class Holding(msgspec.Struct, frozen=True):
    """What stands in the lock file: who holds the directory, which engine runs in it and where it answers."""

    owner_pid: int
    engine_pid: int = 0
    url: str = ""


class Home:
    """
    An engine's directory and the lock on it.

    The lock is the operating system's (``flock``): it falls with its owner, however that ends, so there is no
    stale lock to clear away. What is written in the file only tells people and other processes who that is.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path.absolute()
        self._lock_fd: int | None = None
        self._elsewhere: Path | None = None

    @property
    def held(self) -> bool:
        return self._lock_fd is not None

    def hold(self) -> Holding | None:
        """
        Take the directory, making it first if need be; return what the previous owner had written.

        Raises:
            EngineError: Another process holds it, it cannot be written to, or the disk is full.
        """
        assert self._lock_fd is None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explain(error, self.path) from error
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holding = _read(lock_fd)
            os.close(lock_fd)
            if not isinstance(error, BlockingIOError):
                raise explain(error, self.path) from error
            raise in_use(self.path, str(holding.owner_pid) if holding else "?") from None
        self._lock_fd = lock_fd
        before = _read(lock_fd)
        try:
            self.note(Holding(os.getpid()))
        except EngineError:
            self.release()
            raise
        return before

    def note(self, holding: Holding) -> None:
        """Write into the lock file who we are."""
        assert self._lock_fd is not None
        body = msgspec.json.encode(holding)
        try:
            os.pwrite(self._lock_fd, body, 0)
            os.ftruncate(self._lock_fd, len(body))
        except OSError as error:
            raise explain(error, self.path) from error

    def release(self) -> None:
        """Let the directory go; harmless when it is not held."""
        if self._elsewhere is not None:
            with contextlib.suppress(OSError):  # what a crash left in it is for the next start
                self._elsewhere.rmdir()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def holding(self) -> Holding | None:
        """Tell who holds the directory now, from another process; None when nobody does."""
        try:
            lock_fd = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(error, self.path) from error
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(lock_fd)
        else:
            return None
        finally:
            os.close(lock_fd)

    def socket_dir(self, name: str, *, owner: int) -> Path:
        """
        Make a directory for a unix socket called ``name``, open to ``owner`` only.

        Below this one where the path is short enough; otherwise below the user's run-time directory or ``/tmp``,
        under a name that depends on this path alone.

        Raises:
            EngineError: It cannot be made, or in ``/tmp`` belongs to someone else.
        """
        directory = self.path / "run"
        if len(os.fsencode(directory / name)) > SOCKET_PATH_BYTES_MAX:
            digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
            bases = [os.environ.get("XDG_RUNTIME_DIR") or "/nowhere", tempfile.gettempdir(), "/tmp"]  # noqa: S108 - checked below
            candidates = [Path(base) / f"zhecai-{digest}" for base in bases if os.access(base, os.W_OK)]
            fitting = [path for path in candidates if len(os.fsencode(path / name)) <= SOCKET_PATH_BYTES_MAX]
            if not fitting:
                raise not_permitted(Path("/tmp"), "no short directory for a socket")  # noqa: S108 - a message
            directory = fitting[0]
            self._elsewhere = directory
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            found = directory.lstat()
            strange = self._elsewhere is not None and found.st_uid not in {os.geteuid(), owner}
            if strange or not stat.S_ISDIR(found.st_mode):
                raise not_permitted(directory, "it belongs to another user")
            directory.chmod(0o700)
            if found.st_uid != owner:
                os.chown(directory, owner, owner)
        except OSError as error:
            raise explain(error, directory) from error
        return directory


def probe_space(path: Path, bytes_needed: int = 1 << 20) -> EngineError | None:
    """Find out whether ``path`` takes a file of ``bytes_needed``: engines that fail on a full disk cannot log it."""
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(bytes(bytes_needed))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        problem = explain(error, path)
        return problem if problem.fault is Fault.DISK_FULL else None
    return None


def _read(lock_fd: int) -> Holding | None:
    try:
        return msgspec.json.decode(os.pread(lock_fd, 4096, 0), type=Holding)
    except msgspec.DecodeError:
        return None
