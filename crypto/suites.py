"""
The one registry of algorithms, international and Chinese (国密), and what each computes.

Everything that is stored names its algorithms by these ids, and the ids are inside the bytes that are hashed or signed
(:func:`bound`), so nobody can present a thing under another algorithm than it was made with. Nothing is negotiated:
the stored thing says, the policy allows. An algorithm that has been broken is refused from a moment on
(:class:`Denials`), which leaves what was made before verifiable.

Adding an algorithm is a row in :data:`ALGORITHMS`, its function, and vectors in ``tests/conformance``; an id is never
given another meaning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import sm2
from crypto.errors import (
    AlgorithmDeniedError,
    AlgorithmUnavailableError,
    AlgorithmUnknownError,
    CryptoError,
    NotVerifiedError,
)

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


class Kind(StrEnum):
    """What an algorithm is for."""

    HASH = "hash"
    KDF = "kdf"
    AEAD = "aead"
    KEM = "kem"
    SIGNATURE = "signature"


class Family(StrEnum):
    """Whose standard it is."""

    INTERNATIONAL = "international"
    SM = "sm"  # 国密


def _always() -> str | None:
    return None


@dataclass(frozen=True)
class Algorithm:
    """A row of the registry; ``unavailable`` says why this machine cannot compute it, or nothing."""

    id: str
    kind: Kind
    family: Family
    source: str
    unavailable: Callable[[], str | None] = _always


_INTERNATIONAL: Final = Family.INTERNATIONAL
_SM: Final = Family.SM

_ROWS: Final = (
    Algorithm("sha-256", Kind.HASH, _INTERNATIONAL, "FIPS 180-4"),
    Algorithm("sha-384", Kind.HASH, _INTERNATIONAL, "FIPS 180-4"),
    Algorithm("sha-512", Kind.HASH, _INTERNATIONAL, "FIPS 180-4"),
    Algorithm("sm3", Kind.HASH, _SM, "GB/T 32905-2016"),
    Algorithm("hkdf-sha256", Kind.KDF, _INTERNATIONAL, "RFC 5869"),
    Algorithm("hkdf-sm3", Kind.KDF, _SM, "RFC 5869 with GB/T 32905-2016"),
    Algorithm("aes-128-gcm", Kind.AEAD, _INTERNATIONAL, "NIST SP 800-38D"),
    Algorithm("aes-256-gcm", Kind.AEAD, _INTERNATIONAL, "NIST SP 800-38D"),
    Algorithm("chacha20-poly1305", Kind.AEAD, _INTERNATIONAL, "RFC 8439"),
    Algorithm("sm4-gcm", Kind.AEAD, _SM, "GB/T 32907-2016, RFC 8998"),
    Algorithm("hpke-p256", Kind.KEM, _INTERNATIONAL, "RFC 9180"),
    Algorithm("hpke-x25519", Kind.KEM, _INTERNATIONAL, "RFC 9180"),
    Algorithm("hpke-mlkem768-x25519", Kind.KEM, _INTERNATIONAL, "RFC 9180, draft-ietf-hpke-pq (X-Wing)"),
    Algorithm("sm2-encryption", Kind.KEM, _SM, "GB/T 32918.4-2016", sm2.unavailable),
    Algorithm("ecdsa-p256-sha256", Kind.SIGNATURE, _INTERNATIONAL, "FIPS 186-5"),
    Algorithm("ecdsa-p384-sha384", Kind.SIGNATURE, _INTERNATIONAL, "FIPS 186-5"),
    Algorithm("rsa-pkcs1v15-sha256", Kind.SIGNATURE, _INTERNATIONAL, "RFC 8017"),
    Algorithm("rsa-pss-sha256", Kind.SIGNATURE, _INTERNATIONAL, "RFC 8017, salt of 32 bytes"),
    Algorithm("ed25519", Kind.SIGNATURE, _INTERNATIONAL, "RFC 8032"),
    Algorithm("ml-dsa-65", Kind.SIGNATURE, _INTERNATIONAL, "FIPS 204"),
    Algorithm("sm2-sm3", Kind.SIGNATURE, _SM, "GB/T 32918.2-2016", sm2.unavailable),
)

ALGORITHMS: Final[dict[str, Algorithm]] = {row.id: row for row in _ROWS}
"""Every algorithm by its id."""


@dataclass(frozen=True)
class Suite:
    """A set of algorithms that belong together; its id stands in what was made with it."""

    id: str
    hash: str
    kdf: str
    aead: str
    kems: tuple[str, ...]
    signatures: tuple[str, ...]


SUITES: Final[dict[str, Suite]] = {
    suite.id: suite
    for suite in (
        Suite(
            "zhecai-1",
            "sha-256",
            "hkdf-sha256",
            "aes-256-gcm",
            ("hpke-mlkem768-x25519", "hpke-p256", "hpke-x25519"),
            ("ecdsa-p256-sha256", "rsa-pkcs1v15-sha256", "rsa-pss-sha256", "ed25519", "ml-dsa-65"),
        ),
        Suite("zhecai-sm-1", "sm3", "hkdf-sm3", "sm4-gcm", ("sm2-encryption",), ("sm2-sm3",)),
    )
}


@dataclass(frozen=True)
class Denial:
    """``algorithm`` is not accepted for anything made at ``since`` or later."""

    algorithm: str
    since: datetime
    reason: str


@dataclass(frozen=True)
class Denials:
    """The deny-list. An operator adds to it; the registry itself denies nothing that is not broken."""

    entries: tuple[Denial, ...] = ()

    def __post_init__(self) -> None:
        for entry in self.entries:
            if entry.algorithm not in ALGORITHMS:
                raise AlgorithmUnknownError(f"no algorithm has the id {entry.algorithm!r}")

    def check(self, algorithm: str, at: datetime) -> None:
        """Raise ``AlgorithmDeniedError`` if something made at ``at`` must not use ``algorithm``."""
        for entry in self.entries:
            if entry.algorithm == algorithm and at >= entry.since:
                raise AlgorithmDeniedError(f"{algorithm} is refused since {entry.since.isoformat()}: {entry.reason}")


NONE_DENIED: Final = Denials()


def parse_denials(text: str) -> Denials:
    """
    Read a deny-list as an operator writes it: ``id@YYYY-MM-DD`` (midnight UTC), separated by commas.

    Raises:
        AlgorithmUnknownError: an id is not registered, or an entry is not of that form.
    """
    entries = []
    for part in (one.strip() for one in text.split(",")):
        if not part:
            continue
        algorithm, _, day = part.partition("@")
        try:
            since = datetime.combine(date.fromisoformat(day), time.min, UTC)
        except ValueError as error:
            raise AlgorithmUnknownError(f"{part!r} is not of the form id@YYYY-MM-DD") from error
        entries.append(Denial(algorithm, since, "refused by configuration"))
    return Denials(tuple(entries))


def require(algorithm: str, kind: Kind) -> Algorithm:
    """
    Find an algorithm that can be used now for ``kind``.

    Raises:
        AlgorithmUnknownError: there is none, or it is for something else.
        AlgorithmUnavailableError: this machine cannot compute it.
    """
    row = ALGORITHMS.get(algorithm)
    if row is None or row.kind is not kind:
        raise AlgorithmUnknownError(f"no {kind} algorithm has the id {algorithm!r}")
    if reason := row.unavailable():
        raise AlgorithmUnavailableError(f"{algorithm} is not available here: {reason}")
    return row


def bound(purpose: str, algorithm: str, *parts: bytes) -> bytes:
    """
    Encode what is hashed or signed: purpose, algorithm and parts, each with its length, so no two inputs coincide.

    ``purpose ‖ 0 ‖ u16 len ‖ algorithm ‖ (u32 len ‖ part)*``, numbers big-endian. ``purpose`` is ASCII and holds its
    version, such as ``zhecai-auth/v1``.
    """
    assert purpose.isascii()
    assert "\0" not in purpose
    name = algorithm.encode("ascii")
    encoded = [purpose.encode("ascii"), b"\0", len(name).to_bytes(2, "big"), name]
    for part in parts:
        encoded += (len(part).to_bytes(4, "big"), part)
    return b"".join(encoded)


_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha-256": hashes.SHA256,
    "sha-384": hashes.SHA384,
    "sha-512": hashes.SHA512,
    "sm3": hashes.SM3,
}
_KDF_HASHES: Final = {"hkdf-sha256": "sha-256", "hkdf-sm3": "sm3"}


def hasher(algorithm: str) -> hashes.Hash:
    """Begin a hash over bytes that come piece by piece: ``update`` and ``finalize``."""
    require(algorithm, Kind.HASH)
    return hashes.Hash(_HASHES[algorithm]())


def digest(algorithm: str, data: bytes) -> bytes:
    """Hash ``data``."""
    running = hasher(algorithm)
    running.update(data)
    return running.finalize()


def authenticate(algorithm: str, key: bytes, data: bytes) -> bytes:
    """Compute the HMAC (RFC 2104) of ``data`` with the hash ``algorithm``, of the hash's full length."""
    require(algorithm, Kind.HASH)
    code = hmac.HMAC(key, _HASHES[algorithm]())
    code.update(data)
    return code.finalize()


