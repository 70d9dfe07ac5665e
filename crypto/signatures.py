"""
Signatures under one interface: RSA, ECDSA, Ed25519, ML-DSA and SM2 keys, each algorithm by its id in the registry.

Keys come as SubjectPublicKeyInfo and PKCS#8. ECDSA and SM2 signatures are DER; :func:`ecdsa_der` takes the form of
WebCrypto. A verified message is returned; everything else is raised.
"""

from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from crypto import sm2, suites
from crypto.errors import KeyUnusableError, NotVerifiedError
from crypto.suites import NONE_DENIED, Denials, Kind

_Verifying = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey
PublicKey = _Verifying | sm2.PublicKey
_Signing = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | mldsa.MLDSA65PrivateKey
PrivateKey = _Signing | sm2.PrivateKey

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
"""Longer ones only buy time on our processor."""
KEY_BYTES_MAX: Final = 8192
SIGNATURE_BYTES_MAX: Final = 8192

_SM2_CURVE: Final = bytes.fromhex("06082a811ccf5501822d")  # OID 1.2.156.10197.1.301
_P256_COORDINATE_BYTES: Final = 32
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
_PKCS1: Final = padding.PKCS1v15()
_ECDSA: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    "ecdsa-p256-sha256": ("secp256r1", hashes.SHA256()),
    "ecdsa-p384-sha384": ("secp384r1", hashes.SHA384()),
}
_RSA: Final[dict[str, padding.AsymmetricPadding]] = {"rsa-pkcs1v15-sha256": _PKCS1, "rsa-pss-sha256": _PSS}
_CURVES: Final = {curve: algorithm for algorithm, (curve, _) in _ECDSA.items()}


def load_public_key(spki: bytes) -> PublicKey:
    """
    Read a SubjectPublicKeyInfo in DER.

    Raises:
        KeyUnusableError: it cannot be read, or is of a kind or a length that is not accepted.
        AlgorithmUnavailableError: it is an SM2 key and this machine cannot compute SM2.
    """
    if len(spki) > KEY_BYTES_MAX:
        raise KeyUnusableError(f"a public key has at most {KEY_BYTES_MAX} bytes")
    if _SM2_CURVE in spki[:64]:
        return sm2.PublicKey(spki)
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusableError("the public key cannot be read, or is of a kind that is not accepted") from error
    if not isinstance(key, _Verifying):
        raise KeyUnusableError(f"a {type(key).__name__} does not sign, or is not accepted")
    algorithm_of(key)
    return key


def load_private_key(der: bytes) -> PrivateKey:
    """Read a PKCS#8 key that is not encrypted; raises as :func:`load_public_key`."""
    if _SM2_CURVE in der[:64]:
        return sm2.PrivateKey(der)
    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusableError("the private key cannot be read") from error
    if not isinstance(key, _Signing):
        raise KeyUnusableError(f"a {type(key).__name__} does not sign, or is not accepted")
    algorithm_of(key)
    return key


def private_bytes(key: PrivateKey) -> bytes:
    """Encode a private key as PKCS#8 in DER, not encrypted: for who encrypts it next."""
    if isinstance(key, sm2.PrivateKey):
        return key.pkcs8()
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_bytes(key: PublicKey) -> bytes:
    """Encode a public key as SubjectPublicKeyInfo in DER."""
    if isinstance(key, sm2.PublicKey):
        return key.spki
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def generate(algorithm: str) -> PrivateKey:
    """Make a key for ``algorithm``: RSA keys of 3,072 bits (NIST SP 800-57: 128 bits of security)."""
    suites.require(algorithm, Kind.SIGNATURE)
    match algorithm:
        case "ecdsa-p256-sha256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ecdsa-p384-sha384":
            return ec.generate_private_key(ec.SECP384R1())
        case "rsa-pkcs1v15-sha256" | "rsa-pss-sha256":
            return rsa.generate_private_key(65_537, 3072)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ml-dsa-65":
            return mldsa.MLDSA65PrivateKey.generate()
        case "sm2-sm3":
            return sm2.PrivateKey.generate()
        case _:
            raise AssertionError(algorithm)


