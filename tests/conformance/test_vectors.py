"""
Published vectors through our registry: every valid one accepted, no invalid one accepted, and all of them counted.

Sources: RFC 9180 Appendix A; Wycheproof (C2SP). They lie beside the repository, in ``../shared/data/crypto``.
"""

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

from crypto import kems, signatures, suites
from crypto.errors import CryptoError
from tests.conftest import SHARED

DATA = SHARED / "data" / "crypto"
AT = datetime(2026, 11, 25, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no vectors: ../shared/data/crypto is absent")

Vector = dict[str, Any]
Check = Callable[[Vector, Vector], None]
"""Takes a group and a test, raises if the vector is refused, fails if the result is another than it says."""

REFUSED = (CryptoError, ValueError, InvalidTag, InvalidUnwrap)


def _hex(vector: Vector, *names: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(vector[name]) for name in names)


def aead(algorithm: str, bits: int) -> Check:
    def check(group: Vector, test: Vector) -> None:
        if group["keySize"] != bits or group["ivSize"] != suites.NONCE_BYTES * 8:
            raise NotOurs
        key, nonce, context, message, body, tag = _hex(test, "key", "iv", "aad", "msg", "ct", "tag")
        assert suites.unseal(algorithm, key, nonce=nonce, sealed=body + tag, context=context) == message
        assert suites.seal(algorithm, key, nonce=nonce, plaintext=message, context=context) == body + tag

    return check


def signature(algorithm: str) -> Check:
    def check(group: Vector, test: Vector) -> None:
        (message, signed) = _hex(test, "msg", "sig")
        key = signatures.load_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert signatures.verify(algorithm, key, signature=signed, message=message, at=AT) == message

    return check


def mac(algorithm: str) -> Check:
    def check(group: Vector, test: Vector) -> None:
        key, message, tag = _hex(test, "key", "msg", "tag")
        if group["tagSize"] != 256:
            raise NotOurs  # we do not cut authentication codes short
        assert suites.verify_authentication(algorithm, key, message, tag) == message

    return check


def hkdf(_: Vector, test: Vector) -> None:
    material, salt, info, expected = _hex(test, "ikm", "salt", "info", "okm")
    assert suites.derive("hkdf-sha256", material, salt=salt, info=info, length=test["size"]) == expected


def ecdh(_: Vector, test: Vector) -> None:
    public = signatures.load_public_key(bytes.fromhex(test["public"]))
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise CryptoError("not on a curve")
    private = ec.derive_private_key(int(test["private"], 16), ec.SECP256R1())
    assert private.exchange(ec.ECDH(), public).hex() == test["shared"]


def x25519_(_: Vector, test: Vector) -> None:
    public, private = _hex(test, "public", "private")
    exchange = x25519.X25519PrivateKey.from_private_bytes(private).exchange
    assert exchange(x25519.X25519PublicKey.from_public_bytes(public)).hex() == test["shared"]


def ml_kem(_: Vector, test: Vector) -> None:
    seed, sealed = _hex(test, "seed", "c")
    key = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed)
    assert key.public_key().public_bytes_raw().hex() == test["ek"]
    assert key.decapsulate(sealed).hex() == test["K"]


def cobblestone(_: Vector, test: Vector) -> None:
    key, context, packed = _hex(test, "key", "ctx", "ct")  # packed: long texts of one byte
    running = Cobblestone256Decryptor(key, context)
    message = running.update(zlib.decompress(packed)) + running.finalize()
    assert len(message) == test["msgLength"]
    assert hashlib.sha512(message).hexdigest() == test["msgSha512"]


def key_wrap(unwrap: Callable[[bytes, bytes], bytes]) -> Check:
    def check(_: Vector, test: Vector) -> None:
        key, message, wrapped = _hex(test, "key", "msg", "ct")
        assert unwrap(key, wrapped) == message

    return check


