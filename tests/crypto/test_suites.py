from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from crypto import kems, sm2, suites
from crypto.errors import (
    AlgorithmDeniedError,
    AlgorithmUnavailableError,
    AlgorithmUnknownError,
    CryptoError,
    KeyUnusableError,
    NotVerifiedError,
)
from crypto.suites import ALGORITHMS, SUITES, Denial, Denials, Kind, bound, parse_denials

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
AEADS = [row.id for row in ALGORITHMS.values() if row.kind is Kind.AEAD]


def test_a_suite_names_registered_algorithms_of_the_right_kind() -> None:
    for suite in SUITES.values():
        for kind, ids in (
            (Kind.HASH, [suite.hash]),
            (Kind.KDF, [suite.kdf]),
            (Kind.AEAD, [suite.aead]),
            (Kind.KEM, suite.kems),
            (Kind.SIGNATURE, suite.signatures),
        ):
            assert [ALGORITHMS[one].kind for one in ids] == [kind] * len(ids)


def test_an_unknown_id_or_one_for_another_purpose_is_refused() -> None:
    for algorithm in ("md5", "aes-256-gcm", ""):
        with pytest.raises(AlgorithmUnknownError):
            suites.digest(algorithm, b"")


def test_an_algorithm_that_the_machine_lacks_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sm2, "_loaded", lambda: "libcrypto was built without SM2")

    assert suites.unavailable() == {
        "sm2-encryption": "libcrypto was built without SM2",
        "sm2-sm3": "libcrypto was built without SM2",
    }
    with pytest.raises(AlgorithmUnavailableError, match="built without SM2"):
        suites.require("sm2-sm3", Kind.SIGNATURE)
    with pytest.raises(AlgorithmUnavailableError, match="built without SM2"):
        sm2.PrivateKey.generate()


def test_an_algorithm_is_refused_from_its_moment_on_and_not_before() -> None:
    denials = Denials((Denial("rsa-pkcs1v15-sha256", NEW_YEAR, "too short"),))

    denials.check("rsa-pkcs1v15-sha256", NEW_YEAR - timedelta(microseconds=1))
    denials.check("ecdsa-p256-sha256", NEW_YEAR)
    with pytest.raises(AlgorithmDeniedError, match="too short"):
        denials.check("rsa-pkcs1v15-sha256", NEW_YEAR)


def test_a_deny_list_is_read_from_a_setting() -> None:
    denials = parse_denials("rsa-pss-sha256@2030-01-01, sm3@2040-06-30,")

    assert [(one.algorithm, one.since) for one in denials.entries] == [
        ("rsa-pss-sha256", NEW_YEAR),
        ("sm3", datetime(2040, 6, 30, tzinfo=UTC)),
    ]
    assert parse_denials("").entries == ()


@pytest.mark.parametrize("text", ["sm3", "sm3@", "sm3@soon", "sm3@2030-01-01T00:00+08:00", "md5@2030-01-01"])
def test_a_deny_list_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(AlgorithmUnknownError):
        parse_denials(text)


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_different_parts_are_never_bound_to_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (bound("p/v1", "sm3", *one) == bound("p/v1", "sm3", *other)) == (one == other)


def test_what_is_bound_holds_purpose_and_algorithm() -> None:
    assert bound("zhecai-auth/v1", "sm3", b"ab") == b"zhecai-auth/v1\0\0\3sm3\0\0\0\2ab"
    assert bound("a/v1", "sm3", b"x") != bound("a/v2", "sm3", b"x")
    assert bound("a/v1", "sm3", b"x") != bound("a/v1", "sha-256", b"x")