def verify_authentication(algorithm: str, key: bytes, data: bytes, code: bytes) -> bytes:
    """Return ``data`` if ``code`` is its HMAC, in the same time wherever they differ; raises ``NotVerifiedError``."""
    require(algorithm, Kind.HASH)
    running = hmac.HMAC(key, _HASHES[algorithm]())
    running.update(data)
    try:
        running.verify(code)
    except InvalidSignature as error:
        raise NotVerifiedError("the authentication code does not fit the data and the key") from error
    return data


def derive(algorithm: str, material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Derive ``length`` bytes of key (RFC 5869); at most 255 times the hash's length."""
    require(algorithm, Kind.KDF)
    chosen = _HASHES[_KDF_HASHES[algorithm]]()
    if not 0 < length <= 255 * chosen.digest_size:
        raise CryptoError(f"{algorithm} derives 1 to {255 * chosen.digest_size} bytes")
    return HKDF(chosen, length, salt, info).derive(material)


@dataclass(frozen=True)
class _Aead:
    key_bytes: int
    seal: Callable[[bytes, bytes, bytes, bytes], bytes] = field(repr=False)
    unseal: Callable[[bytes, bytes, bytes, bytes], bytes] = field(repr=False)


def _sm4_seal(key: bytes, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    running = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    running.authenticate_additional_data(context)
    return running.update(plaintext) + running.finalize() + running.tag


def _sm4_unseal(key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    if len(sealed) < TAG_BYTES:
        raise InvalidTag
    running = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-TAG_BYTES:])).decryptor()
    running.authenticate_additional_data(context)
    return running.update(sealed[:-TAG_BYTES]) + running.finalize()


