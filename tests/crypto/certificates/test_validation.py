from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import crl, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags, load_der_x509_certificate, ocsp

from crypto.certificates.authority import Authority, Reason, Revocation, new_root
from crypto.certificates.certificate import CHAIN_LEN_MAX, Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.validation import (
    CertificateRefusedError,
    Fault,
    Trust,
    Use,
    self_issued,
    signed_by,
    trust_of,
    valid_until,
)
from crypto.errors import CryptoError, NotVerifiedError
from crypto.suites import parse_denials
from tests.builders.certificates import CREDIT_CODE, DAY, KEY_KINDS, MADE_AT, Pki, a_key, a_pki, spki_of

SECOND = timedelta(seconds=1)
kinds = pytest.mark.parametrize("kind", KEY_KINDS)


def _refused(pki: Pki, fault: Fault, **changes: Any) -> None:
    with pytest.raises(CertificateRefusedError) as caught:
        pki.validated(**changes)
    assert caught.value.fault is fault, caught.value


def _tampered(der: bytes, part: bytes) -> bytes:
    at = der.rindex(part)
    return der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]


@kinds
def test_a_chain_up_to_a_trusted_root_is_good(kind: str) -> None:
    pki = a_pki(kind)

    found = pki.validated()

    assert found.path == (pki.root.certificate, pki.issuing.certificate, pki.certificate)
    assert found.certificate.subject == Subject("张三", "杭州云桥科技有限公司", CREDIT_CODE)
    assert pki.validated(chain=[pki.issuing.certificate], trust=Trust((pki.root.certificate,))).path == found.path


@kinds
def test_a_changed_certificate_is_refused(kind: str) -> None:
    pki = a_pki(kind)
    for part in ("张三".encode(), CREDIT_CODE.encode(), b"\x30\x0b\x06\x03\x55\x1d\x0f"[5:], spki_of(pki.key)[-4:]):
        with pytest.raises(CryptoError):  # some changes leave nothing that can be read
            pki.validated(certificate=Certificate(_tampered(pki.certificate.der, part)))
    changed = Certificate(pki.certificate.der[:-1] + bytes([pki.certificate.der[-1] ^ 1]))
    _refused(pki, Fault.BROKEN, certificate=changed)


@kinds
def test_a_changed_list_counts_as_none(kind: str) -> None:
    pki = a_pki(kind)
    ours, theirs = pki.lists
    for changed in (theirs[:-1] + bytes([theirs[-1] ^ 1]), _tampered(theirs, "浙采试用签发机构".encode())):
        _refused(pki, Fault.REVOCATION_UNKNOWN, lists=[ours, changed])


def test_a_list_that_cannot_be_read_is_not_passed_over() -> None:
    pki = a_pki()
    for garbage in (b"", b"garbage", pki.lists[0][:-1]):
        _refused(pki, Fault.REVOCATION_UNKNOWN, lists=[*pki.lists, garbage])


@kinds
def test_each_authority_s_list_is_required(kind: str) -> None:
    pki = a_pki(kind)
    for lists in ([], pki.lists[:1], pki.lists[1:]):
        _refused(pki, Fault.REVOCATION_UNKNOWN, lists=lists)


def test_a_list_of_another_authority_of_the_same_name_counts_as_none() -> None:
    pki = a_pki()
    name = Subject("浙采试用签发机构", "浙江省财政厅")
    forged = new_root(name, a_key("ecdsa-p256-sha256", 9), at=MADE_AT).revocation_list([], number=9, at=MADE_AT)

    _refused(pki, Fault.REVOCATION_UNKNOWN, lists=[pki.lists[0], forged])


def test_a_list_says_until_when_it_holds() -> None:
    assert valid_until(a_pki().lists[1]) == MADE_AT + 7 * DAY
    with pytest.raises(CertificateRefusedError):
        valid_until(b"garbage")


def test_a_list_holds_from_its_first_to_its_last_moment() -> None:
    pki = a_pki()

    assert pki.validated(at=MADE_AT)
    assert pki.validated(at=MADE_AT + 7 * DAY)
    _refused(pki, Fault.REVOCATION_UNKNOWN, at=MADE_AT - SECOND)
    _refused(pki, Fault.REVOCATION_UNKNOWN, at=MADE_AT + 7 * DAY + SECOND)


