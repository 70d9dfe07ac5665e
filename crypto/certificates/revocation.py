"""
Is this certificate revoked? Lists (RFC 5280, CRL) and answers (RFC 6960, OCSP) as values, verified before they count.

A list counts for what its own scope covers, and an answer for the one certificate that it is about. Both must be signed
by the certificate's issuer; an answer also by a responder whom the issuer has certified for nothing else. Lists of
somebody other than the issuer (indirect ones), partial ones (delta) and ones for some reasons only do not count: who
has only such is asked about with no result, which shuts the certificate out rather than letting it pass.

Cost: a list is parsed in Rust and searched by serial number there; the signature is checked once for each issuer.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from asn1crypto import core, crl, ocsp, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes

from crypto import signatures
from crypto.certificates import asn1
from crypto.certificates.certificate import Certificate
from crypto.errors import CryptoError, NotVerifiedError
from crypto.suites import NONE_DENIED, Denials

LIST_BYTES_MAX: Final = 16 << 20
ANSWER_BYTES_MAX: Final = 64 << 10
UNSAID: Final = timedelta(minutes=10)
"""How long an answer holds that names no end: newer ones are to be had at any time (RFC 6960, 4.2.2.1)."""
_CERTIFICATES_MAX: Final = 4
"""Certificates inside one answer."""
_SM3: Final = "1.2.156.10197.1.401"


def _sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


_DIGESTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "1.3.14.3.2.26": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),  # names an issuer, proves nothing
    "2.16.840.1.101.3.4.2.1": lambda data: hashlib.sha256(data).digest(),
    "2.16.840.1.101.3.4.2.2": lambda data: hashlib.sha384(data).digest(),
    "2.16.840.1.101.3.4.2.3": lambda data: hashlib.sha512(data).digest(),
    _SM3: _sm3,
}
_KNOWN_EXTENSIONS: Final = frozenset({"authority_key_identifier", "crl_number", "issuing_distribution_point"})


class RevocationList:
    """An authority's list as it came; raises ``NotVerifiedError``: it cannot be read, or says not how long it holds."""

    def __init__(self, der: bytes) -> None:
        if len(der) > LIST_BYTES_MAX:
            raise NotVerifiedError(f"a revocation list has at most {LIST_BYTES_MAX} bytes")
        try:
            self._entries: Final = pyca.load_der_x509_crl(der)
            self._parsed: Final = crl.CertificateList.load(der, strict=True)
            tbs = self._parsed["tbs_cert_list"]
            self.issuer: Final[x509.Name] = tbs["issuer"]
            self.issuer.hashable  # noqa: B018 - asn1crypto parses lazily; nothing may fail later
            self.this_update: Final[datetime] = _moment(tbs["this_update"].native)
            self.next_update: Final[datetime] = _moment(tbs["next_update"].native)
            self._extensions: Final = {
                one["extn_id"].native: (bool(one["critical"].native), one["extn_value"].parsed)
                for one in tbs["crl_extensions"]
            }
            self._signature: Final[bytes] = asn1.octets(self._parsed["signature"])
            self._inner_algorithm: Final[bytes] = tbs["signature"].dump()
            self._outer: Final = self._parsed["signature_algorithm"]
            self._outer.native  # noqa: B018
            self._point: Final = self._scope()
        except (*asn1.UNREADABLE, pyca.InvalidVersion) as error:
            raise NotVerifiedError("not a revocation list in DER that says how long it holds") from error
        self._verified_with: bytes | None = None

    def verify(self, issuer: Certificate, *, at: datetime, denials: Denials = NONE_DENIED) -> None:
        """
        Check that ``issuer`` has signed it; the same question again costs nothing.

        Raises:
            NotVerifiedError: it has not, or may not sign lists.
            CryptoError: the algorithm is denied or unknown.
        """
        if self.issuer != issuer.parsed.subject:
            raise NotVerifiedError("the list is another authority's")
        usage = issuer.parsed.key_usage_value
        if usage is not None and "crl_sign" not in usage.native:
            raise NotVerifiedError("this authority may not sign revocation lists")
        for name, (critical, _) in self._extensions.items():
            if name == "delta_crl_indicator" or (critical and name not in _KNOWN_EXTENSIONS):
                raise NotVerifiedError(f"a list with the extension {name} does not count here")
        algorithm = asn1.algorithm_id(self._outer)
        denials.check(algorithm, at)
        if self._inner_algorithm != self._outer.dump():
            raise NotVerifiedError("the list names two algorithms")
        if self._verified_with != issuer.spki:
            signatures.verify(
                algorithm,
                signatures.load_public_key(issuer.spki),
                signature=self._signature,
                message=self._parsed["tbs_cert_list"].dump(),
                at=at,
                denials=denials,
            )
            self._verified_with = issuer.spki

    def about(self, certificate: Certificate) -> "Status | None":
        """Find what it says of a certificate; ``None`` when that is not in its scope. One on hold counts as revoked."""
        if not self._covers(certificate):
            return None
        entry = self._entries.get_revoked_certificate_by_serial_number(certificate.serial)
        return Status(self.this_update, self.next_update, revoked=entry is not None)

    def _covers(self, certificate: Certificate) -> bool:
        """Tell whether the certificate is within the list's scope (RFC 5280, 6.3.3 b)."""
        if certificate.parsed.issuer != self.issuer:
            return False
        point = self._point
        if point is None:
            return True
        other = "only_contains_user_certs" if certificate.authority else "only_contains_ca_certs"
        if point["only_contains_attribute_certs"].native or point[other].native:
            return False
        named = point["distribution_point"]
        return named.native is None or not _names(named).isdisjoint(certificate.crl_urls)

    def _scope(self) -> Any:
        found = self._extensions.get("issuing_distribution_point")
        if found is None:
            return None
        point = found[1]
        point.native  # noqa: B018
        if point["indirect_crl"].native or point["only_some_reasons"].native:
            raise NotVerifiedError("a list for others' certificates, or for some reasons only, does not count here")
        return point


