"""
Whom this site trusts: its own trial authority, and the outside ones that an operator put into ``trust_dir``.

``trust_dir`` holds ``*.pem`` (roots and what lies below them, one or several a file) and ``*.crl`` (revocation lists
in DER or PEM, which somebody else keeps fresh; what they leave open is asked by :mod:`kernel.revocation`). It is looked
at again when a file in it has changed, at most every ``LOOK_AGAIN_S``. While one of them cannot be read nobody is
trusted: which certificates it would have revoked nobody knows. The own authority lives in ``ca`` below the data
directory; its keys are encrypted under a :mod:`passphrase <kernel.trust.passphrase>`.
"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from asn1crypto import pem

from crypto.certificates.authority import Authority
from crypto.certificates.certificate import Certificate, read_certificates
from crypto.certificates.revocation import RevocationList
from crypto.certificates.validation import Trust, trust_of
from crypto.errors import CryptoError
from crypto.suites import Denials, parse_denials
from kernel.clock import Clock
from kernel.revocation.fetching import hosts_of
from kernel.settings import Settings
from kernel.trust.folder import AuthorityFolder, FolderError
from kernel.trust.passphrase import Passphrase

LOOK_AGAIN_S: Final = 10.0
CERTIFICATES_MAX: Final = 200
"""Certificates in one file."""
_ROOT_LIST_AGE_MAX: Final = timedelta(days=30)
_ORGANISATION: Final = "浙采试用环境"
_NAME: Final = "浙采试用"


class _Outside(NamedTuple):
    certificates: tuple[Certificate, ...]
    lists: tuple[bytes, ...]
    parsed: tuple[RevocationList, ...]
    hosts: frozenset[str]


class TrustStore:
    """Read from files, kept in memory; every process of a site has one and reads the same files."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.folder: Final = AuthorityFolder(settings.data_dir / "ca")
        self.denials: Final[Denials] = parse_denials(settings.denied_algorithms)
        self._passphrase: Final = Passphrase(settings)
        self._trust_dir: Final = settings.trust_dir
        self._clock: Final = clock
        self.published: tuple[bytes, float] | None = None  # the list that the public gets, and until when
        self._authority: Authority | None = None
        self._outside = _Outside((), (), (), frozenset())
        self._seen: tuple[tuple[str, int], ...] | None = None
        self._unread = ""  # which files cannot be used, and why
        self._looked_s = float("-inf")
        self._opening: Final = asyncio.Lock()

    async def authority(self) -> Authority | None:
        """
        Open the own issuing authority; ``None`` when this site has none.

        The key is decrypted once in a process, off the event loop: that takes some 0.2 s, meant.

        Raises:
            FolderError, CryptoError: it is there and cannot be opened.
        """
        async with self._opening:
            if self._authority is None and self.folder.exists:
                self._authority = await asyncio.to_thread(self._open)
        return self._authority

    async def create_trial(self) -> bool:
        """Make an authority of our own, if there is none yet, and keep its root's list fresh; for demonstrations."""
        at = self._clock.now()
        if self.folder.exists:
            await asyncio.to_thread(self._refresh_root_list, at)
            return False
        self.folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        passphrase = self._passphrase.make()
        await asyncio.to_thread(
            self.folder.create,
            organisation=_ORGANISATION,
            name=_NAME,
            passphrase=passphrase,
            at=at,
            algorithm="ecdsa-p256-sha256",
        )
        return True

    def seal(self) -> None:
        """Bring a passphrase that lies beside the keys into the vault; raises as :meth:`Passphrase.read`."""
        self._passphrase.seal()

    def trust(self) -> Trust:
        """
        Say whom we trust now.

        Raises:
            NotVerifiedError: nobody, or what was configured is not a certificate of an authority.
        """
        self._look()
        own = (self.folder.certificate("root"), self.folder.certificate()) if self.folder.exists else ()
        return trust_of((*own, *self._outside.certificates), at=self._clock.now(), denials=self.denials)

    def lists(self) -> list[bytes]:
        """Give the lists that lie in files: those of outside authorities, and of our own root."""
        self._look()
        own = [(self.folder.path / "root.crl").read_bytes()] if self.folder.exists else []
        return [*own, *self._outside.lists]

    def parsed_lists(self) -> list[RevocationList]:
        """Give :meth:`lists` ready to be asked; outside authorities' are parsed once. Raises ``CryptoError``."""
        self._look()
        own = [RevocationList((self.folder.path / "root.crl").read_bytes())] if self.folder.exists else []
        return [*own, *self._outside.parsed]

    def outside(self) -> tuple[Certificate, ...]:
        """Give the certificates of outside authorities."""
        self._look()
        return self._outside.certificates

    def hosts(self) -> frozenset[str]:
        """Name the hosts that the outside authorities' own certificates name: those may be asked about revocation."""
        self._look()
        return self._outside.hosts

    def chain(self) -> list[Certificate]:
        """Give the certificates above those that we issue, the issuing authority's first."""
        return [self.folder.certificate(), self.folder.certificate("root")]

    def _open(self) -> Authority:
        return self.folder.open(self._passphrase.read())

    def _refresh_root_list(self, at: datetime) -> None:
        written = (self.folder.path / "root.crl").stat().st_mtime
        if at.timestamp() - written > _ROOT_LIST_AGE_MAX.total_seconds() and (self.folder.path / "root.key").is_file():
            self.folder.write_root_list(self.folder.open(self._passphrase.read(), "root"), at=at)

    def _look(self) -> None:
        """Raise ``FolderError`` while a file cannot be used: each time, not only when it was looked at."""
        now_s = self._clock.monotonic_s()
        if self._trust_dir is not None and now_s - self._looked_s >= LOOK_AGAIN_S:
            self._looked_s = now_s
            self._read_anew(self._trust_dir)
        if self._unread:
            raise FolderError(self._unread)

    def _read_anew(self, folder: Path) -> None:
        files = sorted((*folder.glob("*.pem"), *folder.glob("*.crl")))
        seen = tuple((str(file), file.stat().st_mtime_ns) for file in files)
        if seen == self._seen:
            return
        try:
            self._outside, self._seen, self._unread = _read(files), seen, ""
        except FolderError as error:
            self._seen, self._unread = None, str(error)  # looked at again even if only the permissions change


def _read(files: list[Path]) -> _Outside:
    """Read every file; raises ``FolderError`` that names each one that cannot be used."""
    certificates: list[Certificate] = []
    lists: list[bytes] = []
    parsed: list[RevocationList] = []
    unfit: list[str] = []
    for file in files:
        try:
            data = file.read_bytes()
            if file.suffix == ".pem":
                certificates += read_certificates(data, count_max=CERTIFICATES_MAX)
            else:
                lists.append(pem.unarmor(data)[2] if pem.detect(data) else data)
                parsed.append(RevocationList(lists[-1]))
        except (CryptoError, ValueError, OSError) as error:
            unfit.append(f"{file} cannot be used: {error}")
    if unfit:
        raise FolderError("; ".join(unfit))
    urls = {url for one in certificates for url in (*one.crl_urls, *one.ocsp_urls)}
    return _Outside(tuple(certificates), tuple(lists), tuple(parsed), hosts_of(urls))