def algorithm_of(key: PublicKey | PrivateKey) -> str:
    """Name the algorithm that a key signs with when nothing else is said; raises ``KeyUnusableError``."""
    match key:
        case sm2.PublicKey() | sm2.PrivateKey():
            return "sm2-sm3"
        case ed25519.Ed25519PublicKey() | ed25519.Ed25519PrivateKey():
            return "ed25519"
        case mldsa.MLDSA65PublicKey() | mldsa.MLDSA65PrivateKey():
            return "ml-dsa-65"
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey():
            if key.curve.name not in _CURVES:
                raise KeyUnusableError(f"the curve {key.curve.name} is not accepted")
            return _CURVES[key.curve.name]
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey():
            if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
                raise KeyUnusableError(f"an RSA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits, not {key.key_size}")
            return "rsa-pkcs1v15-sha256"
    raise KeyUnusableError(f"a {type(key).__name__} is not accepted")


def sign(algorithm: str, key: PrivateKey, message: bytes) -> bytes:
    """Sign ``message``; raises ``KeyUnusableError`` when the key is not one for ``algorithm``."""
    suites.require(algorithm, Kind.SIGNATURE)
    match key:
        case sm2.PrivateKey() if algorithm == "sm2-sm3":
            return key.sign(message)
        case ed25519.Ed25519PrivateKey() if algorithm == "ed25519":
            return key.sign(message)
        case mldsa.MLDSA65PrivateKey() if algorithm == "ml-dsa-65":
            return key.sign(message)
        case ec.EllipticCurvePrivateKey() if _CURVES.get(key.curve.name) == algorithm:
            return key.sign(message, ec.ECDSA(_ECDSA[algorithm][1]))
        case rsa.RSAPrivateKey() if algorithm in _RSA:
            algorithm_of(key)
            return key.sign(message, _RSA[algorithm], hashes.SHA256())
    raise KeyUnusableError(f"a {type(key).__name__} does not sign with {algorithm}")


def verify(
    algorithm: str,
    key: PublicKey,
    *,
    signature: bytes,
    message: bytes,
    at: datetime,
    denials: Denials = NONE_DENIED,
) -> bytes:
    """
    Return ``message`` if ``signature`` is the key's over it; ``at`` is when it is claimed, or proven, to be made.

    Raises:
        NotVerifiedError: it is not, or the key is not one for ``algorithm``.
        AlgorithmDeniedError: the algorithm was not accepted at ``at``.
        AlgorithmUnknownError, AlgorithmUnavailableError: as :func:`crypto.suites.require`.
    """
    suites.require(algorithm, Kind.SIGNATURE)
    denials.check(algorithm, at)
    if len(signature) > SIGNATURE_BYTES_MAX:
        raise NotVerifiedError("the signature is too long to be one")
    try:
        _verify(algorithm, key, signature, message)
    except InvalidSignature as error:
        raise NotVerifiedError("the signature does not fit the message and the key") from error
    return message


def _verify(algorithm: str, key: PublicKey, signature: bytes, message: bytes) -> None:
    match key:
        case sm2.PublicKey() if algorithm == "sm2-sm3":
            key.verify(signature, message)
        case ed25519.Ed25519PublicKey() if algorithm == "ed25519":
            key.verify(signature, message)
        case mldsa.MLDSA65PublicKey() if algorithm == "ml-dsa-65":
            key.verify(signature, message)
        case ec.EllipticCurvePublicKey() if _CURVES.get(key.curve.name) == algorithm:
            key.verify(signature, message, ec.ECDSA(_ECDSA[algorithm][1]))
        case rsa.RSAPublicKey() if algorithm in _RSA and RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            key.verify(signature, message, _RSA[algorithm], hashes.SHA256())
        case _:
            raise NotVerifiedError(f"a {type(key).__name__} does not verify {algorithm}")


def ecdsa_der(raw: bytes) -> bytes:
    """Encode a P-256 signature ``r ‖ s``, as WebCrypto makes it, as DER; raises ``NotVerifiedError``."""
    if len(raw) != 2 * _P256_COORDINATE_BYTES:
        raise NotVerifiedError(f"a raw P-256 signature has {2 * _P256_COORDINATE_BYTES} bytes, not {len(raw)}")
    r, s = raw[:_P256_COORDINATE_BYTES], raw[_P256_COORDINATE_BYTES:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