def oaep(group: Vector, test: Vector) -> None:
    key = load_der_private_key(bytes.fromhex(group["privateKeyPkcs8"]), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    message, sealed, label = _hex(test, "msg", "ct", "label")
    how = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    assert key.decrypt(sealed, how) == message


class NotOurs(Exception):
    """A key, nonce or tag of a length that our registry does not have; how many is counted too."""


@dataclass(frozen=True)
class File:
    """``accepted`` of the valid ones, ``refused`` of the invalid ones, ``either``: what the source leaves open."""

    name: str
    check: Check
    accepted: int
    refused: int
    either: int = 0
    not_ours: int = 0


FILES = (
    File("aes_gcm", aead("aes-128-gcm", 128), 40, 27, not_ours=249),
    File("aes_gcm", aead("aes-256-gcm", 256), 39, 27, not_ours=250),
    File("chacha20_poly1305", aead("chacha20-poly1305", 256), 256, 60, not_ours=9),
    File("sm4_gcm", aead("sm4-gcm", 128), 38, 27, not_ours=39),
    File("ecdsa_secp256r1_sha256", signature("ecdsa-p256-sha256"), 174, 310),
    File("ed25519", signature("ed25519"), 88, 63),
    File("rsa_signature_2048_sha256", signature("rsa-pkcs1v15-sha256"), 9, 249, either=1),
    File("rsa_pss_2048_sha256_mgf1_32", signature("rsa-pss-sha256"), 63, 45),
    File("hmac_sha256", mac("sha-256"), 33, 54, not_ours=87),
    File("hmac_sm3", mac("sm3"), 33, 54, not_ours=87),
    File("hkdf_sha256", hkdf, 83, 3),
    File("ecdh_secp256r1", ecdh, 330, 52, either=230),
    File("x25519", x25519_, 264, 0, either=254),
    File("mlkem_768", ml_kem, 153, 40),
    File("c2sp_chunked_encryption_aes_256_gcm", cobblestone, 10, 25),
    File("aes_wrap", key_wrap(aes_key_unwrap), 36, 126, either=3),
    File("aes_kwp", key_wrap(aes_key_unwrap_with_padding), 77, 177),
    File("rsa_oaep_2048_sha256_mgf1sha256", oaep, 18, 19),
)


def _outcome(file: File, group: Vector, test: Vector) -> str:
    try:
        file.check(group, test)
    except NotOurs:
        return "not ours"
    except REFUSED:
        return "invalid"
    return "valid"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.name}-{file.accepted}")
def test_every_valid_vector_is_accepted_and_no_invalid_one(file: File) -> None:
    groups = json.loads((DATA / f"wycheproof-{file.name}_test.json").read_bytes())["testGroups"]
    seen: Counter[str] = Counter()
    for group in groups:
        for test in group["tests"]:
            outcome = _outcome(file, group, test)
            expected = test["result"]
            assert outcome in (expected, "not ours") or expected == "acceptable", (test["tcId"], test.get("comment"))
            seen[outcome if outcome == "not ours" else expected] += 1

    assert seen == Counter(
        {"valid": file.accepted, "invalid": file.refused, "acceptable": file.either, "not ours": file.not_ours}
    )


@pytest.mark.parametrize(
    ("algorithm", "key", "nonce"),
    [("aes-256-gcm", 24, 12), ("aes-256-gcm", 32, 16), ("aes-128-gcm", 16, 8), ("sm4-gcm", 16, 16)],
)
def test_what_is_not_ours_is_refused(algorithm: str, key: int, nonce: int) -> None:
    with pytest.raises(CryptoError):
        suites.unseal(algorithm, bytes(key), nonce=bytes(nonce), sealed=bytes(32), context=b"")


_KEMS = {32: hpke.KEM.X25519, 16: hpke.KEM.P256, 18: hpke.KEM.P521}
_KDFS = {1: hpke.KDF.HKDF_SHA256, 3: hpke.KDF.HKDF_SHA512}
_AEADS = {1: hpke.AEAD.AES_128_GCM, 2: hpke.AEAD.AES_256_GCM, 3: hpke.AEAD.CHACHA20_POLY1305}
_CURVES: dict[int, ec.EllipticCurve] = {16: ec.SECP256R1(), 18: ec.SECP521R1()}


def _hpke_private_key(kem: int, secret: str) -> Any:
    if kem in _CURVES:
        return ec.derive_private_key(int(secret, 16), _CURVES[kem])
    return x25519.X25519PrivateKey.from_private_bytes(bytes.fromhex(secret))


def test_hpke_opens_what_rfc_9180_sealed_and_nothing_that_was_changed() -> None:
    opened = 0
    for vector in json.loads((DATA / "rfc9180-appendixA.json").read_bytes()):
        mode, kem, kdf, aead_ = (int(vector[name]) for name in ("mode", "kem_id", "kdf_id", "aead_id"))
        if mode != 0 or aead_ not in _AEADS:
            continue  # base mode with encryption is what we use
        suite = hpke.Suite(_KEMS[kem], _KDFS[kdf], _AEADS[aead_])
        key = _hpke_private_key(kem, vector["skRm"])
        info, enc = _hex(vector, "info", "enc")
        first = vector["encryptions"][0]
        plaintext, context, body = _hex(first, "pt", "aad", "ct")

        def unseal(sealed: bytes, info: bytes, *, fixed: Any = (suite, key, context)) -> bytes:
            found: bytes = openssl.hpke._decrypt_with_aad(fixed[0], sealed, fixed[1], info, fixed[2])
            return found

        assert unseal(enc + body, info) == plaintext
        for sealed, changed in (
            (enc + body[:-1] + bytes([body[-1] ^ 1]), info),
            (enc[:-1] + bytes([enc[-1] ^ 1]) + body, info),
            (enc + body, info + b"\0"),
        ):
            with pytest.raises((InvalidTag, ValueError)):
                unseal(sealed, changed)
        opened += 1

    assert opened == 6


def test_our_kems_are_hpke_with_sha_256_and_aes_256_gcm() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = kems.seal_to("hpke-p256", key.public_key(), secret=b"share", context=b"where")
    suite = hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

    assert suite.decrypt(sealed, key, b"where") == b"share"