@kinds
def test_a_revoked_certificate_is_refused(kind: str) -> None:
    pki = a_pki(kind)
    for reason in Reason:
        line = Revocation(pki.certificate.serial, MADE_AT, reason)
        revoked = pki.issuing.revocation_list([line], number=2, at=MADE_AT)
        _refused(pki, Fault.REVOKED, lists=[pki.lists[0], revoked])


def test_a_revoked_authority_takes_its_certificates_along() -> None:
    pki = a_pki()
    revoked = pki.root.revocation_list([Revocation(pki.issuing.certificate.serial, MADE_AT)], number=2, at=MADE_AT)

    _refused(pki, Fault.REVOKED, lists=[revoked, pki.lists[1]])


def test_another_s_revocation_is_nobody_else_s() -> None:
    pki = a_pki()
    other = pki.issuing.revocation_list([Revocation(pki.certificate.serial + 1, MADE_AT)], number=2, at=MADE_AT)

    assert pki.validated(lists=[pki.lists[0], other])


def test_a_certificate_is_good_from_its_first_to_its_last_second() -> None:
    pki = a_pki()
    certificate = pki.certificate
    fresh = [
        authority.revocation_list([], number=3, at=certificate.not_after - DAY) for authority in (pki.root, pki.issuing)
    ]
    early = [
        authority.revocation_list([], number=3, at=certificate.not_before - DAY)
        for authority in (pki.root, pki.issuing)
    ]

    assert pki.validated(at=certificate.not_after, lists=fresh)
    assert pki.validated(at=certificate.not_before, lists=early)
    _refused(pki, Fault.EXPIRED, at=certificate.not_after + SECOND, lists=fresh)
    _refused(pki, Fault.NOT_YET_VALID, at=certificate.not_before - SECOND, lists=early)


def test_a_certificate_is_not_good_for_what_it_was_not_issued_for() -> None:
    supplier, service = a_pki(), a_pki(profile=Profile.SERVICE, dns_names=["zc.example.cn"])

    for use in (Use.LOGIN, Use.SIGNING):
        assert supplier.validated(use=use)
    assert service.validated(use=Use.SERVICE)
    _refused(supplier, Fault.WRONG_USE, use=Use.SERVICE)
    authority = a_pki()
    _refused(authority, Fault.WRONG_USE, certificate=authority.issuing.certificate, use=Use.LOGIN)


def test_a_root_that_is_not_trusted_proves_nothing() -> None:
    pki, stranger = a_pki(), new_root(Subject("另一个根证书"), a_key("ecdsa-p256-sha256", 8), at=MADE_AT)

    _refused(pki, Fault.UNTRUSTED, trust=Trust((stranger.certificate,), (pki.issuing.certificate,)))
    _refused(pki, Fault.UNTRUSTED, trust=Trust((pki.root.certificate,)))


def test_a_forged_root_of_the_same_name_proves_nothing() -> None:
    pki = a_pki()
    forged = new_root(Subject("浙采试用根证书", "浙江省财政厅"), a_key("ecdsa-p256-sha256", 8), at=MADE_AT)

    with pytest.raises(CertificateRefusedError):
        pki.validated(trust=Trust((forged.certificate,), (pki.issuing.certificate,)))


def test_a_supplier_s_certificate_makes_no_others() -> None:
    pki = a_pki()
    with pytest.raises(Exception, match="not one of an authority"):
        Authority(pki.certificate, pki.key)


def test_a_denied_algorithm_is_refused_from_its_day_on() -> None:
    pki = a_pki()
    before, after = (parse_denials(f"ecdsa-p256-sha256@{day}") for day in ("2026-11-25", "2026-11-24"))

    assert pki.validated(trust=Trust(pki.trust.roots, pki.trust.intermediates, before))
    _refused(pki, Fault.ALGORITHM, trust=Trust(pki.trust.roots, pki.trust.intermediates, after))


