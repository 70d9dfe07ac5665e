"""
The file of master keys: one line each, base64 of 32 random bytes; the first seals, all open.

Lines that begin with ``#`` are for people. The file is its owner's alone (mode 0600), and is always replaced whole.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kernel.settings import SettingsError

KEY_BYTES: Final = 32
ID_BYTES: Final = 8
KEYS_MAX: Final = 16

_ID_DOMAIN: Final = b"zhecai-vault-key-id/v1\0"
_HEADING: Final = (
    "# Zhecai master keys. The first seals, all open; `zhecai vault` adds and removes. Keep a copy elsewhere.\n"
)


class VaultError(SettingsError):
    """The file of master keys cannot be used; the sentences say why and never hold a key."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key; its id follows from it, so that a line cannot claim another's."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(_ID_DOMAIN + self.secret).digest()[:ID_BYTES]


def new_key() -> MasterKey:
    return MasterKey(secrets.token_bytes(KEY_BYTES))


def read_keys(path: Path) -> tuple[MasterKey, ...]:
    """
    Read the master keys, the sealing one first.

    Raises:
        VaultError: there is no such file, others may read it, or it is not a list of keys.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(64 * 1024)
    except OSError as error:
        raise VaultError(
            f"无法读取主密钥文件 {path}：{error.strerror}。",
            f"The master key file {path} cannot be read: {error.strerror}.",
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise VaultError(
            f"主密钥文件 {path} 可被他人读取，请执行 chmod 600。",
            f"The master key file {path} can be read by others: chmod 600.",
        )
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(_key(path, line) for line in lines if line and not line.startswith(b"#"))
    if not 0 < len(keys) <= KEYS_MAX or len(set(keys)) != len(keys):
        raise VaultError(
            f"主密钥文件 {path} 应有 1 至 {KEYS_MAX} 个互不相同的密钥。",
            f"The master key file {path} must hold 1 to {KEYS_MAX} different keys.",
        )
    return keys


def _key(path: Path, line: bytes) -> MasterKey:
    try:
        secret = base64.b64decode(line, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise VaultError(
            f"主密钥文件 {path} 中有一行不是 {KEY_BYTES} 字节的 base64 密钥。",
            f"A line of the master key file {path} is not a key of {KEY_BYTES} bytes in base64.",
        )
    return MasterKey(secret)


def write_keys(path: Path, keys: Sequence[MasterKey]) -> None:
    """Replace the file: at any moment, and after a crash, it is the old one or the new one."""
    beside = _beside(path, keys)
    beside.replace(path)
    _sync(path.parent)


def create_keys(path: Path) -> None:
    """Make the file with one new key, unless it is there: of several processes that try, one makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path, [new_key()])
    with contextlib.suppress(FileExistsError):
        os.link(beside, path)
    beside.unlink()
    _sync(path.parent)


def _beside(path: Path, keys: Sequence[MasterKey]) -> Path:
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(_HEADING)
        file.writelines(base64.b64encode(key.secret).decode() + "\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return beside


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