def _aes_seal(key: bytes, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plaintext, context)


def _aes_unseal(key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    return AESGCM(key).decrypt(nonce, sealed, context)


def _chacha_seal(key: bytes, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, context)


def _chacha_unseal(key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    return ChaCha20Poly1305(key).decrypt(nonce, sealed, context)


_AEADS: Final[dict[str, _Aead]] = {
    "aes-128-gcm": _Aead(16, _aes_seal, _aes_unseal),
    "aes-256-gcm": _Aead(32, _aes_seal, _aes_unseal),
    "chacha20-poly1305": _Aead(32, _chacha_seal, _chacha_unseal),
    "sm4-gcm": _Aead(16, _sm4_seal, _sm4_unseal),
}


def key_bytes(algorithm: str) -> int:
    """Tell how long an AEAD's key is, in bytes."""
    require(algorithm, Kind.AEAD)
    return _AEADS[algorithm].key_bytes


def seal(algorithm: str, key: bytes, *, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    """
    Encrypt; ``context`` is authenticated with it, not hidden. Returns ciphertext ‖ tag (16 bytes).

    A nonce must never be used twice with a key: whoever does gives the key away.
    """
    return _aead(algorithm, key, nonce).seal(key, nonce, plaintext, context)


def unseal(algorithm: str, key: bytes, *, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    """Decrypt what :func:`seal` made; raises ``NotVerifiedError`` if anything of it is not what it was."""
    aead = _aead(algorithm, key, nonce)
    try:
        return aead.unseal(key, nonce, sealed, context)
    except InvalidTag as error:
        raise NotVerifiedError("what is sealed, its context, the nonce or the key is not the right one") from error


def _aead(algorithm: str, key: bytes, nonce: bytes) -> _Aead:
    require(algorithm, Kind.AEAD)
    found = _AEADS[algorithm]
    for what, value, length in (("key", key, found.key_bytes), ("nonce", nonce, NONCE_BYTES)):
        if len(value) != length:
            raise CryptoError(f"the {what} of {algorithm} has {length} bytes, not {len(value)}")
    return found


def unavailable(ids: Sequence[str] = tuple(ALGORITHMS)) -> dict[str, str]:
    """Say which of the algorithms this machine cannot compute, and why."""
    reasons = {one: ALGORITHMS[one].unavailable() for one in ids}
    return {one: reason for one, reason in reasons.items() if reason}