def test_a_long_chain_is_refused() -> None:
    pki = a_pki()
    assert pki.validated(chain=[pki.issuing.certificate] * CHAIN_LEN_MAX)
    _refused(pki, Fault.UNTRUSTED, chain=[pki.issuing.certificate] * (CHAIN_LEN_MAX + 1))


def _answer(pki: Pki, *, revoked: bool = False, responder: Authority | None = None) -> bytes:
    """An OCSP answer about the supplier's certificate, made by ``cryptography``."""
    issuer = load_der_x509_certificate(pki.issuing.certificate.der)
    signer = responder or pki.issuing
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = ocsp.OCSPResponseBuilder().add_response(
        load_der_x509_certificate(pki.certificate.der),
        issuer,
        hashes.SHA256(),
        status,
        MADE_AT,
        MADE_AT + 2 * DAY,
        MADE_AT if revoked else None,
        ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, load_der_x509_certificate(signer.certificate.der))
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def test_an_ocsp_answer_stands_for_the_list() -> None:
    pki = a_pki(ocsp_url="http://ocsp.example.cn")
    assert pki.certificate.ocsp_urls == ("http://ocsp.example.cn",)

    assert pki.validated(lists=pki.lists[:1], answers=[_answer(pki)])
    _refused(pki, Fault.REVOKED, lists=pki.lists[:1], answers=[_answer(pki, revoked=True)])


def test_a_changed_old_or_foreign_ocsp_answer_counts_as_none() -> None:
    pki = a_pki(ocsp_url="http://ocsp.example.cn")
    good = _answer(pki)
    stranger = new_root(Subject("另一个根证书"), a_key("ecdsa-p256-sha256", 8), at=MADE_AT)
    root = pki.lists[:1]

    _refused(pki, Fault.REVOCATION_UNKNOWN, lists=root, answers=[good[:-1] + bytes([good[-1] ^ 1])])
    _refused(pki, Fault.REVOCATION_UNKNOWN, lists=root, answers=[_answer(pki, responder=stranger)])
    _refused(pki, Fault.REVOCATION_UNKNOWN, lists=root, answers=[good], at=MADE_AT + 3 * DAY)
    _refused(pki, Fault.REVOCATION_UNKNOWN, lists=root, answers=[b"garbage"])


def test_a_root_is_what_has_signed_itself() -> None:
    pki = a_pki()

    assert self_issued(pki.root.certificate, MADE_AT) == pki.root.certificate
    assert signed_by(pki.certificate, pki.issuing.certificate, MADE_AT) == pki.certificate
    for wrong in (pki.issuing.certificate, pki.certificate):
        with pytest.raises(NotVerifiedError):
            self_issued(wrong, MADE_AT)
    with pytest.raises(NotVerifiedError):
        signed_by(pki.certificate, pki.root.certificate, MADE_AT)


def test_what_is_trusted_is_sorted_into_roots_and_the_rest() -> None:
    pki = a_pki()
    root, issuing = pki.root.certificate, pki.issuing.certificate

    assert trust_of([issuing, root], at=MADE_AT) == Trust((root,), (issuing,))
    forged = Certificate(root.der[:-1] + bytes([root.der[-1] ^ 1]))
    for wrong in ([], [issuing], [root, pki.certificate], [forged]):
        with pytest.raises(NotVerifiedError):
            trust_of(wrong, at=MADE_AT)


def test_asn1crypto_reads_what_we_write() -> None:
    pki = a_pki()
    line = Revocation(pki.certificate.serial, MADE_AT, Reason.KEY_COMPROMISE)
    written = crl.CertificateList.load(pki.issuing.revocation_list([line], number=7, at=MADE_AT), strict=True)

    assert written.crl_number_value.native == 7
    (entry,) = written["tbs_cert_list"]["revoked_certificates"]
    assert (entry["user_certificate"].native, entry.crl_reason_value.native) == (line.serial, "key_compromise")
    parsed = x509.Certificate.load(pki.certificate.der, strict=True)
    assert parsed.key_usage_value.native == {"digital_signature", "non_repudiation"}
    assert parsed.authority_key_identifier == pki.issuing.certificate.parsed.key_identifier
