"""
An authority in a folder: its certificates, its encrypted keys, and a register of what it has issued.

    root.pem root.key root.crl      the root; its key may be kept elsewhere after ``create``
    issuing.pem issuing.key issuing.crl
    register.jsonl                  one line for each certificate issued, revoked, or list written; only appended to

Keys are PKCS#8 under a passphrase. Files are written beside and renamed, so a crash leaves the old or the new one.
"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from crypto import signatures
from crypto.certificates import keyfiles
from crypto.certificates.authority import CRL_VALIDITY, Authority, Reason, Revocation, new_root
from crypto.certificates.certificate import Certificate, read_certificates
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile

ROOT_CRL_VALIDITY: Final = timedelta(days=180)
"""The root revokes authorities only, and its key is seldom at hand."""
_KEY_MODE: Final = 0o600
_REGISTER: Final = "register.jsonl"


class FolderError(Exception):
    """Something about the folder, said in English for the command line."""


class Issued(msgspec.Struct, frozen=True, tag_field="event", tag="issued"):
    serial: str
    profile: Profile
    subject: str
    pem: str


class Revoked(msgspec.Struct, frozen=True, tag_field="event", tag="revoked"):
    serial: str
    at: datetime
    reason: Reason


class Listed(msgspec.Struct, frozen=True, tag_field="event", tag="listed"):
    number: int
    at: datetime


Line = Issued | Revoked | Listed


class Entry(msgspec.Struct, frozen=True):
    """A certificate as the register has it."""

    certificate: Certificate
    profile: Profile
    revoked_at: datetime | None = None
    reason: Reason | None = None


class AuthorityFolder:
    """The authority that lives in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    @property
    def exists(self) -> bool:
        return (self.path / "issuing.pem").is_file()

    def create(
        self, *, organisation: str, name: str, passphrase: str, at: datetime, algorithm: str, crl_url: str = ""
    ) -> None:
        """
        Make root and issuing authority, with new keys.

        Raises:
            FolderError: something is there already: keys are never overwritten.
        """
        for file in ("root.pem", "root.key", "issuing.pem", "issuing.key", _REGISTER):
            if (self.path / file).exists():
                raise FolderError(f"{self.path / file} exists; an authority's keys are never overwritten")
        root = new_root(Subject(f"{name}根证书", organisation), signatures.generate(algorithm), at=at)
        key = signatures.generate(algorithm)
        spki = signatures.public_bytes(key.public_key())
        named = Subject(f"{name}签发机构", organisation)
        issuing = Authority(root.issue(Profile.ISSUING, named, spki, at=at, crl_url=crl_url), key)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part, authority in (("root", root), ("issuing", issuing)):
            self._write(f"{part}.key", keyfiles.encrypt_key(authority.key, passphrase), mode=_KEY_MODE)
            self._write(f"{part}.pem", authority.certificate.pem())
        self._write("root.crl", root.revocation_list([], number=1, at=at, validity=ROOT_CRL_VALIDITY))
        self.write_list(issuing, at=at)

    def certificate(self, part: str = "issuing") -> Certificate:
        """Read the certificate of ``root`` or ``issuing``; raises ``FolderError``."""
        try:
            return read_certificates((self.path / f"{part}.pem").read_bytes(), count_max=1)[0]
        except FileNotFoundError as error:
            raise FolderError(f"there is no authority in {self.path}; make one with: zhecai ca init") from error

    def open(self, passphrase: str, part: str = "issuing") -> Authority:
        """
        Read certificate and key.

        Raises:
            FolderError: a file is missing.
            NotVerifiedError: the passphrase is wrong.
        """
        certificate = self.certificate(part)
        try:
            text = (self.path / f"{part}.key").read_bytes()
        except FileNotFoundError as error:
            raise FolderError(f"the key {self.path / part}.key is not here") from error
        return Authority(certificate, keyfiles.decrypt_key(text, passphrase))

    def entries(self) -> dict[int, Entry]:
        """Read the register: every certificate issued, by serial number, in order."""
        found: dict[int, Entry] = {}
        for line in self._lines():
            match line:
                case Issued():
                    certificate = _certificate(line.pem)
                    found[certificate.serial] = Entry(certificate, line.profile)
                case Revoked():
                    serial = int(line.serial, 16)
                    found[serial] = msgspec.structs.replace(found[serial], revoked_at=line.at, reason=line.reason)
                case Listed():
                    pass
        return found

    def entry(self, serial: str) -> Entry:
        """Find a certificate by its serial number in hexadecimal; raises ``FolderError``."""
        try:
            return self.entries()[int(serial.replace(":", ""), 16)]
        except (KeyError, ValueError) as error:
            raise FolderError(f"this authority has issued no certificate {serial!r}; see: zhecai ca list") from error

    def issue(
        self,
        authority: Authority,
        profile: Profile,
        subject: Subject,
        spki: bytes,
        *,
        at: datetime,
        days: int | None = None,
        dns_names: tuple[str, ...] = (),
        crl_url: str = "",
    ) -> Certificate:
        """Issue a certificate and enter it in the register before anybody gets it."""
        made = authority.issue(profile, subject, spki, at=at, days=days, dns_names=dns_names, crl_url=crl_url)
        self._append(Issued(made.serial_hex, profile, subject.common_name, made.pem().decode()))
        return made

    def revoke(self, serial: str, reason: Reason, *, at: datetime) -> Entry:
        """Revoke a certificate; it counts when the next list is out. Raises ``FolderError``."""
        entry = self.entry(serial)
        if entry.revoked_at is not None:
            raise FolderError(f"the certificate {serial} is revoked already, since {entry.revoked_at.isoformat()}")
        self._append(Revoked(entry.certificate.serial_hex, at, reason))
        return self.entry(serial)

    def write_list(self, authority: Authority, *, at: datetime) -> bytes:
        """Write the issuing authority's list anew, with the next number; revoked ones stay until they have expired."""
        number = 1 + max((line.number for line in self._lines() if isinstance(line, Listed)), default=0)
        revoked = [
            Revocation(serial, entry.revoked_at, entry.reason or Reason.UNSPECIFIED)
            for serial, entry in self.entries().items()
            if entry.revoked_at is not None and entry.certificate.not_after > at - CRL_VALIDITY
        ]
        der = authority.revocation_list(revoked, number=number, at=at)
        self._append(Listed(number, at))
        self._write("issuing.crl", der)
        return der

    def write_root_list(self, root: Authority, *, at: datetime) -> bytes:
        """Write the root's list anew: empty, because an authority that must go is replaced with its root."""
        der = root.revocation_list([], number=int(at.timestamp()), at=at, validity=ROOT_CRL_VALIDITY)
        self._write("root.crl", der)
        return der

    def lists(self) -> list[bytes]:
        """Read the lists that were written last."""
        return [(self.path / f"{part}.crl").read_bytes() for part in ("root", "issuing")]

    def _lines(self) -> Iterator[Line]:
        try:
            text = (self.path / _REGISTER).read_bytes()
        except FileNotFoundError:
            return
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                yield msgspec.json.decode(line, type=Line)
            except msgspec.MsgspecError as error:
                raise FolderError(f"line {number} of {self.path / _REGISTER} cannot be read: {error}") from error

    def _append(self, line: Line) -> None:
        with (self.path / _REGISTER).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _write(self, name: str, data: bytes, *, mode: int = 0o644) -> None:
        write_file(self.path / name, data, mode=mode)


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write beside, then rename: whoever reads sees the old file or the new one, and nobody else a key."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _certificate(text: str) -> Certificate:
    return read_certificates(text.encode(), count_max=1)[0]
