import functools
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto import signatures, sm2, suites
from crypto.errors import AlgorithmDeniedError, AlgorithmUnknownError, KeyUnusableError, NotVerifiedError
from crypto.suites import ALGORITHMS, Denials, Kind
from tests.builders.openssl import openssl

AT = datetime(2026, 11, 25, tzinfo=UTC)
NEEDS_SM2 = pytest.mark.skipif(sm2.unavailable() is not None, reason=str(sm2.unavailable()))
ALL = [
    pytest.param(row.id, marks=NEEDS_SM2 if row.id == "sm2-sm3" else [])
    for row in ALGORITHMS.values()
    if row.kind is Kind.SIGNATURE
]


@functools.cache
def _key(algorithm: str, _number: int = 0) -> signatures.PrivateKey:
    """RSA keys take a second to make."""
    return signatures.generate(algorithm)


@pytest.mark.parametrize("algorithm", ALL)
def test_a_signature_holds_for_its_key_and_message_only(algorithm: str) -> None:
    key, other = _key(algorithm), _key(algorithm, 1)
    public = signatures.load_public_key(signatures.public_bytes(key.public_key()))
    signed = signatures.sign(algorithm, key, b"message")

    assert signatures.verify(algorithm, public, signature=signed, message=b"message", at=AT) == b"message"
    for holder, signature, message in (
        (other.public_key(), signed, b"message"),
        (public, signed, b"Message"),
        (public, signed, b""),
        (public, signed[:-1] + bytes([signed[-1] ^ 1]), b"message"),
        (public, signed[:-1], b"message"),
        (public, signed + b"\0", b"message"),
        (public, b"", b"message"),
        (public, bytes(signatures.SIGNATURE_BYTES_MAX + 1), b"message"),
    ):
        with pytest.raises(NotVerifiedError):
            signatures.verify(algorithm, holder, signature=signature, message=message, at=AT)


@pytest.mark.parametrize("algorithm", ALL)
def test_a_key_comes_back_from_its_bytes(algorithm: str) -> None:
    key = signatures.load_private_key(signatures.private_bytes(_key(algorithm)))
    signed = signatures.sign(algorithm, key, b"m")

    assert signatures.verify(algorithm, key.public_key(), signature=signed, message=b"m", at=AT) == b"m"
    usual = "rsa-pkcs1v15-sha256" if algorithm.startswith("rsa") else algorithm
    assert signatures.algorithm_of(key) == signatures.algorithm_of(key.public_key()) == usual


@pytest.mark.parametrize("algorithm", ALL)
def test_no_key_signs_or_verifies_under_another_algorithm(algorithm: str) -> None:
    key = _key(algorithm)
    for other in suites.SUITES["zhecai-1"].signatures:
        if other.split("-")[0] == algorithm.split("-", maxsplit=1)[0]:
            continue
        with pytest.raises(KeyUnusableError):
            signatures.sign(other, key, b"m")
        with pytest.raises(NotVerifiedError):
            signatures.verify(other, key.public_key(), signature=bytes(64), message=b"m", at=AT)


def test_an_rsa_signature_does_not_hold_under_the_other_padding() -> None:
    key = rsa.generate_private_key(65_537, 2048)
    signed = signatures.sign("rsa-pkcs1v15-sha256", key, b"m")
    with pytest.raises(NotVerifiedError):
        signatures.verify("rsa-pss-sha256", key.public_key(), signature=signed, message=b"m", at=AT)


def test_a_denied_algorithm_verifies_nothing_that_is_new() -> None:
    key = signatures.generate("ed25519")
    signed = signatures.sign("ed25519", key, b"m")
    denials = suites.parse_denials("ed25519@2026-11-25")

    with pytest.raises(AlgorithmDeniedError):
        signatures.verify("ed25519", key.public_key(), signature=signed, message=b"m", at=AT, denials=denials)
    assert isinstance(denials, Denials)


def test_an_algorithm_that_does_not_sign_verifies_nothing() -> None:
    key = signatures.generate("ed25519").public_key()
    with pytest.raises(AlgorithmUnknownError):
        signatures.verify("sha-256", key, signature=b"", message=b"", at=AT)


