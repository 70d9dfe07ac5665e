r"""
Seals secrets under a master key and opens them again.

A sealed secret is bytes that may stand in a file or a column::

    "ZV1\0" ‖ u8 len ‖ suite id ‖ key id (8) ‖ salt (32) ‖ ciphertext ‖ tag (16)

The key of each is derived (HKDF) from the master key, the random salt and the purpose, so it is used once and the nonce
may be fixed. Everything before the ciphertext, and the purpose, is authenticated: a secret that was moved to another
place, such as another account's column, does not open there.
"""

import secrets
from pathlib import Path
from typing import Final

from crypto import suites
from crypto.errors import NotVerifiedError
from kernel.settings import Settings
from kernel.vault.keys import ID_BYTES, MasterKey, create_keys, read_keys

SECRET_BYTES_MAX: Final = 64 * 1024
SUITE: Final = "zhecai-1"

_MAGIC: Final = b"ZV1\0"
_SALT_BYTES: Final = 32
_PURPOSE: Final = "zhecai-vault/v1"


class Vault:
    """
    Seals and opens with the master keys of one file.

    The file is read again when it has changed, so a new master key needs no restart. ``create`` makes it with a first
    key when it is needed and not there: for the default place of a single machine, not for a path that somebody named.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path: Final = path
        self._create: Final = create
        self._keys: tuple[MasterKey, ...] = ()
        self._read_at: tuple[int, int, int] | None = None

    def seal(self, purpose: str, secret: bytes) -> bytes:
        """
        Seal ``secret``; it opens only with the same ``purpose``, such as ``totp/0190…`` or ``tsa-key``.

        Raises:
            VaultError: the master keys cannot be read.
        """
        assert len(secret) <= SECRET_BYTES_MAX
        key = self.keys()[0]
        header = _header(SUITE, key.id, secrets.token_bytes(_SALT_BYTES))
        return header + suites.seal(
            suites.SUITES[SUITE].aead,
            _derived(SUITE, key, header, purpose),
            nonce=bytes(suites.NONCE_BYTES),  # the key is used once
            plaintext=secret,
            context=header,
        )

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """
        Open what :meth:`seal` made for the same purpose.

        Raises:
            NotVerifiedError: it was altered, is for another purpose, or under a master key that is not here.
            VaultError: the master keys cannot be read.
        """
        suite, key_id, header = _taken_apart(sealed)
        key = next((known for known in self.keys() if known.id == key_id), None)
        if key is None:
            raise NotVerifiedError(f"the secret is sealed under the master key {key_id.hex()}, which is not here")
        return suites.unseal(
            suites.SUITES[suite].aead,
            _derived(suite, key, header, purpose),
            nonce=bytes(suites.NONCE_BYTES),
            sealed=sealed[len(header) :],
            context=header,
        )

    def resealed(self, purpose: str, sealed: bytes) -> bytes | None:
        """
        Seal anew under the first master key; None when it is so already.

        Raises:
            NotVerifiedError, VaultError: as :meth:`unseal`.
        """
        if self.key_id_of(sealed) == self.keys()[0].id:
            return None
        return self.seal(purpose, self.unseal(purpose, sealed))

    @staticmethod
    def key_id_of(sealed: bytes) -> bytes:
        """Tell which master key a secret is sealed under. Raises ``NotVerifiedError`` if it is no sealed secret."""
        return _taken_apart(sealed)[1]

    def keys(self) -> tuple[MasterKey, ...]:
        """Give the master keys, the sealing one first; the file is looked at each time and read when it is another."""
        if self._create and not self.path.exists():
            create_keys(self.path)
        seen = _seen(self.path)
        if seen is None or seen != self._read_at:
            self._keys = read_keys(self.path)
            self._read_at = seen
        return self._keys


def vault_of(settings: Settings) -> Vault:
    """Give the vault that the settings name; the default one is made when it is first needed."""
    if settings.vault_key_file is not None:
        return Vault(settings.vault_key_file)
    return Vault(settings.data_dir / "vault.key", create=True)


def _seen(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _header(suite: str, key_id: bytes, salt: bytes) -> bytes:
    name = suite.encode("ascii")
    return b"".join((_MAGIC, bytes((len(name),)), name, key_id, salt))


def _taken_apart(sealed: bytes) -> tuple[str, bytes, bytes]:
    """Return suite, key id and the whole header."""
    length = sealed[len(_MAGIC)] if sealed.startswith(_MAGIC) and len(sealed) > len(_MAGIC) else 0
    begins = len(_MAGIC) + 1
    ends = begins + length + ID_BYTES + _SALT_BYTES
    suite = sealed[begins : begins + length].decode("ascii", "replace")
    if not length or suite not in suites.SUITES or len(sealed) < ends + suites.TAG_BYTES:
        raise NotVerifiedError("this is not a sealed secret")
    return suite, sealed[begins + length : begins + length + ID_BYTES], sealed[:ends]


def _derived(suite: str, key: MasterKey, header: bytes, purpose: str) -> bytes:
    chosen = suites.SUITES[suite]
    info = suites.bound(_PURPOSE, suite, purpose.encode())
    return suites.derive(
        chosen.kdf, key.secret, salt=header[-_SALT_BYTES:], info=info, length=suites.key_bytes(chosen.aead)
    )
