"""
A small certificate authority: for trials and for closed networks. A province in production trusts licensed ones.

It writes certificates and revocation lists of RFC 5280 with keys of any signature algorithm that has an X.509 form, SM2
included. It keeps nothing: who calls it keeps what was issued, and numbers the lists.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from asn1crypto import core, crl, x509

from crypto import signatures
from crypto.certificates import asn1
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import TERMS, Profile
from crypto.errors import CryptoError, KeyUnusableError
from crypto.signatures import PrivateKey

CRL_VALIDITY: Final = timedelta(days=7)
"""How long a list may be used; it is written anew every day."""
BACKDATED: Final = timedelta(minutes=5)
"""A certificate is valid a little before it was made: clocks of others may be behind."""
_SERIAL_BYTES: Final = 16
_UTC_TIME_UNTIL: Final = datetime(2050, 1, 1, tzinfo=UTC)  # RFC 5280, 4.1.2.5


class Reason(StrEnum):
    """Why a certificate was revoked (RFC 5280, 5.3.1), by asn1crypto's names."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"


@dataclass(frozen=True)
class Revocation:
    """One line of a revocation list."""

    serial: int
    at: datetime
    reason: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True)
class Authority:
    """A certificate that may sign certificates, and its key."""

    certificate: Certificate
    key: PrivateKey

    def __post_init__(self) -> None:
        if not self.certificate.authority:
            raise CryptoError("the certificate is not one of an authority")
        if signatures.public_bytes(self.key.public_key()) != self.certificate.spki:
            raise KeyUnusableError("the key does not belong to the authority's certificate")

    def issue(
        self,
        profile: Profile,
        subject: Subject,
        spki: bytes,
        *,
        at: datetime,
        days: int | None = None,
        dns_names: Sequence[str] = (),
        crl_url: str = "",
        ocsp_url: str = "",
    ) -> Certificate:
        """
        Issue a certificate for a public key whose holder has proved that they have the private one.

        It never outlives the authority's own.

        Raises:
            CryptoError: the authority may not issue it, its own certificate is not valid at ``at``, or a name is wrong.
            KeyUnusableError: the key is of a kind that is not accepted.
        """
        own = self.certificate
        if not own.valid_at(at):
            raise CryptoError("the authority's own certificate is not valid at this time")
        if TERMS[profile].authority and own.path_length == 0:
            raise CryptoError("this authority may not make other authorities")
        signatures.load_public_key(spki)
        until = min(at + (timedelta(days=days) if days else TERMS[profile].validity), own.not_after)
        if until <= at:
            raise CryptoError("the certificate would not be valid for any time")
        body = _Body(profile, subject, spki, at - BACKDATED, until, dns_names, crl_url, ocsp_url)
        return _signed(body, issuer=own.parsed.subject, issuer_spki=own.spki, key=self.key)

    def revocation_list(
        self, revoked: Iterable[Revocation], *, number: int, at: datetime, validity: timedelta = CRL_VALIDITY
    ) -> bytes:
        """Write the list of what this authority has revoked, in DER; ``number`` grows with each list."""
        algorithm = signatures.algorithm_of(self.key)
        extensions = [
            _extension(
                "authority_key_identifier",
                x509.AuthorityKeyIdentifier({"key_identifier": _key_identifier(self.certificate.spki)}),
                crl.TBSCertListExtension,
            ),
            _extension("crl_number", core.Integer(number), crl.TBSCertListExtension),
        ]
        fields: dict[str, Any] = {
            "version": "v2",
            "signature": asn1.signature_algorithm(algorithm),
            "issuer": self.certificate.parsed.subject,
            "this_update": _time(at),
            "next_update": _time(at + validity),
            "crl_extensions": extensions,
        }
        if lines := [_line(one) for one in sorted(revoked, key=lambda one: one.serial)]:
            fields["revoked_certificates"] = lines
        tbs = crl.TbsCertList(fields)
        whole = crl.CertificateList(
            {
                "tbs_cert_list": tbs,
                "signature_algorithm": asn1.signature_algorithm(algorithm),
                "signature": signatures.sign(algorithm, self.key, tbs.dump()),
            }
        )
        return bytes(whole.dump())


def new_root(subject: Subject, key: PrivateKey, *, at: datetime, days: int | None = None) -> Authority:
    """Make a root: an authority that signs itself."""
    spki = signatures.public_bytes(key.public_key())
    until = at + (timedelta(days=days) if days else TERMS[Profile.ROOT].validity)
    body = _Body(Profile.ROOT, subject, spki, at - BACKDATED, until, (), "", "")
    return Authority(_signed(body, issuer=subject.name(), issuer_spki=spki, key=key), key)


