"""
The log's private keys: sealed in the vault, or one PEM file each, readable by the service's account alone.

A key is made when it is first asked for. Several processes may ask at once: it appears whole or not at all, and the
first one wins. Sites that were made before the vault have files in ``keys``; each is sealed at the next start.
"""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from crypto.errors import CryptoError
from kernel.settings import Settings
from kernel.vault.files import secrets_of
from kernel.vault.vault import vault_of

_LOG: Final = "log"
_RECEIPTS: Final = "receipts"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyFault(Exception):
    """A key file that cannot be used; ``detail`` says why and what to do, in Chinese and in English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.detail: Final = (zh, en)


def load_key(path: Path) -> Ed25519PrivateKey:
    """
    Read an Ed25519 key, or make one where there is none.

    Raises:
        KeyFault: It is not such a key, others may read it, or it cannot be read or written.
    """
    try:
        if not path.exists():
            _make(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return _read(path)


def _read(path: Path) -> Ed25519PrivateKey:
    """Read a key that is there; raises as :func:`load_key`."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise KeyFault(
                f"密钥文件 {path} 可被其他用户读取，请执行 chmod 600。",
                f"The key file {path} is open to other users; run chmod 600 on it.",
            )
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path, error) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFault(f"密钥文件 {path} 不是 Ed25519 密钥。", f"The key file {path} holds no Ed25519 key.")
    return key


def _make(path: Path) -> None:
    """Write a new key beside its place and link it there, unless another process was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def log_key(settings: Settings) -> Ed25519PrivateKey:
    """Give the log's key: that of the file that is named, else the sealed one; raises :class:`KeyFault`."""
    return load_key(settings.log_key) if settings.log_key else _sealed_key(settings, _LOG)


def receipt_key(settings: Settings) -> Ed25519PrivateKey:
    """Give the key that signs receipts; raises :class:`KeyFault`."""
    return _sealed_key(settings, _RECEIPTS)


def seal_keys(settings: Settings) -> None:
    """Seal what lies in files from before the vault; raises :class:`KeyFault`."""
    for name in (_LOG, _RECEIPTS):
        if _plain(settings, name).exists():
            _sealed_key(settings, name)


def _sealed_key(settings: Settings, name: str) -> Ed25519PrivateKey:
    files, plain = secrets_of(settings, vault_of(settings)), _plain(settings, name)
    try:
        known = _found(plain)
        if known and not files.adopt(f"{name}-key", plain, known.private_bytes_raw()):
            raise KeyFault(
                f"密钥文件 {plain} 与已加密保存的密钥不同，请移走其中错误的一个。",
                f"The key file {plain} is not the key that is sealed; remove the one that is wrong.",
            )
        return Ed25519PrivateKey.from_private_bytes(
            files.settle(f"{name}-key", Ed25519PrivateKey.generate().private_bytes_raw())
        )
    except (CryptoError, OSError, ValueError) as error:
        raise _unusable(files.folder / f"{name}-key.sealed", error) from error


def _found(path: Path) -> Ed25519PrivateKey | None:
    """Read a key if there is one: another process may just have sealed it."""
    try:
        return _read(path) if path.exists() else None
    except KeyFault:
        if path.exists():
            raise
        return None


def _plain(settings: Settings, name: str) -> Path:
    return settings.data_dir / "keys" / f"{name}.pem"


def _unusable(path: Path, error: Exception) -> KeyFault:
    return KeyFault(f"密钥文件 {path} 无法使用：{error}。", f"The key file {path} cannot be used: {error}.")


def public_key(settings: Settings) -> bytes | None:
    """
    Give the public half of the log's key where this machine has it, without making one.

    Raises:
        KeyFault: There is a key and it cannot be used.
    """
    return log_key(settings).public_key().public_bytes_raw() if log_key_exists(settings) else None


def log_key_exists(settings: Settings) -> bool:
    """Tell whether the log has its key on this machine."""
    if settings.log_key:
        return settings.log_key.exists()
    sealed = secrets_of(settings, vault_of(settings)).names()
    return f"{_LOG}-key" in sealed or _plain(settings, _LOG).exists()
