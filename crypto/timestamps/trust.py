"""Whom one believes about time: roots, and the way from an authority's certificate up to one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from crypto.timestamps.token import BadToken

_DEPTH_MAX: Final = 5
_REMEMBERED_MAX: Final = 64
_HARMLESS: Final = {
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
}
"""After these, and only these, what was stamped before the revocation stays good (RFC 3161 section 4)."""

_UNREADABLE: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What ``cryptography`` raises when it looks at a certificate, for some parts long after it was loaded."""

Path = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class StampingCertificate:
    """What a signature is checked against, looked up in the certificate once."""

    certificate: x509.Certificate
    public_key: object
    issuer: bytes
    serial: int
    subject: bytes
    unfit: str | None
    """Why it is not for time stamps; None when it is."""


class StampTrust:
    """
    Trust in time stamp authorities.

    ``roots`` are believed: an authority's own certificate may be among them. ``intermediates`` help where a token
    does not carry its chain. A revocation list is used for what its issuer issued; without one nothing is revoked.
    """

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        intermediates: Sequence[x509.Certificate] = (),
        revocations: Sequence[x509.CertificateRevocationList] = (),
    ) -> None:
        assert roots
        self._roots: Final = frozenset(roots)
        self.known: Final = (*roots, *intermediates)
        self._revocations: Final = tuple(revocations)
        self.known_der: Final = tuple(certificate.public_bytes(Encoding.DER) for certificate in self.known)
        self._read: dict[bytes, StampingCertificate] = {}
        self._paths: dict[tuple[bytes, ...], list[Path]] = {}

    def read(self, certificate: bytes) -> StampingCertificate:
        """
        Read a certificate; what was read is remembered.

        Raises:
            BadToken: it cannot be read.
        """
        found = self._read.get(certificate)
        if found is None:
            if len(self._read) >= _REMEMBERED_MAX:
                self._read.clear()
            found = self._read[certificate] = _read(certificate)
        return found

    def check(self, certificate: bytes, others: Sequence[bytes], at: datetime) -> None:
        """
        State that ``certificate`` leads to a root, and that all on the way was valid at ``at`` and not revoked.

        Cost: signatures are checked once for each certificate; the paths found are remembered.

        Raises:
            BadToken: it does not, or was not.
        """
        paths = self._paths_of(certificate, others)
        if not paths:
            raise BadToken("the authority's certificate leads to no trusted root")
        valid = [path for path in paths if all(_valid(found, at) for found in path)]
        if not valid:
            raise BadToken("the authority's certificate, or one above it, was not valid at the stamped time")
        if all(self._revoked(path, at) for path in valid):
            raise BadToken("the authority's certificate, or one above it, is revoked")

    def _paths_of(self, certificate: bytes, others: Sequence[bytes]) -> list[Path]:
        key = (certificate, *others)
        found = self._paths.get(key)
        if found is None:
            if len(self._paths) >= _REMEMBERED_MAX:
                self._paths.clear()
            candidates = tuple(dict.fromkeys((*self.known, *(self.read(other).certificate for other in others))))
            found = self._paths[key] = list(self._climb((self.read(certificate).certificate,), candidates))
        return found

    def _climb(self, path: Path, candidates: Sequence[x509.Certificate]) -> Iterator[Path]:
        lowest = path[-1]
        if lowest in self._roots:
            yield path
            return
        if len(path) > _DEPTH_MAX:
            return
        for candidate in candidates:
            if candidate not in path and _issued(candidate, lowest) and _may_issue(candidate, below=len(path) - 1):
                yield from self._climb((*path, candidate), candidates)

    def _revoked(self, path: Path, at: datetime) -> bool:
        return any(self._revoked_by(issuer, found, at) for found, issuer in pairwise(path))

    def _revoked_by(self, issuer: x509.Certificate, certificate: x509.Certificate, at: datetime) -> bool:
        for revocations in self._revocations:
            if revocations.issuer != issuer.subject or not revocations.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
                continue
            entry = revocations.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None and (at >= entry.revocation_date_utc or _reason(entry) not in _HARMLESS):
                return True
        return False


def _read(data: bytes) -> StampingCertificate:
    try:
        certificate = x509.load_der_x509_certificate(data)
        return StampingCertificate(
            certificate,
            certificate.public_key(),
            certificate.issuer.public_bytes(),
            certificate.serial_number,
            certificate.subject.public_bytes(),
            check_purpose(certificate),
        )
    except _UNREADABLE as error:
        raise BadToken(f"a certificate of the token cannot be read: {error}") from error


def check_purpose(certificate: x509.Certificate) -> str | None:
    """
    Say why a certificate is not for time stamps; None when it is.

    Source: RFC 3161 section 2.3: one extended key usage, critical, and a key that does nothing else.
    """
    extensions = certificate.extensions
    try:
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return "the certificate is not for time stamps: no extended key usage"
    if not extended.critical or list(extended.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        return "the certificate is not for time stamps alone: its extended key usage is another, or not critical"
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    others = (usage.key_encipherment, usage.data_encipherment, usage.key_agreement, usage.key_cert_sign, usage.crl_sign)
    if any(others) or not (usage.digital_signature or usage.content_commitment):
        return "the certificate is not for signatures alone: its key usage has others"
    return None


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return x509.ReasonFlags.unspecified


def _valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_issue(certificate: x509.Certificate, *, below: int) -> bool:
    """Say whether a certificate may issue others, with ``below`` authorities between it and the last certificate."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    try:
        signs = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        signs = True
    return constraints.ca and signs and (constraints.path_length is None or constraints.path_length >= below)
