"""
The passphrase of the site's own authority: the first line of the file that is named, else sealed in the vault.

Sites that were made before the vault have it beside the authority's keys; it is taken from there at the next start.
"""

import secrets
from pathlib import Path
from typing import Final

from kernel.settings import Settings
from kernel.trust.folder import FolderError, write_file
from kernel.vault.files import SealedFiles, secrets_of
from kernel.vault.vault import vault_of

NAME: Final = "ca-passphrase"
_BYTES: Final = 32


class Passphrase:
    """Read when it is needed and not kept."""

    def __init__(self, settings: Settings) -> None:
        self._named: Final = settings.ca_passphrase_file
        self._plain: Final = settings.data_dir / "ca" / "passphrase"
        self._files: Final[SealedFiles] = secrets_of(settings, vault_of(settings))

    def read(self) -> str:
        """Give the passphrase; raises as :meth:`find`, and ``FolderError`` when there is none."""
        found = self.find()
        if found is None:
            raise FolderError(
                f"the passphrase of {self._plain.parent} is not in {self._files.folder}; name a file that holds it "
                "with ZHECAI_CA_PASSPHRASE_FILE"
            )
        return found

    def find(self) -> str | None:
        """
        Give the passphrase; None when none was made here.

        Raises:
            FolderError: its file cannot be read, or there are two.
            NotVerifiedError, VaultError: it is sealed and does not open.
        """
        if self._named is not None:
            return _first_line(self._named)
        self.seal()
        sealed = self._files.read(NAME)
        return None if sealed is None else sealed.decode()

    def make(self) -> str:
        """Make a passphrase and put it where :meth:`read` finds it; one that is sealed already stays."""
        made = secrets.token_urlsafe(_BYTES)
        if self._named is None:
            return self._files.settle(NAME, made.encode()).decode()
        write_file(self._named, made.encode() + b"\n", mode=0o600)
        return made

    def seal(self) -> None:
        """Seal what lies beside the keys in the clear, unless a file is named; raises as :meth:`find`."""
        if self._named is not None or not self._plain.exists():
            return
        try:
            plain = _first_line(self._plain).encode()
        except FolderError:
            if not self._plain.exists():  # another process was faster
                return
            raise
        if not self._files.adopt(NAME, self._plain, plain):
            raise FolderError(f"{self._plain} is not the passphrase that is sealed; remove the one that is wrong")


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8").split("\n", 1)[0]
    except OSError as error:
        raise FolderError(f"the passphrase file {path} cannot be read: {error.strerror}") from error
