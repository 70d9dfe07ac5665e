"""
Sealing a short secret, such as a key share, to a public key: HPKE (RFC 9180, base mode) and SM2 encryption.

HPKE runs with HKDF-SHA256 and AES-256-GCM whatever the key; the sealed text is ``enc ‖ ciphertext``. SM2 encryption
has no place for context, so it carries a fresh SM4 key only, and the secret is sealed under that:
``u16 len ‖ SM2Cipher(key) ‖ SM4-GCM(secret)`` with the context authenticated.
"""

import secrets
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from crypto import sm2, suites
from crypto.errors import KeyUnusableError, NotVerifiedError
from crypto.suites import Kind

PublicKey = ec.EllipticCurvePublicKey | x25519.X25519PublicKey | hpke.MLKEM768X25519PublicKey | sm2.PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | hpke.MLKEM768X25519PrivateKey | sm2.PrivateKey

_HPKE: Final[dict[str, tuple[hpke.KEM, type, type]]] = {
    "hpke-p256": (hpke.KEM.P256, ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey),
    "hpke-x25519": (hpke.KEM.X25519, x25519.X25519PublicKey, x25519.X25519PrivateKey),
    "hpke-mlkem768-x25519": (
        hpke.KEM.MLKEM768_X25519,
        hpke.MLKEM768X25519PublicKey,
        hpke.MLKEM768X25519PrivateKey,
    ),
}
_SM4: Final = "sm4-gcm"
_ONCE: Final = bytes(suites.NONCE_BYTES)  # the key is made for this one message


def seal_to(algorithm: str, key: PublicKey, *, secret: bytes, context: bytes) -> bytes:
    """Seal ``secret`` so that only the holder of the private key, knowing ``context``, can open it."""
    suites.require(algorithm, Kind.KEM)
    if algorithm in _HPKE:
        kem, public, _ = _HPKE[algorithm]
        _must_be(key, public, algorithm)
        fitting: Any = key
        return _suite(kem).encrypt(secret, fitting, context)
    if not isinstance(key, sm2.PublicKey):
        raise KeyUnusableError(f"{algorithm} needs an SM2 key")
    fresh = secrets.token_bytes(suites.key_bytes(_SM4))
    wrapped = key.encrypt(fresh)
    body = suites.seal(_SM4, fresh, nonce=_ONCE, plaintext=secret, context=context)
    return len(wrapped).to_bytes(2, "big") + wrapped + body


def open_with(algorithm: str, key: PrivateKey, *, sealed: bytes, context: bytes) -> bytes:
    """Open what :func:`seal_to` made; raises ``NotVerifiedError`` when key, context or bytes are not the right ones."""
    suites.require(algorithm, Kind.KEM)
    if algorithm in _HPKE:
        kem, _, private = _HPKE[algorithm]
        _must_be(key, private, algorithm)
        fitting: Any = key
        try:
            return _suite(kem).decrypt(sealed, fitting, context)
        except (InvalidTag, ValueError) as error:
            raise NotVerifiedError("what is sealed is not for this key and context, or was changed") from error
    if not isinstance(key, sm2.PrivateKey):
        raise KeyUnusableError(f"{algorithm} needs an SM2 key")
    length = int.from_bytes(sealed[:2], "big")
    fresh = key.decrypt(sealed[2 : 2 + length])
    if len(fresh) != suites.key_bytes(_SM4):
        raise NotVerifiedError("what is sealed holds no key")
    return suites.unseal(_SM4, fresh, nonce=_ONCE, sealed=sealed[2 + length :], context=context)


def _suite(kem: hpke.KEM) -> hpke.Suite:
    return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def _must_be(key: object, kind: type, algorithm: str) -> None:
    if not isinstance(key, kind):
        raise KeyUnusableError(f"{algorithm} does not work with a {type(key).__name__}")
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) and key.curve.name != "secp256r1":
        raise KeyUnusableError(f"{algorithm} needs a key on P-256")