def test_hashes_are_those_of_their_standards() -> None:
    assert suites.digest("sm3", b"abc").hex() == (  # GB/T 32905-2016, A.1
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )
    assert suites.digest("sha-256", b"abc").hex() == (  # FIPS 180-4
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@pytest.mark.parametrize("algorithm", AEADS)
def test_no_part_of_what_is_sealed_can_be_changed(algorithm: str) -> None:
    key, nonce = bytes(range(suites.key_bytes(algorithm))), bytes(range(12))
    sealed = suites.seal(algorithm, key, nonce=nonce, plaintext=b"price", context=b"lot 1")

    assert suites.unseal(algorithm, key, nonce=nonce, sealed=sealed, context=b"lot 1") == b"price"
    for changed in (
        {"sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])},
        {"sealed": bytes([sealed[0] ^ 1]) + sealed[1:]},
        {"sealed": sealed[:-1]},
        {"sealed": b""},
        {"nonce": bytes(12)},
        {"context": b"lot 2"},
        {"key": bytes(len(key))},
    ):
        whole = {"key": key, "nonce": nonce, "sealed": sealed, "context": b"lot 1"} | changed
        with pytest.raises(NotVerifiedError):
            suites.unseal(algorithm, whole.pop("key"), **whole)


@pytest.mark.parametrize("algorithm", ["sha-256", "sm3"])
def test_an_authentication_code_holds_for_its_data_and_key_only(algorithm: str) -> None:
    code = suites.authenticate(algorithm, b"key", b"data")

    assert suites.verify_authentication(algorithm, b"key", b"data", code) == b"data"
    for key, data, other in ((b"kez", b"data", code), (b"key", b"date", code), (b"key", b"data", code[:-1])):
        with pytest.raises(NotVerifiedError):
            suites.verify_authentication(algorithm, key, data, other)


@pytest.mark.parametrize("length", [0, 255 * 32 + 1])
def test_no_more_is_derived_than_rfc_5869_allows(length: int) -> None:
    with pytest.raises(CryptoError):
        suites.derive("hkdf-sm3", b"material", salt=b"", info=b"", length=length)
    assert len(suites.derive("hkdf-sm3", b"material", salt=b"", info=b"", length=255 * 32)) == 255 * 32


def _kem_key(algorithm: str) -> kems.PrivateKey:
    match algorithm:
        case "hpke-p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "hpke-x25519":
            return x25519.X25519PrivateKey.generate()
        case "hpke-mlkem768-x25519":
            return MLKEM768X25519PrivateKey(mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate())
        case _:
            if reason := sm2.unavailable():
                pytest.skip(reason)
            return sm2.PrivateKey.generate()


@pytest.mark.parametrize("algorithm", [row.id for row in ALGORITHMS.values() if row.kind is Kind.KEM])
def test_only_the_key_s_holder_opens_and_only_with_the_context(algorithm: str) -> None:
    key, other = _kem_key(algorithm), _kem_key(algorithm)
    sealed = kems.seal_to(algorithm, key.public_key(), secret=b"share", context=b"where")

    assert kems.open_with(algorithm, key, sealed=sealed, context=b"where") == b"share"
    for holder, changed, context in (
        (other, sealed, b"where"),
        (key, sealed, b"elsewhere"),
        (key, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"where"),
        (key, sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:], b"where"),
        (key, sealed[:20], b"where"),
        (key, b"", b"where"),
    ):
        with pytest.raises(NotVerifiedError):
            kems.open_with(algorithm, holder, sealed=changed, context=context)


@pytest.mark.skipif(sm2.unavailable() is not None, reason=str(sm2.unavailable()))
def test_what_is_sealed_with_sm2_holds_a_whole_key_for_an_sm2_key() -> None:
    key, wrong = sm2.PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(KeyUnusableError, match="SM2"):
        kems.seal_to("sm2-encryption", wrong.public_key(), secret=b"share", context=b"")
    with pytest.raises(KeyUnusableError, match="SM2"):
        kems.open_with("sm2-encryption", wrong, sealed=b"", context=b"")
    for length in (15, 17):  # who sealed it had no key of SM4, which has 16
        wrapped = key.public_key().encrypt(bytes(length))
        sealed = len(wrapped).to_bytes(2, "big") + wrapped + bytes(32)
        with pytest.raises(NotVerifiedError, match="holds no key"):
            kems.open_with("sm2-encryption", key, sealed=sealed, context=b"")


def test_a_kem_takes_no_key_of_another_kind() -> None:
    wrong = ec.generate_private_key(ec.SECP384R1())
    for algorithm in ("hpke-p256", "hpke-x25519"):
        with pytest.raises(KeyUnusableError):
            kems.seal_to(algorithm, wrong.public_key(), secret=b"share", context=b"")
        with pytest.raises(KeyUnusableError):
            kems.open_with(algorithm, wrong, sealed=b"", context=b"")
