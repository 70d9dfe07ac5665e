"""
Is this certificate good, at this time, for this use? Chain, validity, use and revocation (RFC 5280), or an error.

Path building and the RFC's algorithm are pyhanko-certvalidator's; every signature goes through our registry, so SM2
chains work like the others and the deny-list holds. Revocation is required for every certificate below the root: by a
list (CRL) or an answer (OCSP) that was valid at the time asked about; see :mod:`crypto.certificates.revocation`.
Nothing is fetched here: who calls brings the lists and answers, and :attr:`Certificate.crl_urls` and ``ocsp_urls`` say
where they are. Whoever must fetch them builds the path first (:func:`path_of`): no stranger's address is asked.

Cost: some 2 ms of processor time for a chain of three (SEALING.md: 380 to 507 a second).
"""

import itertools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from asn1crypto import algos, keys
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator import errors as found
from pyhanko_certvalidator.policy_decl import (
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    SignatureValidationContext,
    SignatureValidator,
)

from crypto import signatures
from crypto.certificates import asn1
from crypto.certificates.certificate import CHAIN_LEN_MAX, Certificate
from crypto.certificates.revocation import Answer, Question, RevocationList, Word
from crypto.errors import AlgorithmDeniedError, CryptoError, NotVerifiedError
from crypto.suites import NONE_DENIED, Denials

T = TypeVar("T", RevocationList, Answer)


class Fault(StrEnum):
    """Why a certificate is refused, in order of precedence."""

    NOT_YET_VALID = "certificate-not-yet-valid"
    EXPIRED = "certificate-expired"
    UNTRUSTED = "certificate-untrusted"
    ALGORITHM = "certificate-algorithm"
    REVOKED = "certificate-revoked"
    REVOCATION_UNKNOWN = "certificate-revocation-unknown"
    BROKEN = "certificate-broken"
    WRONG_USE = "certificate-wrong-use"


