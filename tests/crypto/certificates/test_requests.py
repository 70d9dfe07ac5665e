from pathlib import Path

import pytest
from asn1crypto import pem

from crypto import signatures
from crypto.certificates import keyfiles
from crypto.certificates.names import Subject
from crypto.certificates.requests import REQUEST_BYTES_MAX, make_request, read_request
from crypto.errors import AlgorithmUnavailableError, CryptoError, KeyUnusableError, NotVerifiedError
from tests.builders.certificates import CREDIT_CODE, KEY_KINDS, MADE_AT, NEEDS_SM2, a_key, a_pki, spki_of
from tests.builders.openssl import openssl

SUBJECT = Subject("张三", "杭州云桥科技有限公司", CREDIT_CODE)
kinds = pytest.mark.parametrize("kind", KEY_KINDS)


def _openssl(*arguments: str) -> None:
    found = openssl(*arguments)
    assert found.returncode == 0, found.stderr


@kinds
def test_a_request_proves_that_its_sender_has_the_key(kind: str) -> None:
    key = a_key(kind)
    made = make_request(SUBJECT, key)

    for form in (made, pem.armor("CERTIFICATE REQUEST", made)):
        found = read_request(form, at=MADE_AT)
        assert (found.subject, found.spki, found.key_algorithm) == (SUBJECT, spki_of(key), kind)


@kinds
def test_a_changed_request_is_refused(kind: str) -> None:
    made = make_request(SUBJECT, a_key(kind))
    for at in (made.index("张三".encode()), made.index(CREDIT_CODE.encode()), len(made) - 1):
        with pytest.raises(NotVerifiedError):
            read_request(made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :], at=MADE_AT)


def test_a_request_for_another_s_key_is_refused() -> None:
    mine, others = a_key(number=0), a_key(number=1)
    made = make_request(SUBJECT, mine).replace(spki_of(mine), spki_of(others))
    with pytest.raises(NotVerifiedError):
        read_request(made, at=MADE_AT)


@pytest.mark.parametrize(
    "data", [b"", b"garbage", bytes(REQUEST_BYTES_MAX + 1), b"-----BEGIN CERTIFICATE REQUEST-----"]
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(CryptoError):
        read_request(data, at=MADE_AT)


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "ecdsa-p256-sha256"),
        (("-newkey", "rsa:2048"), "rsa-pkcs1v15-sha256"),
        pytest.param(("-newkey", "sm2", "-sm3", "-sigopt", "distid:1234567812345678"), "sm2-sm3", marks=NEEDS_SM2),
    ],
)
def test_openssl_s_requests_are_read(options: tuple[str, ...], algorithm: str, tmp_path: Path) -> None:
    made, key = tmp_path / "request", tmp_path / "key"
    _openssl(
        *("req", "-new", *options, "-nodes", "-subj", "/C=CN/CN=Zhang San", "-keyout", str(key), "-out", str(made))
    )

    found = read_request(made.read_bytes(), at=MADE_AT)

    assert (found.subject.common_name, found.key_algorithm) == ("Zhang San", algorithm)


def test_a_key_too_short_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    made, key = tmp_path / "request", tmp_path / "key"
    for options in (("rsa:1024",), ("ec", "-pkeyopt", "ec_paramgen_curve:secp521r1")):
        _openssl(
            *("req", "-new", "-newkey", *options, "-nodes", "-subj", "/CN=x", "-keyout", str(key)), "-out", str(made)
        )
        with pytest.raises(KeyUnusableError):
            read_request(made.read_bytes(), at=MADE_AT)


@pytest.fixture(autouse=True)
def _fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfiles, "ITERATIONS", 1000)


@kinds
def test_a_key_file_opens_with_its_passphrase_only(kind: str, tmp_path: Path) -> None:
    key = a_key(kind)
    text = keyfiles.encrypt_key(key, "correct horse")

    assert signatures.private_bytes(keyfiles.decrypt_key(text, "correct horse")) == signatures.private_bytes(key)
    with pytest.raises(NotVerifiedError):
        keyfiles.decrypt_key(text, "correct horsf")
    (tmp_path / "key").write_bytes(text)
    _openssl("pkey", "-in", str(tmp_path / "key"), "-passin", "pass:correct horse", "-noout")


def test_openssl_s_key_files_are_read(tmp_path: Path) -> None:
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(plain))
    options = ("-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-passout", "pass:correct horse")
    _openssl("pkcs8", "-topk8", "-in", str(plain), *options, "-out", str(sealed))

    assert signatures.algorithm_of(keyfiles.decrypt_key(sealed.read_bytes(), "correct horse")) == "ecdsa-p256-sha256"
    with pytest.raises(KeyUnusableError):
        keyfiles.decrypt_key(plain.read_bytes(), "correct horse")


def test_a_short_passphrase_is_refused() -> None:
    assert keyfiles.encrypt_key(a_key(), "x" * 8)
    with pytest.raises(KeyUnusableError):
        keyfiles.encrypt_key(a_key(), "x" * 7)


def test_pkcs12_holds_key_certificate_and_chain(tmp_path: Path) -> None:
    pki = a_pki()
    made = tmp_path / "one.p12"
    made.write_bytes(
        keyfiles.pkcs12_file(
            pki.key, pki.certificate.der, [pki.issuing.certificate.der], name="张三", passphrase="correct horse"
        )
    )

    found = openssl("pkcs12", "-in", made, "-passin", "pass:correct horse", "-nodes").stdout
    assert (found.count("BEGIN CERTIFICATE"), found.count("BEGIN PRIVATE KEY")) == (2, 1)


@NEEDS_SM2
def test_pkcs12_takes_no_sm2_key() -> None:
    with pytest.raises(AlgorithmUnavailableError):
        keyfiles.pkcs12_file(a_key("sm2-sm3"), b"", [], name="x", passphrase="correct horse")
