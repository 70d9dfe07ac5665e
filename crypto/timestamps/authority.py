"""
An authority that stamps (时间戳服务): a key, its certificate, and tokens signed with it.

The structures that never change are written once; a token is then two hashes, one signature and a few
concatenations. Whether the clock is right, and which serial number is next, is for the caller to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import der
from crypto.errors import CryptoError
from crypto.timestamps import oids
from crypto.timestamps.request import Failure, ImprintHash, StampRefused, StampRequest
from crypto.timestamps.trust import check_purpose

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SERIAL_BITS_MAX: Final = 159
"""RFC 3161 section 2.4.2 has clients take 160 bits; the first is the sign."""


class UnfitKeyError(CryptoError):
    """The key or the certificate cannot be an authority's; the message says why."""


@dataclass(frozen=True, slots=True)
class _Method:
    """How a key signs: the digest of attributes and content, and what the signature is called."""

    digest: ImprintHash
    algorithm: bytes


def _method_of(key: PrivateKey) -> _Method:
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < 2048:  # noqa: PLR2004 - NIST SP 800-131A
            raise UnfitKeyError("an RSA key has at least 2048 bits")
        return _Method(ImprintHash.SHA256, der.sequence(der.oid(oids.RSA_SHA256), der.tlv(der.NULL)))
    match key.curve:
        case ec.SECP256R1():
            return _Method(ImprintHash.SHA256, der.sequence(der.oid(oids.ECDSA_SHA256)))
        case ec.SECP384R1():
            return _Method(ImprintHash.SHA384, der.sequence(der.oid(oids.ECDSA_SHA384)))
        case _:
            raise UnfitKeyError(f"the curve {key.curve.name} is not P-256 or P-384")


class Authority:
    """
    Signs time stamp tokens.

    ``chain`` goes into tokens beside the certificate, so that who has the root can check. ``policy`` is the only one
    that is stamped under. ``accuracy`` is what the operator warrants.
    """

    def __init__(
        self,
        key: PrivateKey,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate] = (),
        *,
        policy: str,
        accuracy: timedelta,
    ) -> None:
        """
        Prepare what all tokens share.

        Raises:
            UnfitKeyError: the certificate is another key's or not for time stamps alone, or the key is too weak.
        """
        if certificate.public_key() != key.public_key():
            raise UnfitKeyError("the certificate is another key's")
        if reason := check_purpose(certificate):
            raise UnfitKeyError(reason)
        self.certificate: Final = certificate
        self.chain: Final = tuple(chain)
        self.policy: Final = policy
        self.accuracy: Final = accuracy
        self._key: Final = key
        self._method: Final = _method_of(key)
        own = certificate.public_bytes(Encoding.DER)
        name = certificate.subject.public_bytes()
        self._policy: Final = der.oid(policy)
        self._accuracy: Final = _written(accuracy)
        self._name: Final = der.tlv(der.context(0), der.tlv(der.context(4), name))
        issuer, serial = certificate.issuer.public_bytes(), der.integer(certificate.serial_number)
        self._identifier: Final = der.sequence(issuer, serial)
        self._digest: Final = der.sequence(der.oid(self._method.digest.dotted))
        self._certificates: Final = der.tlv(
            der.context(0), *sorted((own, *(found.public_bytes(Encoding.DER) for found in self.chain)))
        )
        self._content_type: Final = _attribute(oids.CONTENT_TYPE, der.oid(oids.TST_INFO))
        identified = der.sequence(der.tlv(der.OCTETS, ImprintHash.SHA256.digest(own)))  # SHA-256 is the default
        self._signing: Final = _attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(identified)))

    def check(self, request: StampRequest) -> None:
        """
        Say no to what will not be stamped, before a serial number is spent on it.

        Raises:
            StampRefused: the request names another policy.
        """
        if request.policy is not None and request.policy != self.policy:
            raise StampRefused(Failure.UNACCEPTED_POLICY, f"this authority stamps under the policy {self.policy}")

    def token(self, request: StampRequest, *, serial: int, at: datetime) -> bytes:
        """Sign the token for ``request``. Cost: one signature and some 20 µs (``bench/micro/stamps.py``)."""
        assert 0 < serial < 1 << SERIAL_BITS_MAX
        content = der.sequence(
            der.integer(1),
            self._policy,
            request.imprint.encode(),
            der.integer(serial),
            der.generalized_time(at),
            self._accuracy,
            der.integer(request.nonce) if request.nonce is not None else b"",
            self._name,
        )
        digest = self._method.digest.digest(content)
        message_digest = _attribute(oids.MESSAGE_DIGEST, der.tlv(der.OCTETS, digest))
        attributes = b"".join(sorted((self._content_type, message_digest, self._signing)))
        signer = der.sequence(
            der.integer(1),
            self._identifier,
            self._digest,
            der.tlv(der.context(0), attributes),
            self._method.algorithm,
            der.tlv(der.OCTETS, self._sign(der.tlv(der.SET, attributes))),
        )
        signed = der.sequence(
            der.integer(3),
            der.tlv(der.SET, self._digest),
            der.sequence(der.oid(oids.TST_INFO), der.tlv(der.context(0), der.tlv(der.OCTETS, content))),
            self._certificates if request.certificates else b"",
            der.tlv(der.SET, signer),
        )
        return der.sequence(der.oid(oids.SIGNED_DATA), der.tlv(der.context(0), signed))

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(data, ec.ECDSA(self._method.digest.algorithm))


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.tlv(der.SET, value))


def _written(accuracy: timedelta) -> bytes:
    assert timedelta(0) < accuracy < timedelta(days=1)
    millis, micros = divmod(accuracy.microseconds, 1000)
    return der.sequence(
        der.integer(int(accuracy.total_seconds())) if accuracy >= timedelta(seconds=1) else b"",
        _fraction(0, millis),
        _fraction(1, micros),
    )


def _fraction(number: int, value: int) -> bytes:
    """Write millis or micros: an integer under an implicit tag, left out when it is 0."""
    return der.tlv(der.context(number, constructed=False), der.integer(value)[2:]) if value else b""