class CertificateRefusedError(CryptoError):
    """The certificate cannot be relied on; ``fault`` says why."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Final = fault


class Use(StrEnum):
    """What a certificate is to be used for."""

    LOGIN = "login"
    SIGNING = "signing"
    SERVICE = "service"


_ASKED_BY_US: Final = RevocationCheckingPolicy(
    ee_certificate_rule=RevocationCheckingRule.NO_CHECK, intermediate_ca_cert_rule=RevocationCheckingRule.NO_CHECK
)
_KEY_USAGE: Final[dict[Use, set[str]]] = {
    Use.LOGIN: {"digital_signature"},
    Use.SIGNING: {"digital_signature", "non_repudiation"},
    Use.SERVICE: {"digital_signature"},
}
_EXTENDED: Final[dict[Use, set[str]]] = {Use.LOGIN: {"client_auth"}, Use.SIGNING: set(), Use.SERVICE: {"server_auth"}}


@dataclass(frozen=True)
class Trust:
    """Whom we trust: ``roots``, what they may have signed in between, and which algorithms are no longer accepted."""

    roots: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...] = ()
    denials: Denials = field(default=NONE_DENIED)


@dataclass(frozen=True)
class Validated:
    """A certificate that was good at ``at``; ``path`` begins with the root and ends with it."""

    certificate: Certificate
    path: tuple[Certificate, ...]
    at: datetime


class RegistryValidator(SignatureValidator):
    """Lets pyHanko verify every signature, SM2 too, through our registry; ``at`` is the time of the validation."""

    def __init__(self, at: datetime, denials: Denials = NONE_DENIED) -> None:
        self._at: Final = at
        self._denials: Final = denials

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        """Raise ``InvalidSignature``, which is what pyHanko understands."""
        if context.prehashed:
            raise InvalidSignature("signatures over a bare digest are not accepted")
        try:
            signatures.verify(
                asn1.algorithm_id(signature_algorithm),
                signatures.load_public_key(public_key_info.dump()),
                signature=signature,
                message=signed_data,
                at=self._at,
                denials=self._denials,
            )
        except CryptoError as error:
            raise InvalidSignature(str(error)) from error


class RegistryPolicy(AlgorithmUsagePolicy):
    """Allows what the registry has and the deny-list does not name."""

    def __init__(self, denials: Denials = NONE_DENIED) -> None:
        self._denials: Final = denials

    def digest_algorithm_allowed(
        self, algo: algos.DigestAlgorithm, moment: datetime | None
    ) -> AlgorithmUsageConstraint:
        """Digests stand alone only in names of certificates inside OCSP answers, where SHA-1 does no harm."""
        del algo, moment
        return AlgorithmUsageConstraint(allowed=True)

    def signature_algorithm_allowed(
        self, algo: algos.SignedDigestAlgorithm, moment: datetime | None, public_key: keys.PublicKeyInfo | None
    ) -> AlgorithmUsageConstraint:
        try:
            algorithm = asn1.algorithm_id(algo)
            if moment is not None:
                self._denials.check(algorithm, moment)
            if public_key is not None:
                signatures.load_public_key(public_key.dump())
        except CryptoError as error:
            return AlgorithmUsageConstraint(allowed=False, failure_reason=str(error))
        return AlgorithmUsageConstraint(allowed=True)


def validate(
    certificate: Certificate,
    chain: Sequence[Certificate],
    trust: Trust,
    *,
    at: datetime,
    use: Use,
    lists: Iterable[bytes] = (),
    answers: Iterable[bytes] = (),
) -> Validated:
    """
    Return the certificate with its path if it was good at ``at`` for ``use``.

    Args:
        certificate: The end entity's.
        chain: What the other side sent along: believed only as far as the trust reaches.
        trust: The roots.
        at: The moment that the question is about.
        use: What it is to be used for.
        lists: Revocation lists in DER, of any authority.
        answers: OCSP answers in DER, about any certificate.

    Raises:
        CertificateRefusedError: it was not; ``fault`` says why.
    """
    found = path_of(certificate, chain, trust, at=at, use=use)
    judge(found, [_read(RevocationList, one) for one in lists], [_read(Answer, one) for one in answers], trust.denials)
    return found


def path_of(
    certificate: Certificate, chain: Sequence[Certificate], trust: Trust, *, at: datetime, use: Use
) -> Validated:
    """
    Return the certificate with its path if it was good at ``at``, apart from revocation, which nobody has asked about.

    Raises:
        CertificateRefusedError: as :func:`validate`.
    """
    if len(chain) > CHAIN_LEN_MAX:
        raise CertificateRefusedError(Fault.UNTRUSTED, f"a chain has at most {CHAIN_LEN_MAX} certificates")
    if at < certificate.not_before:
        raise CertificateRefusedError(Fault.NOT_YET_VALID, f"valid from {certificate.not_before.isoformat()} on")
    if at > certificate.not_after:
        raise CertificateRefusedError(Fault.EXPIRED, f"valid until {certificate.not_after.isoformat()}")
    context = ValidationContext(
        trust_roots=[root.parsed for root in trust.roots],
        other_certs=[one.parsed for one in (*trust.intermediates, *chain)],
        moment=at,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(_ASKED_BY_US),
        time_tolerance=timedelta(0),
        algorithm_usage_policy=RegistryPolicy(trust.denials),
        signature_validator=RegistryValidator(at, trust.denials),
    )
    validator = CertificateValidator(certificate.parsed, validation_context=context)
    try:
        asked: Any = validator.async_validate_usage  # has no types
        path = _driven(asked(_KEY_USAGE[use], _EXTENDED[use]))
    except found.PathBuildingError as error:
        raise CertificateRefusedError(Fault.UNTRUSTED, "no authority that is trusted here has issued it") from error
    except (found.ValidationError, CryptoError) as error:
        raise _refusal(error) from error
    return Validated(certificate, tuple(Certificate(one.dump()) for one in path), at)


def judge(
    validated: Validated,
    lists: Iterable[RevocationList],
    answers: Iterable[Answer],
    denials: Denials = NONE_DENIED,
    *,
    ahead: timedelta = timedelta(0),
) -> None:
    """
    Check that every certificate of a path below its root is known not to be revoked.

    What does not verify, is out of date or is about something else counts as if it were not there; of what counts, one
    that says "revoked" is enough.

    Args:
        validated: The path.
        lists: Revocation lists of any authority.
        answers: OCSP answers about any certificate.
        denials: Algorithms that are no longer accepted.
        ahead: How far the clock of whoever wrote them may be ahead of ours.

    Raises:
        CertificateRefusedError: one is revoked, or nothing that counts says that it is not.
    """
    evidence: tuple[RevocationList | Answer, ...] = (*lists, *answers)
    for issuer, certificate in itertools.pairwise(validated.path):
        question = Question(certificate, issuer, validated.at, denials, ahead)
        said = {question.put(one) for one in evidence}
        if Word.REVOKED in said:
            raise CertificateRefusedError(Fault.REVOKED, f"{certificate.serial_hex} is revoked")
        if Word.GOOD not in said:
            raise CertificateRefusedError(
                Fault.REVOCATION_UNKNOWN, f"nothing that counts says whether {certificate.serial_hex} is revoked"
            )


_FAULTS: Final[tuple[tuple[type[Exception], Fault], ...]] = (
    (found.DisallowedAlgorithmError, Fault.ALGORITHM),
    (AlgorithmDeniedError, Fault.ALGORITHM),
    (found.NotYetValidError, Fault.NOT_YET_VALID),
    (found.ExpiredError, Fault.EXPIRED),
    (found.PathValidationError, Fault.BROKEN),
    (found.InvalidCertificateError, Fault.WRONG_USE),
)


def _refusal(error: Exception) -> CertificateRefusedError:
    for kind, fault in _FAULTS:
        if isinstance(error, kind):
            return CertificateRefusedError(fault, str(error))
    return CertificateRefusedError(Fault.BROKEN, str(error))


def _read(kind: Callable[[bytes], T], der: bytes) -> T:
    """Parse a list or an answer; what cannot be parsed must not count as "nothing is revoked"."""
    try:
        return kind(der)
    except CryptoError as error:
        raise CertificateRefusedError(Fault.REVOCATION_UNKNOWN, str(error)) from error


def valid_until(der: bytes) -> datetime:
    """
    Say until when a revocation list may be used.

    Raises:
        CertificateRefusedError: it cannot be read.
    """
    return _read(RevocationList, der).next_update


def _driven(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing, because nothing is fetched, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise AssertionError("the validation waits for something, though nothing may be fetched")


def trust_of(certificates: Iterable[Certificate], *, at: datetime, denials: Denials = NONE_DENIED) -> Trust:
    """
    Sort what an operator trusts into roots and what lies below them.

    Raises:
        NotVerifiedError: something is no authority's certificate, a root's signature is not its own, or none is a root.
    """
    roots, others = [], []
    for one in certificates:
        if not one.authority:
            raise NotVerifiedError(f"{one.subject.common_name!r} is not the certificate of an authority")
        if one.parsed.issuer == one.parsed.subject:
            roots.append(self_issued(one, at))
        else:
            others.append(one)
    if not roots:
        raise NotVerifiedError("there is no root among the certificates to trust")
    return Trust(tuple(roots), tuple(others), denials)


def self_issued(certificate: Certificate, at: datetime) -> Certificate:
    """Return a root if it has signed itself; raises ``NotVerifiedError``: whoever configures trust may err."""
    parsed = certificate.parsed
    if parsed.issuer != parsed.subject or not certificate.authority:
        raise NotVerifiedError("not the certificate of a root authority")
    return signed_by(certificate, certificate, at)


def signed_by(certificate: Certificate, issuer: Certificate, at: datetime) -> Certificate:
    """Return ``certificate`` if ``issuer``'s key has signed it; raises ``NotVerifiedError``."""
    parsed = certificate.parsed
    signatures.verify(
        asn1.algorithm_id(parsed["signature_algorithm"]),
        signatures.load_public_key(issuer.spki),
        signature=asn1.octets(parsed["signature_value"]),
        message=parsed["tbs_certificate"].dump(),
        at=at,
    )
    return certificate
