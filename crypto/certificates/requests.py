"""Certification requests (PKCS#10, RFC 2986): what a browser or ``openssl req`` hands in for a certificate."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from asn1crypto import csr, pem

from crypto import signatures
from crypto.certificates import asn1
from crypto.certificates.names import Subject, subject_of
from crypto.errors import NotVerifiedError
from crypto.signatures import PrivateKey
from crypto.suites import NONE_DENIED, Denials

REQUEST_BYTES_MAX: Final = 16_384


@dataclass(frozen=True)
class Request:
    """A request whose sender has proved that the private key is in their hands; ``subject`` is only a claim."""

    subject: Subject
    spki: bytes
    key_algorithm: str


def read_request(data: bytes, *, at: datetime, denials: Denials = NONE_DENIED) -> Request:
    """
    Read a request, in DER or PEM, and check its proof of possession: the signature by the very key in it.

    Raises:
        NotVerifiedError: it cannot be read, or the signature is not that key's.
        KeyUnusableError: the key is of a kind or a length that is not accepted.
        AlgorithmUnknownError, AlgorithmDeniedError, AlgorithmUnavailableError: its algorithm is not accepted.
    """
    if len(data) > REQUEST_BYTES_MAX:
        raise NotVerifiedError(f"a certification request has at most {REQUEST_BYTES_MAX} bytes")
    with asn1.reading(NotVerifiedError("not a certification request (PKCS#10)")):
        der = pem.unarmor(data)[2] if pem.detect(data) else data
        parsed: csr.CertificationRequest = asn1.parsed(csr.CertificationRequest, der)
    info = parsed["certification_request_info"]
    spki = info["subject_pk_info"].dump()
    key = signatures.load_public_key(spki)
    signatures.verify(
        asn1.algorithm_id(parsed["signature_algorithm"]),
        key,
        signature=asn1.octets(parsed["signature"]),
        message=info.dump(),
        at=at,
        denials=denials,
    )
    return Request(subject_of(info["subject"]), spki, signatures.algorithm_of(key))


def make_request(subject: Subject, key: PrivateKey) -> bytes:
    """Make a request for a key of ours; return DER."""
    algorithm = signatures.algorithm_of(key)
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": subject.name(),
            "subject_pk_info": asn1.public_key_info(signatures.public_bytes(key.public_key())),
            "attributes": [],
        }
    )
    request = csr.CertificationRequest(
        {
            "certification_request_info": info,
            "signature_algorithm": asn1.signature_algorithm(algorithm),
            "signature": signatures.sign(algorithm, key, info.dump()),
        }
    )
    return bytes(request.dump())