def _spki(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_keys_that_are_short_strange_or_damaged_are_refused() -> None:
    good = _spki(ec.generate_private_key(ec.SECP256R1()))
    for spki in (
        _spki(rsa.generate_private_key(65_537, 1024)),  # noqa: S505 - too short is the point
        _spki(x25519.X25519PrivateKey.generate()),
        _spki(ec.generate_private_key(ec.SECP521R1())),
        good[:-1],
        good + b"\0",
        b"",
        bytes(signatures.KEY_BYTES_MAX + 1),
    ):
        with pytest.raises(KeyUnusableError):
            signatures.load_public_key(spki)
    for der in (b"", good, signatures.private_bytes(signatures.generate("ed25519"))[:-1]):
        with pytest.raises(KeyUnusableError):
            signatures.load_private_key(der)


def test_webcrypto_s_form_of_a_signature_becomes_der() -> None:
    key = signatures.generate("ecdsa-p256-sha256")
    signed = signatures.sign("ecdsa-p256-sha256", key, b"m")
    r, s = decode_dss_signature(signed)

    assert signatures.ecdsa_der(r.to_bytes(32, "big") + s.to_bytes(32, "big")) == signed
    for length in (0, 63, 65):
        with pytest.raises(NotVerifiedError):
            signatures.ecdsa_der(bytes(length))


@NEEDS_SM2
def test_an_sm2_signature_is_bound_to_the_signer_s_identity() -> None:
    key = sm2.PrivateKey.generate()
    signed = key.sign(b"m", identity=b"someone@example.cn")

    assert key.public_key().verify(signed, b"m", identity=b"someone@example.cn") == b"m"
    with pytest.raises(NotVerifiedError):
        key.public_key().verify(signed, b"m")
    for identity in (b"", bytes(8192)):
        with pytest.raises(KeyUnusableError):
            key.sign(b"m", identity=identity)


@NEEDS_SM2
def test_sm2_reads_no_key_of_another_curve_and_none_off_the_curve() -> None:
    p256 = signatures.generate("ecdsa-p256-sha256")
    good = sm2.PrivateKey.generate().public_key().spki
    for spki in (signatures.public_bytes(p256.public_key()), good[:-1] + bytes([good[-1] ^ 1]), good + b"\0", b""):
        with pytest.raises(KeyUnusableError):
            sm2.PublicKey(spki)
    with pytest.raises(KeyUnusableError):
        sm2.PrivateKey(signatures.private_bytes(p256))


@NEEDS_SM2
@pytest.mark.parametrize("length", [0, (1 << 16) + 1])
def test_sm2_encrypts_nothing_empty_and_nothing_long(length: int) -> None:
    with pytest.raises(KeyUnusableError):
        sm2.PrivateKey.generate().public_key().encrypt(bytes(length))


def _openssl(*arguments: str) -> str:
    found = openssl(*arguments)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@NEEDS_SM2
def test_openssl_verifies_our_sm2_signature_and_we_verify_openssl_s(tmp_path: Path) -> None:
    key = sm2.PrivateKey.generate()
    files = {name: str(tmp_path / name) for name in ("key", "public", "message", "ours", "theirs")}
    Path(files["key"]).write_bytes(key.pkcs8())
    Path(files["public"]).write_bytes(key.public_key().spki)
    Path(files["message"]).write_bytes(b"message")
    Path(files["ours"]).write_bytes(key.sign(b"message"))
    option = "distid:1234567812345678"

    said = _openssl(
        *("dgst", "-sm3", "-keyform", "DER", "-verify", files["public"], "-sigopt", option),
        *("-signature", files["ours"], files["message"]),
    )
    assert "Verified OK" in said
    _openssl(
        *("dgst", "-sm3", "-keyform", "DER", "-sign", files["key"], "-sigopt", option),
        *("-out", files["theirs"], files["message"]),
    )
    assert key.public_key().verify(Path(files["theirs"]).read_bytes(), b"message") == b"message"