@dataclass(frozen=True)
class _Body:
    profile: Profile
    subject: Subject
    spki: bytes
    not_before: datetime
    not_after: datetime
    dns_names: Sequence[str]
    crl_url: str
    ocsp_url: str


def _signed(body: _Body, *, issuer: x509.Name, issuer_spki: bytes, key: PrivateKey) -> Certificate:
    algorithm = signatures.algorithm_of(key)
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": _serial(),
            "signature": asn1.signature_algorithm(algorithm),
            "issuer": issuer,
            "validity": {"not_before": _time(body.not_before), "not_after": _time(body.not_after)},
            "subject": body.subject.name(),
            "subject_public_key_info": asn1.public_key_info(body.spki),
            "extensions": list(_extensions(body, issuer_spki)),
        }
    )
    whole = x509.Certificate(
        {
            "tbs_certificate": tbs,
            "signature_algorithm": asn1.signature_algorithm(algorithm),
            "signature_value": signatures.sign(algorithm, key, tbs.dump()),
        }
    )
    return Certificate(whole.dump())


def _extensions(body: _Body, issuer_spki: bytes) -> Iterable[x509.Extension]:
    terms = TERMS[body.profile]
    basic = {"ca": terms.authority} | ({"path_len_constraint": terms.path_length} if terms.authority else {})
    yield _extension("basic_constraints", x509.BasicConstraints(basic), critical=True)
    yield _extension("key_usage", x509.KeyUsage(set(terms.key_usage)), critical=True)
    yield _extension("key_identifier", core.OctetString(_key_identifier(body.spki)))
    yield _extension(
        "authority_key_identifier", x509.AuthorityKeyIdentifier({"key_identifier": _key_identifier(issuer_spki)})
    )
    if terms.extended:
        alone = terms.extended == ("time_stamping",)  # RFC 3161, 2.3: then it must be critical
        yield _extension("extended_key_usage", x509.ExtKeyUsageSyntax(list(terms.extended)), critical=alone)
    if body.dns_names:
        names = [x509.GeneralName(name="dns_name", value=one) for one in body.dns_names]
        yield _extension("subject_alt_name", x509.GeneralNames(names))
    if body.crl_url:
        point = x509.DistributionPointName(name="full_name", value=[_uri(body.crl_url)])
        yield _extension("crl_distribution_points", x509.CRLDistributionPoints([{"distribution_point": point}]))
    if body.ocsp_url:
        access = {"access_method": "ocsp", "access_location": _uri(body.ocsp_url)}
        yield _extension("authority_information_access", x509.AuthorityInfoAccessSyntax([access]))


def _extension(name: str, value: Any, kind: Any = x509.Extension, *, critical: bool = False) -> Any:
    return kind({"extn_id": name, "critical": critical, "extn_value": value})


def _uri(url: str) -> x509.GeneralName:
    return x509.GeneralName(name="uniform_resource_identifier", value=url)


def _line(revocation: Revocation) -> dict[str, Any]:
    line: dict[str, Any] = {"user_certificate": revocation.serial, "revocation_date": _time(revocation.at)}
    if revocation.reason is not Reason.UNSPECIFIED:  # RFC 5280, 5.3.1: then the extension should be absent
        reason = crl.CRLReason(revocation.reason.value)
        line["crl_entry_extensions"] = [_extension("crl_reason", reason, crl.CRLEntryExtension)]
    return line


def _time(at: datetime) -> x509.Time:
    assert at.tzinfo is UTC
    whole = at.replace(microsecond=0)
    return x509.Time(name="utc_time" if whole < _UTC_TIME_UNTIL else "general_time", value=whole)


def _serial() -> int:
    """Make a serial number: positive, of 16 bytes, 126 bits of chance (RFC 5280 allows 20 bytes)."""
    return int.from_bytes(secrets.token_bytes(_SERIAL_BYTES), "big") >> 1 | 1 << (8 * _SERIAL_BYTES - 2)


def _key_identifier(spki: bytes) -> bytes:
    """Identify a key by the first 160 bits of the SHA-256 of its bits (RFC 7093, 2, method 1)."""
    bits = bytes(asn1.public_key_info(spki)["public_key"].contents[1:])
    return hashlib.sha256(bits).digest()[:20]
