"""Bytes of strangers: whatever is in them, the answer is a value or an error of ours, never a crash."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from crypto.certificates import keyfiles
from crypto.certificates.certificate import Certificate, read_certificates
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.requests import make_request, read_request
from crypto.certificates.revocation import LIST_BYTES_MAX
from crypto.certificates.validation import CertificateRefusedError, Fault
from crypto.errors import CryptoError
from crypto.signatures import load_private_key, load_public_key
from tests.builders.certificates import MADE_AT, Pki, a_key, a_pki, spki_of

DAY = timedelta(days=1)
REQUEST = make_request(Subject("张三", "某公司", "91330106MA9901012G"), a_key())
PKI = a_pki()
changes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4)


def _changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    bytes_ = bytearray(data)
    for at, by in changes:
        bytes_[at % len(bytes_)] ^= by
    return bytes(bytes_)


@given(changes)
def test_a_request_with_any_changed_bytes_proves_nothing_else(changes: list[tuple[int, int]]) -> None:
    """What is around the signed part has bits that nobody reads; the subject and the key stay what was signed."""
    try:
        found = read_request(_changed(REQUEST, changes), at=MADE_AT)
    except CryptoError:
        return
    assert found == read_request(REQUEST, at=MADE_AT)


@given(changes)
def test_a_certificate_with_any_changed_bytes_is_refused(changes: list[tuple[int, int]]) -> None:
    changed = _changed(PKI.certificate.der, changes)
    if changed != PKI.certificate.der:
        with pytest.raises(CryptoError):
            PKI.validated(certificate=Certificate(changed))


@given(changes)
def test_a_list_with_any_changed_bytes_counts_as_none(changes: list[tuple[int, int]]) -> None:
    root, issuing = PKI.lists
    changed = _changed(issuing, changes)
    if changed != issuing:
        with pytest.raises(CertificateRefusedError) as caught:
            PKI.validated(lists=[root, changed])
        assert caught.value.fault is Fault.REVOCATION_UNKNOWN


MADE: dict[str, Callable[[], bytes]] = {
    "certificate": lambda: a_pki().certificate.der,
    "list": lambda: PKI.lists[1],
    "request": lambda: make_request(Subject("张三", "某公司", "91330106MA9901012G"), a_key()),
}
READ: dict[str, Callable[[bytes], object]] = {
    "certificate": Certificate,
    "list": lambda der: PKI.validated(lists=[PKI.lists[0], der]),
    "request": lambda der: read_request(der, at=MADE_AT),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_signature_that_leaves_a_bit_over_is_none(kind: str) -> None:
    """Where its last bit is 0 anyway, the octets are the same, and nobody has signed how many bits they are."""
    der = MADE[kind]()
    while der[-1] & 1:
        der = MADE[kind]()
    READ[kind](der)
    bits_left = len(der) - len(core.Sequence.load(der)[2].contents)  # the signature comes last

    with pytest.raises(CryptoError):
        READ[kind](der[:bits_left] + b"\x01" + der[bits_left + 1 :])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_none_of_these(data: bytes) -> None:
    for read in (
        lambda: read_request(data, at=MADE_AT),
        lambda: read_certificates(data),
        lambda: load_public_key(data),
        lambda: load_private_key(data),
        lambda: keyfiles.decrypt_key(data, "passphrase"),
        lambda: PKI.validated(lists=[*PKI.lists, data]),
        lambda: PKI.validated(answers=[data]),
    ):
        with pytest.raises(CryptoError):
            read()


def test_a_list_that_is_too_long_is_not_read() -> None:
    with pytest.raises(CertificateRefusedError):
        PKI.validated(lists=[bytes(LIST_BYTES_MAX + 1)])
    with pytest.raises(CryptoError):
        Certificate(bytes(20_000))


def _signed_with(scheme: padding.PSS | None, algorithm: hashes.HashAlgorithm) -> tuple[Pki, Certificate]:
    """A certificate that ``cryptography`` wrote with the issuing authority's RSA key, as an outside one would."""
    pki = a_pki("rsa-pkcs1v15-sha256")
    key = pki.issuing.key
    assert isinstance(key, rsa.RSAPrivateKey)
    issuer = x509.load_der_x509_certificate(pki.issuing.certificate.der).subject
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "张三")]))
        .issuer_name(issuer)
        .public_key(a_key().public_key())  # type: ignore[arg-type]
        .serial_number(7)
        .not_valid_before(MADE_AT)
        .not_valid_after(MADE_AT + 30 * DAY)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=True, encipher_only=False, decipher_only=False, **usage
            ),
            critical=True,
        )
    )
    made = builder.sign(key, algorithm, rsa_padding=scheme)  # type: ignore[arg-type]
    return pki, Certificate(made.public_bytes(Encoding.DER))


def test_an_authority_may_sign_with_pss() -> None:
    pki, made = _signed_with(padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert pki.validated(certificate=made).certificate == made


def test_an_algorithm_that_the_registry_does_not_have_is_refused() -> None:
    for scheme, algorithm in (
        (padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256()),
        (padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()),
        (None, hashes.SHA224()),
    ):
        pki, made = _signed_with(scheme, algorithm)
        with pytest.raises(CertificateRefusedError) as caught:
            pki.validated(certificate=made)
        assert caught.value.fault is Fault.ALGORITHM


def test_a_public_key_that_is_none_is_refused_before_it_is_certified() -> None:
    with pytest.raises(CryptoError):
        PKI.issuing.issue(Profile.STAFF, Subject("张三"), spki_of(a_key())[:-1], at=MADE_AT)
