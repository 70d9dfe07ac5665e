"""
A store of files that never change: each is named by the SHA-256 of its content.

A file is durable before it is acknowledged: it is written aside, synced, linked to its name if that is free, and the
directory is synced. Whoever is killed in between leaves something aside, never half a file under a name. What is read
is hashed again, so a file that was tampered with is found and not given out.

Source: ADR-0054, also for why this is not a library's local store.
"""

import asyncio
import errno
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from kernel.problems import Unavailable

_ASIDE: Final = "aside"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY: Final = 0o444


class BlobMissingError(Exception):
    """There is no file with that digest."""


class BlobTamperedError(Exception):
    """The file under a digest has another content than the digest says."""


class Blobs:
    """
    The files below ``directory``; any number of processes may use it at once.

    The directory must be on a file system with hard links (all of POSIX; NFS too). Every method runs in a thread.
    """

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory

    async def put(self, content: bytes) -> str:
        """
        Keep ``content`` for ever and return its digest; once it returns, it is on the disk. Twice is harmless.

        Raises:
            Unavailable: the disk is full.
            BlobTamperedError: its place is held by something else.
        """
        return await asyncio.to_thread(self.put_now, content)

    async def get(self, digest: str) -> bytes:
        """Read a file whole; raises ``BlobMissingError``, ``BlobTamperedError``."""
        return await asyncio.to_thread(self.get_now, digest)

    def put_now(self, content: bytes) -> str:
        """Do what :meth:`put` does, in the calling thread."""
        digest = hashlib.sha256(content).hexdigest()
        place = self.place_of(digest)
        try:
            if place.exists():
                self.get_now(digest)
            else:
                self._write(place, content)
            _sync(place.parent)  # also when another was faster: its own sync may be still to come
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise Unavailable(
                "服务器磁盘空间不足，文件没有保存；请稍后重试，或联系客服。",
                "The server's disk is full and the file was not kept; try again later or call the help line.",
                headers={"Retry-After": "60"},
            ) from error
        return digest

    def get_now(self, digest: str) -> bytes:
        """Do what :meth:`get` does, in the calling thread."""
        try:
            content = self.place_of(digest).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissingError(digest) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise BlobTamperedError(digest)
        return content

    def place_of(self, digest: str) -> Path:
        """Say where a file is: its first two figures are a directory, so that none grows too long."""
        return self.directory / digest[:2] / digest[2:]

    def _write(self, place: Path, content: bytes) -> None:
        for directory in (self.directory, self.directory / _ASIDE, place.parent):
            if not directory.exists():
                directory.mkdir(parents=True, exist_ok=True)
                _sync(directory.parent)
        aside = self.directory / _ASIDE / f"{place.name}.{secrets.token_hex(8)}"
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.chmod(_READ_ONLY)
            try:
                os.link(aside, place)
            except FileExistsError:  # another was faster, with the very same content
                return
        finally:
            aside.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Make a directory's entries durable (POSIX: syncing a file does not sync its name)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
