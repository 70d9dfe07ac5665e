"""Sealed secrets as files, one each: keys of the platform's processes (log, certificates, time stamps)."""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from kernel.settings import Settings
from kernel.vault.vault import Vault

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_ENDING: Final = ".sealed"


class SealedFiles:
    """Secrets in one folder, each by a name such as ``tsa-key``; the name is part of the purpose."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.folder: Final = folder
        self._vault: Final = vault

    def read(self, name: str) -> bytes | None:
        """
        Open the secret ``name``; None when there is none.

        Raises:
            NotVerifiedError: it was altered, put there from elsewhere, or its master key is gone.
            VaultError: the master keys cannot be read.
        """
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        return self._vault.unseal(_purpose(name), sealed)

    def settle(self, name: str, secret: bytes) -> bytes:
        """
        Put ``secret`` there unless there is one already, and give the one that is there.

        Of several processes that make one at the same time all get the first.

        Raises:
            NotVerifiedError, VaultError: as :meth:`read`.
        """
        known = self.read(name)
        if known is not None:
            return known
        beside = self._beside(name, self._vault.seal(_purpose(name), secret))
        try:
            os.link(beside, self._path(name))
        except FileExistsError:
            found = self.read(name)
            assert found is not None
            return found
        finally:
            beside.unlink()
        return secret

    def adopt(self, name: str, path: Path, secret: bytes) -> bool:
        """
        Seal ``secret``, which lies in the clear in ``path``, and remove that file; False when another one is sealed.

        Raises:
            NotVerifiedError, VaultError: as :meth:`read`; the file stays.
        """
        if self.settle(name, secret) != secret:
            return False
        path.unlink(missing_ok=True)
        return True

    def write(self, name: str, secret: bytes) -> None:
        """Seal ``secret`` and put it on disk; after a crash the file is the old one or the new one."""
        self._put(name, self._vault.seal(_purpose(name), secret))

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        return sorted(path.name.removesuffix(_ENDING) for path in self.folder.glob(f"*{_ENDING}"))

    def reseal(self) -> int:
        """Seal anew what is under an older master key; return how many. Doing it twice does no harm."""
        done = 0
        for name in self.names():
            if resealed := self._vault.resealed(_purpose(name), self._path(name).read_bytes()):
                self._put(name, resealed)
                done += 1
        return done

    def under(self, key_id: bytes) -> int:
        """Count the secrets that are sealed under one master key."""
        return sum(self._vault.key_id_of(self._path(name).read_bytes()) == key_id for name in self.names())

    def _put(self, name: str, sealed: bytes) -> None:
        self._beside(name, sealed).replace(self._path(name))

    def _beside(self, name: str, sealed: bytes) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self.folder / f".{name}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        return beside

    def _path(self, name: str) -> Path:
        assert _NAME.fullmatch(name)
        return self.folder / f"{name}{_ENDING}"


def secrets_of(settings: Settings, vault: Vault) -> SealedFiles:
    """Give the sealed files of a site: ``secrets`` in its data directory."""
    return SealedFiles(settings.data_dir / "secrets", vault)


def _purpose(name: str) -> str:
    return f"file/{name}"
