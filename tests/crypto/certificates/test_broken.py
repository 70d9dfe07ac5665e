"""Bytes that are no certificate, list or request are refused by name; what is our own mistake is not swallowed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from asn1crypto import core, keys, x509
from cryptography import x509 as other
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import suites
from crypto.certificates import asn1
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.requests import make_request, read_request
from crypto.certificates.revocation import Answer, RevocationList
from crypto.certificates.validation import (
    RegistryPolicy,
    RegistryValidator,
    SignatureValidationContext,
    Trust,
    _driven,
    valid_until,
)
from crypto.errors import AlgorithmUnknownError, CryptoError, KeyUnusableError, NotVerifiedError
from crypto.suites import parse_denials
from tests.builders.certificates import DAY, MADE_AT, a_key, a_pki, spki_of
from tests.builders.revocation import a_responder, an_answer

TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x1C, 0x1E, 0x30, 0x31, 0x80, 0xA0)
PKI = a_pki()
LISTS = PKI.lists
REQUEST = make_request(Subject("张三", "测试单位"), a_key(number=9))

ASKED: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "certificate": (PKI.certificate.der, lambda der: PKI.validated(certificate=Certificate(der), lists=LISTS)),
    "chain": (
        PKI.issuing.certificate.der,
        lambda der: PKI.validated(chain=[Certificate(der)], trust=Trust((PKI.root.certificate,)), lists=LISTS),
    ),
    "root's list": (LISTS[0], lambda der: PKI.validated(lists=[der, LISTS[1]])),
    "list": (LISTS[1], lambda der: PKI.validated(lists=[LISTS[0], der])),
    "end of a list": (LISTS[1], valid_until),
    "list that was fetched": (LISTS[1], RevocationList),
    "answer": (an_answer(PKI, responder=a_responder(PKI.issuing)), Answer),
    "request": (REQUEST, lambda der: read_request(der, at=MADE_AT)),
}


@pytest.mark.parametrize("what", ASKED)
@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 2000), st.one_of(st.sampled_from(TAGS), st.integers(0, 255))), min_size=1, max_size=3
    )
)
def test_whatever_is_changed_the_answer_is_an_error_of_ours_or_right(what: str, changes: list[tuple[int, int]]) -> None:
    der, ask = ASKED[what]
    found = bytearray(der)
    for at, byte in changes:
        found[at % len(found)] = byte
    with suppress(CryptoError):  # anything else would be answered with a 500
        ask(bytes(found))


@pytest.mark.parametrize("character", ["\ue000", "\U000f0000", "\u0378"])
def test_a_name_that_cannot_be_compared_is_refused_when_the_certificate_is_read(character: str) -> None:
    """Characters of private use stand for rare Chinese ones in old systems; no path can be built through them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = other.Name([other.NameAttribute(NameOID.COMMON_NAME, f"张{character}")])
    made = (
        other.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(MADE_AT)
        .not_valid_after(MADE_AT + DAY)
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(NotVerifiedError, match="characters that no name may have"):
        Certificate(made.public_bytes(Encoding.DER))


def nested(depth: int) -> bytes:
    """A sequence in a sequence, so many times."""
    found = b"\x05\x00"
    for _ in range(depth):
        found = b"\x30\x84" + len(found).to_bytes(4) + found
    return found


def test_what_nests_without_an_end_is_refused() -> None:
    with pytest.raises(NotVerifiedError, match="too deep"), asn1.reading(NotVerifiedError("too deep")):
        asn1.parsed(core.Any, nested(5_000))
    assert asn1.parsed(core.Any, nested(5)).native is not None


def test_a_mistake_of_ours_is_no_broken_certificate() -> None:
    for mistake in (AssertionError, NotImplementedError, MemoryError, KeyboardInterrupt, ZeroDivisionError):
        with pytest.raises(mistake), asn1.reading(NotVerifiedError("not a certificate")):
            raise mistake


def test_an_algorithm_that_signs_no_certificates_is_refused() -> None:
    with pytest.raises(AlgorithmUnknownError, match="'sm4-gcm'"):
        asn1.signature_algorithm("sm4-gcm")
    with pytest.raises(KeyUnusableError, match="not a public key"):
        asn1.public_key_info(b"\x30\x03\x02\x01\x01")


def test_a_certificate_tells_what_stands_in_it() -> None:
    pki = a_pki(crl_url="http://zc.example/issuing.crl", ocsp_url="http://zc.example/ocsp")
    one, issuing = pki.certificate, pki.issuing.certificate

    assert one == Certificate(one.der)
    assert one != issuing
    assert {one: "found"}[Certificate(one.der)] == "found"
    assert repr(one) == f"<Certificate {one.serial_hex} of '张三'>"
    assert int(one.serial_hex, 16) == one.serial
    assert len(one.serial_hex) % 2 == 0
    assert (one.authority, issuing.authority) == (False, True)
    assert (one.path_length, issuing.path_length) == (None, 0)
    assert one.issuer_der == issuing.parsed.subject.dump()
    assert one.issuer == issuing.subject
    assert one.crl_urls == ("http://zc.example/issuing.crl",)
    assert one.ocsp_urls == ("http://zc.example/ocsp",)
    assert issuing.crl_urls == ()
    assert one.fingerprint == suites.digest("sha-256", one.der)
    for at, good in (
        (one.not_before, True),
        (one.not_after, True),
        (one.not_before - one.not_before.resolution, False),
        (one.not_after + one.not_after.resolution, False),
    ):
        assert one.valid_at(at) is good


def test_a_signature_over_a_bare_digest_is_not_accepted() -> None:
    pki = a_pki()
    parsed = pki.certificate.parsed
    arguments = (
        parsed["signature_value"].native,
        parsed["tbs_certificate"].dump(),
        pki.issuing.certificate.parsed.public_key,
        parsed["signature_algorithm"],
    )
    validator = RegistryValidator(MADE_AT)
    validator.validate_signature(*arguments)
    with pytest.raises(InvalidSignature, match="bare digest"):
        validator.validate_signature(
            *arguments, SignatureValidationContext(contextual_md_algorithm=None, prehashed=True)
        )


def test_an_algorithm_is_allowed_by_the_registry_the_day_and_the_key() -> None:
    pki = a_pki()
    policy = RegistryPolicy(parse_denials("ecdsa-p256-sha256@2026-11-24"))
    algorithm = pki.certificate.parsed["signature_algorithm"]
    key = pki.issuing.certificate.parsed.public_key
    weak = keys.PublicKeyInfo.load(spki_of(a_key("ed25519", 1)))
    unknown = x509.Certificate.load(pki.certificate.der)["signature_algorithm"].copy()
    unknown["algorithm"] = "1.2.840.113549.1.1.4"  # MD5 with RSA

    assert policy.signature_algorithm_allowed(algorithm, None, None).allowed
    assert policy.signature_algorithm_allowed(algorithm, datetime(2026, 11, 23, tzinfo=UTC), key).allowed
    assert policy.signature_algorithm_allowed(algorithm, None, weak).allowed
    assert not policy.signature_algorithm_allowed(algorithm, datetime(2026, 11, 25, tzinfo=UTC), key).allowed
    assert not policy.signature_algorithm_allowed(unknown, None, None).allowed


def test_a_validation_that_would_wait_is_a_mistake_of_ours() -> None:
    class Wait:
        def __await__(self) -> Any:
            yield

    async def waits() -> None:
        await Wait()

    with pytest.raises(AssertionError, match="waits for something"):
        _driven(waits())
