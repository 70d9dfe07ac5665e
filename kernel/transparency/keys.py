"""
The log's private keys: one PEM file each, readable by the service's account alone.

A key is made when it is first asked for. Several processes may ask at once: the file appears whole or not at all, and
the first one wins.
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

from kernel.settings import Settings

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
        if path.stat().st_mode & _OTHERS:
            raise KeyFault(
                f"密钥文件 {path} 可被其他用户读取，请执行 chmod 600。",
                f"The key file {path} is open to other users; run chmod 600 on it.",
            )
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFault(
            f"密钥文件 {path} 无法使用：{error}。", f"The key file {path} cannot be used: {error}."
        ) from error
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


def public_key(settings: Settings) -> bytes | None:
    """
    Give the public half of the log's key where this machine has it, without making one.

    Raises:
        KeyFault: There is a key and it cannot be used.
    """
    path = log_key_path(settings)
    return load_key(path).public_key().public_bytes_raw() if path.exists() else None


def log_key_path(settings: Settings) -> Path:
    """Say where the log's key is."""
    return settings.log_key or settings.data_dir / "keys" / "log.pem"
