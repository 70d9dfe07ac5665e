"""
Keys of the platform's own services, each with its certificate: time stamps, seal, TLS.

The private key is a sealed file and never leaves it. A new key waits beside the one in use until a certificate for it
is adopted, so renewal has no gap: ``request``, have it issued, ``adopt``, start the service again.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from asn1crypto import pem

from crypto import signatures
from crypto.certificates.authority import Authority, new_root
from crypto.certificates.certificate import Certificate, read_certificates
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.requests import make_request
from crypto.errors import KeyUnusableError
from crypto.signatures import PrivateKey
from kernel.settings import Settings
from kernel.vault.files import SealedFiles, secrets_of
from kernel.vault.vault import vault_of

KEY_ALGORITHM: Final = "ecdsa-p256-sha256"


class Service(StrEnum):
    """A service of the platform that has a key."""

    TSA = "tsa"
    SEAL = "seal"
    TLS = "tls"


PROFILES: Final[dict[Service, Profile]] = {
    Service.TSA: Profile.TIME_STAMPING,
    Service.SEAL: Profile.SEAL,
    Service.TLS: Profile.SERVICE,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key, its certificate, and those above it."""

    key: PrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...]

    def pem(self) -> bytes:
        return b"".join(one.pem() for one in (self.certificate, *self.chain))


class Identities:
    """The services' keys below one data directory: ``secrets`` holds the keys, ``certificates`` the rest."""

    def __init__(self, files: SealedFiles, folder: Path) -> None:
        self._files: Final = files
        self.folder: Final = folder

    @property
    def trial_root(self) -> Path:
        """The root of :meth:`make_trial`, for who is to trust it."""
        return self.folder / "trial-root.pem"

    def load(self, service: Service) -> Identity | None:
        """
        Give the identity in use; None when the service has none.

        Raises:
            NotVerifiedError, KeyUnusableError, VaultError: what is stored was altered or does not fit together.
        """
        try:
            text = self._certificates(service).read_bytes()
        except FileNotFoundError:
            return None
        key = self._key(service)
        if key is None:
            return None
        first, *chain = read_certificates(text)
        _check(key, first)
        return Identity(key, first, tuple(chain))

    def request(self, service: Service, subject: Subject) -> bytes:
        """Make a new key, which waits for its certificate, and return the certification request (PEM)."""
        key = signatures.generate(KEY_ALGORITHM)
        self._files.write(_next(service), signatures.private_bytes(key))
        return bytes(pem.armor("CERTIFICATE REQUEST", make_request(subject, key)))

    def adopt(self, service: Service, certificates: bytes) -> Identity:
        """
        Take a certificate, with those above it, for the key that waits or else for the key in use.

        Raises:
            KeyUnusableError: it is for neither.
            NotVerifiedError: it cannot be read.
        """
        first, *chain = read_certificates(certificates)
        for name in (_next(service), _now(service)):
            stored = self._files.read(name)
            if stored is None:
                continue
            key = signatures.load_private_key(stored)
            if signatures.public_bytes(key.public_key()) == first.spki:
                return self._adopted(service, Identity(key, first, tuple(chain)))
        raise KeyUnusableError(f"the certificate is for no key of the service {service}")

    def make_trial(
        self, at: datetime, *, name: str, hosts: tuple[str, ...], services: Iterable[Service] = Service
    ) -> None:
        """
        Give each of ``services`` that has no identity one, of an authority that is made for it and forgotten.

        Nobody can issue anything in its name afterwards. For trials: outside nobody trusts it.
        """
        missing = [service for service in services if self.load(service) is None]
        if not missing:
            return
        root = new_root(Subject(f"{name} 试用根证书"), signatures.generate(KEY_ALGORITHM), at=at)
        middle_key = signatures.generate(KEY_ALGORITHM)
        spki = signatures.public_bytes(middle_key.public_key())
        middle = Authority(root.issue(Profile.ISSUING, Subject(f"{name} 试用签发"), spki, at=at), middle_key)
        for service in missing:
            key = signatures.generate(KEY_ALGORITHM)
            certificate = middle.issue(
                PROFILES[service],
                Subject(hosts[0] if service is Service.TLS else f"{name} {_WORDS[service]}"),
                signatures.public_bytes(key.public_key()),
                at=at,
                dns_names=hosts if service is Service.TLS else (),
            )
            self._files.write(_next(service), signatures.private_bytes(key))
            self._adopted(service, Identity(key, certificate, (middle.certificate,)))
        before = self.trial_root.read_bytes() if self.trial_root.exists() else b""
        self._write(self.trial_root, before + root.certificate.pem())

    def _adopted(self, service: Service, identity: Identity) -> Identity:
        """Put the certificate in place, then the key: who starts between the two finds that they do not fit."""
        self._write(self._certificates(service), identity.pem())
        self._files.write(_now(service), signatures.private_bytes(identity.key))
        self._files.remove(_next(service))
        return identity

    def _key(self, service: Service) -> PrivateKey | None:
        stored = self._files.read(_now(service))
        return None if stored is None else signatures.load_private_key(stored)

    def _certificates(self, service: Service) -> Path:
        return self.folder / f"{service}.pem"

    def _write(self, path: Path, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        beside.write_bytes(content)
        beside.replace(path)


def identities_of(settings: Settings) -> Identities:
    """Give the identities below the data directory of ``settings``."""
    return Identities(secrets_of(settings, vault_of(settings)), settings.data_dir / "certificates")


def _check(key: PrivateKey, certificate: Certificate) -> None:
    if signatures.public_bytes(key.public_key()) != certificate.spki:
        raise KeyUnusableError("the key and the certificate do not belong together")


def _now(service: Service) -> str:
    return f"{service}-key"


def _next(service: Service) -> str:
    return f"{service}-key.next"


_WORDS: Final = {Service.TSA: "时间戳", Service.SEAL: "电子印章", Service.TLS: "网站"}