def _names(point: x509.DistributionPointName) -> set[str]:
    if point.name != "full_name":
        return set()
    return {one.native for one in point.chosen if one.name == "uniform_resource_identifier"}


class Answer:
    """A responder's answer as it came; raises ``NotVerifiedError`` when it cannot be read, or is a refusal."""

    def __init__(self, der: bytes) -> None:
        if len(der) > ANSWER_BYTES_MAX:
            raise NotVerifiedError(f"an answer has at most {ANSWER_BYTES_MAX} bytes")
        try:
            whole = ocsp.OCSPResponse.load(der, strict=True)
            whole.native  # noqa: B018 - asn1crypto parses lazily; nothing may fail later
            self._basic: Final = _basic(whole)
            self._basic.native  # noqa: B018
            self._signers: Final = [Certificate(one.dump()) for one in self._basic["certs"]]
        except asn1.UNREADABLE as error:
            raise NotVerifiedError("not an OCSP answer in DER") from error
        if len(self._signers) > _CERTIFICATES_MAX:
            raise NotVerifiedError(f"an answer brings at most {_CERTIFICATES_MAX} certificates")

    def about(self, certificate: Certificate, issuer: Certificate) -> "Status | None":
        """Find what it says of a certificate; ``None`` when nothing, or that the responder does not know it."""
        for one in self._basic["tbs_response_data"]["responses"]:
            if not _names_certificate(one["cert_id"], certificate, issuer):
                continue
            if any(extension["critical"].native for extension in one["single_extensions"]):
                return None
            known = one["cert_status"].name
            if known == "unknown":
                return None
            begins, ends = one["this_update"].native, one["next_update"].native
            begins = _moment(begins)
            return Status(begins, begins + UNSAID if ends is None else _moment(ends), revoked=known == "revoked")
        return None

    def verify(self, issuer: Certificate, *, at: datetime, denials: Denials = NONE_DENIED) -> None:
        """
        Check that ``issuer``, or a responder of its own, has signed it.

        Raises:
            NotVerifiedError: neither has.
            CryptoError: the algorithm is denied or unknown.
        """
        data = self._basic["tbs_response_data"]
        if any(extension["critical"].native for extension in data["response_extensions"]):
            raise NotVerifiedError("an answer with an unknown critical extension does not count here")
        signer = self._signer(issuer, at, denials)
        signatures.verify(
            asn1.algorithm_id(self._basic["signature_algorithm"]),
            signatures.load_public_key(signer.spki),
            signature=asn1.octets(self._basic["signature"]),
            message=data.dump(),
            at=at,
            denials=denials,
        )

    def _signer(self, issuer: Certificate, at: datetime, denials: Denials) -> Certificate:
        responder = self._basic["tbs_response_data"]["responder_id"]
        if _is(responder, issuer):
            return issuer
        for one in self._signers:
            if _is(responder, one):
                return _responder(one, issuer, at=at, denials=denials)
        raise NotVerifiedError("the answer does not say who has signed it")


def _basic(whole: ocsp.OCSPResponse) -> Any:
    status = whole["response_status"].native
    if status != "successful":
        raise NotVerifiedError(f"the responder gives no answer: {status}")
    if whole["response_bytes"]["response_type"].native != "basic_ocsp_response":
        raise NotVerifiedError("not an answer of the basic kind")
    return whole["response_bytes"]["response"].parsed


