"""A certificate as a value: what it says, nothing of it believed before it is validated."""

import functools
from datetime import UTC, datetime
from typing import Any, Final

from asn1crypto import pem, x509

from crypto import suites
from crypto.certificates import asn1
from crypto.certificates.names import Subject, subject_of
from crypto.errors import NotVerifiedError

CERTIFICATE_BYTES_MAX: Final = 16_384
CHAIN_LEN_MAX: Final = 8
"""Certificates handed in together: an end entity and its authorities."""
_LABEL: Final = "CERTIFICATE"


class Certificate:
    """Made from DER; raises ``NotVerifiedError`` when it is none, so that whatever is asked later has an answer."""

    def __init__(self, der: bytes) -> None:
        if len(der) > CERTIFICATE_BYTES_MAX:
            raise NotVerifiedError(f"a certificate has at most {CERTIFICATE_BYTES_MAX} bytes")
        self.der: Final = der
        self.parsed: Final[x509.Certificate] = asn1.certificate(der)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.serial_hex} of {self.subject.common_name!r}>"

    @property
    def serial(self) -> int:
        return int(self.parsed.serial_number)

    @property
    def serial_hex(self) -> str:
        """The serial number as ``openssl`` prints it."""
        text = f"{self.serial:X}"
        return text.rjust(len(text) + len(text) % 2, "0")

    @property
    def not_before(self) -> datetime:
        return _moment(self.parsed.not_valid_before)

    @property
    def not_after(self) -> datetime:
        return _moment(self.parsed.not_valid_after)

    def valid_at(self, at: datetime) -> bool:
        """Tell whether ``at`` lies within the validity; both ends belong to it (RFC 5280, 4.1.2.5)."""
        return self.not_before <= at <= self.not_after

    @functools.cached_property
    def subject(self) -> Subject:
        return subject_of(self.parsed.subject)

    @functools.cached_property
    def issuer(self) -> Subject:
        return subject_of(self.parsed.issuer)

    @property
    def issuer_der(self) -> bytes:
        return bytes(self.parsed.issuer.dump())

    @property
    def spki(self) -> bytes:
        return bytes(self.parsed.public_key.dump())

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the whole certificate."""
        return suites.digest("sha-256", self.der)

    @property
    def authority(self) -> bool:
        """Whether it claims to be an authority's."""
        return bool(self.parsed.ca)

    @property
    def path_length(self) -> int | None:
        found = self.parsed.max_path_length
        return None if found is None else int(found)

    @property
    def crl_urls(self) -> tuple[str, ...]:
        return tuple(
            name.native
            for point in self.parsed.crl_distribution_points
            if point["distribution_point"].name == "full_name"
            for name in point["distribution_point"].chosen
            if name.name == "uniform_resource_identifier"
        )

    @property
    def ocsp_urls(self) -> tuple[str, ...]:
        return tuple(self.parsed.ocsp_urls)

    def pem(self) -> bytes:
        return bytes(pem.armor(_LABEL, self.der))


def read_certificates(data: bytes, *, count_max: int = CHAIN_LEN_MAX) -> list[Certificate]:
    """
    Read one certificate in DER, or some in PEM one after another, in their order.

    Raises:
        NotVerifiedError: something else is in there, nothing is, or there are more than ``count_max``.
    """
    if len(data) > count_max * 2 * CERTIFICATE_BYTES_MAX:
        raise NotVerifiedError("too long to be so many certificates")
    if not pem.detect(data):
        return [Certificate(data)]
    found: list[Certificate] = []
    for label, der in _unarmored(data):
        if label != _LABEL:
            raise NotVerifiedError(f"certificates were expected, and there is a {label!r}")
        if len(found) == count_max:
            raise NotVerifiedError(f"at most {count_max} certificates may be given")
        found.append(Certificate(der))
    return found


def _unarmored(data: bytes) -> list[tuple[str, bytes]]:
    try:
        parts: Any = list(pem.unarmor(data, multiple=True))
    except ValueError as error:
        raise NotVerifiedError("not certificates in PEM") from error
    return [(label, der) for label, _, der in parts]


def _moment(at: datetime) -> datetime:
    return at.astimezone(UTC)