@dataclass(frozen=True)
class Status:
    """What an answer says of one certificate, and from when to when."""

    this_update: datetime
    next_update: datetime
    revoked: bool

    def holds(self, at: datetime, *, ahead: timedelta = timedelta(0)) -> bool:
        """Tell whether it may be used at ``at``; both ends belong to it. ``ahead``: how far its clock may be ahead."""
        return self.this_update <= at + ahead and at <= self.next_update


class Word(StrEnum):
    """What a list or an answer that counts says."""

    GOOD = "good"
    REVOKED = "revoked"


class Question(NamedTuple):
    """Is ``certificate``, which ``issuer`` has signed, revoked at ``at``?"""

    certificate: Certificate
    issuer: Certificate
    at: datetime
    denials: Denials = NONE_DENIED
    ahead: timedelta = timedelta(0)
    """How far the clock of whoever wrote the list or answer may be ahead of ours."""

    def put(self, to: RevocationList | Answer) -> Word | None:
        """Ask a list or an answer; ``None``: it does not count, or says nothing of this certificate."""
        try:
            found = self.checked(to)
        except CryptoError:
            return None
        if not found.holds(self.at, ahead=self.ahead):
            return None
        return Word.REVOKED if found.revoked else Word.GOOD

    def checked(self, of: RevocationList | Answer) -> Status:
        """
        Say what a list or an answer says of the certificate, and when it holds, once its signature is verified.

        Raises:
            NotVerifiedError: it does not verify, or says nothing of this certificate.
            CryptoError: its algorithm is denied or unknown.
        """
        own = self.certificate
        said = of.about(own) if isinstance(of, RevocationList) else of.about(own, self.issuer)
        if said is None:
            raise NotVerifiedError("it says nothing of this certificate")
        of.verify(self.issuer, at=self.at, denials=self.denials)
        return said


def ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """
    Write the question about one certificate, in DER.

    Without a nonce, so that responders may answer from what they have signed before, and with SHA-1, which every
    responder understands (RFC 5019, 2.1.1): it only names the issuer.
    """
    digest = _DIGESTS["1.3.14.3.2.26"]
    name = {
        "hash_algorithm": {"algorithm": "sha1", "parameters": core.Null()},
        "issuer_name_hash": digest(issuer.parsed.subject.dump()),
        "issuer_key_hash": digest(_key_bits(issuer)),
        "serial_number": certificate.serial,
    }
    request = ocsp.Request({"req_cert": ocsp.CertId(name)})
    return bytes(ocsp.OCSPRequest({"tbs_request": {"request_list": [request]}}).dump())


def _names_certificate(name: ocsp.CertId, certificate: Certificate, issuer: Certificate) -> bool:
    digest = _DIGESTS.get(name["hash_algorithm"]["algorithm"].dotted)
    return (
        digest is not None
        and name["serial_number"].native == certificate.serial
        and name["issuer_name_hash"].native == digest(certificate.issuer_der)
        and name["issuer_key_hash"].native == digest(_key_bits(issuer))
    )


def _is(responder: ocsp.ResponderId, certificate: Certificate) -> bool:
    if responder.name == "by_name":
        return bool(responder.chosen == certificate.parsed.subject)
    return bool(responder.chosen.native == _DIGESTS["1.3.14.3.2.26"](_key_bits(certificate)))


def _responder(one: Certificate, issuer: Certificate, *, at: datetime, denials: Denials) -> Certificate:
    """Return a delegated responder's certificate if ``issuer`` has made it one (RFC 6960, 4.2.2.2)."""
    if one.parsed.issuer != issuer.parsed.subject or not one.valid_at(at):
        raise NotVerifiedError("the responder's certificate is another authority's, or not valid now")
    uses = one.parsed.extended_key_usage_value
    if uses is None or "ocsp_signing" not in uses.native:
        raise NotVerifiedError("the responder's certificate is not one for answers")
    if one.parsed.ocsp_no_check_value is None:
        raise NotVerifiedError("the responder's own certificate would have to be asked about (no id-pkix-ocsp-nocheck)")
    signatures.verify(
        asn1.algorithm_id(one.parsed["signature_algorithm"]),
        signatures.load_public_key(issuer.spki),
        signature=asn1.octets(one.parsed["signature_value"]),
        message=one.parsed["tbs_certificate"].dump(),
        at=at,
        denials=denials,
    )
    return one


def _key_bits(certificate: Certificate) -> bytes:
    return bytes(certificate.parsed.public_key["public_key"].contents[1:])


def _moment(at: datetime | core.Void) -> datetime:
    if not isinstance(at, datetime):
        raise NotVerifiedError("it does not say how long it holds")
    return at.astimezone(UTC)
