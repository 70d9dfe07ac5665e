"""What a list or an answer must be to count; others' programs write what ours reads, and read what ours writes."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import ocsp as parsed_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags, ocsp

from crypto.certificates.authority import Revocation, new_root
from crypto.certificates.names import Subject
from crypto.certificates.revocation import (
    ANSWER_BYTES_MAX,
    UNSAID,
    Answer,
    Question,
    RevocationList,
    Word,
    ocsp_request,
)
from crypto.certificates.validation import CertificateRefusedError, Fault, Trust, Use, judge, path_of
from crypto.errors import NotVerifiedError
from crypto.suites import parse_denials
from tests.builders.certificates import DAY, KEY_KINDS, MADE_AT, NEEDS_SM2, Pki, a_key, a_pki
from tests.builders.openssl import openssl
from tests.builders.revocation import a_responder, an_answer, key_file

SECOND = timedelta(seconds=1)
kinds = pytest.mark.parametrize("kind", KEY_KINDS)


def _question(pki: Pki, **changes: Any) -> Question:
    return Question(pki.certificate, pki.issuing.certificate, MADE_AT + DAY)._replace(**changes)


@kinds
def test_an_answer_of_the_issuer_counts_within_its_time(kind: str) -> None:
    pki = a_pki(kind)
    good, revoked = Answer(an_answer(pki)), Answer(an_answer(pki, status="revoked"))

    assert _question(pki).put(good) is Word.GOOD
    assert _question(pki).put(revoked) is Word.REVOKED
    for at, word in ((-SECOND, None), (0 * DAY, Word.GOOD), (2 * DAY, Word.GOOD), (2 * DAY + SECOND, None)):
        assert _question(pki, at=MADE_AT + at).put(good) is word
    assert _question(pki, at=MADE_AT - SECOND, ahead=SECOND).put(good) is Word.GOOD


@kinds
def test_an_answer_of_a_responder_whom_the_issuer_has_certified_counts(kind: str) -> None:
    pki = a_pki(kind)

    assert _question(pki).put(Answer(an_answer(pki, responder=a_responder(pki.issuing, kind)))) is Word.GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"uses": ("client_auth",)},
        {"uses": ()},
        {"no_check": False},
        {"until": MADE_AT + DAY - SECOND},
        {"by_root": True},
    ],
    ids=["for-login", "for-nothing", "not-exempt", "expired", "of-the-root"],
)
def test_an_answer_of_anybody_else_does_not(changes: dict[str, Any]) -> None:
    pki = a_pki()
    issuer = pki.root if "by_root" in changes else pki.issuing
    terms = {name: value for name, value in changes.items() if name != "by_root"}

    assert _question(pki).put(Answer(an_answer(pki, responder=a_responder(issuer, **terms)))) is None


def test_a_responder_s_forged_certificate_does_not_help() -> None:
    pki = a_pki()
    forger = new_root(Subject("浙采试用签发机构", "浙江省财政厅"), a_key(number=9), at=MADE_AT)

    assert _question(pki).put(Answer(an_answer(pki, responder=a_responder(forger)))) is None


def test_an_answer_about_another_certificate_or_unknown_says_nothing() -> None:
    pki, other = a_pki(), a_pki()

    assert other.certificate.serial != pki.certificate.serial
    assert _question(pki).put(Answer(an_answer(other))) is None
    assert _question(pki).put(Answer(an_answer(pki, status="unknown"))) is None


def test_an_answer_that_names_no_end_holds_ten_minutes() -> None:
    pki = a_pki()
    answer = Answer(an_answer(pki, holds=None))

    assert _question(pki, at=MADE_AT + UNSAID).put(answer) is Word.GOOD
    assert _question(pki, at=MADE_AT + UNSAID + SECOND).put(answer) is None


def test_a_refusal_garbage_and_too_much_are_no_answers() -> None:
    for status in (ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.UNAUTHORIZED):
        refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
        with pytest.raises(NotVerifiedError, match="gives no answer"):
            Answer(refusal)
    for garbage in (b"", b"garbage", an_answer(a_pki())[:-1], bytes(ANSWER_BYTES_MAX + 1)):
        with pytest.raises(NotVerifiedError):
            Answer(garbage)


def test_an_answer_in_which_a_byte_was_changed_does_not_count() -> None:
    pki = a_pki()
    good = an_answer(pki)
    for place in range(0, len(good), 7):
        changed = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        try:
            answer = Answer(changed)
        except NotVerifiedError:
            continue
        assert _question(pki).put(answer) is None, place


def test_cryptography_reads_our_question() -> None:
    pki = a_pki()
    read = ocsp.load_der_ocsp_request(ocsp_request(pki.certificate, pki.issuing.certificate))
    issuer = x509.load_der_x509_certificate(pki.issuing.certificate.der)
    theirs = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(pki.certificate.der),
        issuer,
        hashes.SHA1(),  # noqa: S303 - it names an issuer
    )
    expected = theirs.build()

    assert read.serial_number == pki.certificate.serial
    assert read.issuer_key_hash == expected.issuer_key_hash
    assert read.issuer_name_hash == expected.issuer_name_hash
    assert read.public_bytes(Encoding.DER) == expected.public_bytes(Encoding.DER)


def test_openssl_answers_our_question(tmp_path: Path) -> None:
    """The responder writes with its own clock, so the question is put at the moment that it writes."""
    pki = a_pki()
    responder = a_responder(pki.issuing, since=MADE_AT - 3650 * DAY, until=MADE_AT + 3650 * DAY)
    serials = {"V": pki.certificate.serial_hex, "R": "1F"}
    ends = "360101000000Z"
    lines = [
        f"V\t{ends}\t\t{serials['V']}\tunknown\t/CN=a",
        f"R\t{ends}\t261101000000Z\t{serials['R']}\tunknown\t/CN=b",
    ]
    (tmp_path / "index").write_text("\n".join(lines) + "\n")
    (tmp_path / "request").write_bytes(ocsp_request(pki.certificate, pki.issuing.certificate))
    (tmp_path / "issuer.pem").write_bytes(pki.issuing.certificate.pem())
    (tmp_path / "responder.pem").write_bytes(responder.certificate.pem())
    (tmp_path / "responder.key").write_bytes(key_file(responder))
    command = ["ocsp", "-index", str(tmp_path / "index"), "-CA", str(tmp_path / "issuer.pem")]
    command += ["-rsigner", str(tmp_path / "responder.pem"), "-rkey", str(tmp_path / "responder.key")]
    command += ["-reqin", str(tmp_path / "request"), "-respout", str(tmp_path / "answer"), "-nmin", "60"]
    found = openssl(*command)
    assert found.returncode == 0, found.stderr
    der = (tmp_path / "answer").read_bytes()
    (said,) = parsed_ocsp.OCSPResponse.load(der).basic_ocsp_response["tbs_response_data"]["responses"]
    at = said["this_update"].native.astimezone(UTC)

    assert _question(pki, at=at).put(Answer(der)) is Word.GOOD


def test_openssl_and_we_agree_about_a_list(tmp_path: Path) -> None:
    pki = a_pki()
    for revoked, code in (([], 0), ([Revocation(pki.certificate.serial, MADE_AT)], 2)):
        lists = [pki.lists[0], pki.issuing.revocation_list(revoked, number=2, at=MADE_AT)]
        word = _question(pki).put(RevocationList(lists[1]))
        (tmp_path / "chain").write_bytes(pki.root.certificate.pem() + pki.issuing.certificate.pem())
        (tmp_path / "list").write_bytes(x509.load_der_x509_crl(lists[1]).public_bytes(Encoding.PEM))
        (tmp_path / "one").write_bytes(pki.certificate.pem())
        command = ["verify", "-crl_check", "-CRLfile", str(tmp_path / "list"), "-CAfile", str(tmp_path / "chain")]
        command += ["-attime", str(int((MADE_AT + DAY).timestamp())), str(tmp_path / "one")]
        assert openssl(*command).returncode == code
        assert word is (Word.REVOKED if revoked else Word.GOOD)


def _foreign_list(pki: Pki, *extensions: tuple[x509.ExtensionType, bool], revoked: bool = False) -> RevocationList:
    """A list that ``cryptography`` writes."""
    issuer = x509.load_der_x509_certificate(pki.issuing.certificate.der)
    builder = x509.CertificateRevocationListBuilder(issuer.subject, MADE_AT, MADE_AT + 7 * DAY)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if revoked:
        line = x509.RevokedCertificateBuilder(pki.certificate.serial, MADE_AT)
        line = line.add_extension(x509.CRLReason(ReasonFlags.certificate_hold), critical=False)
        builder = builder.add_revoked_certificate(line.build())
    made = builder.sign(pki.issuing.key, hashes.SHA256())  # type: ignore[arg-type]
    return RevocationList(made.public_bytes(Encoding.DER))


def _scope(**changes: Any) -> tuple[x509.ExtensionType, bool]:
    said: dict[str, Any] = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"), False
    )
    said |= dict.fromkeys(("full_name", "relative_name", "only_some_reasons")) | changes
    return x509.IssuingDistributionPoint(**said), True


HERE = "http://crl.example.cn/7.crl"


def test_a_list_counts_for_what_its_scope_covers() -> None:
    pki = a_pki(crl_url=HERE)
    question = _question(pki)
    names = {url: [x509.UniformResourceIdentifier(url)] for url in (HERE, "http://crl.example.cn/8.crl")}

    assert question.put(_foreign_list(pki, revoked=True)) is Word.REVOKED  # a certificate on hold
    assert question.put(_foreign_list(pki, _scope(only_contains_user_certs=True))) is Word.GOOD
    assert question.put(_foreign_list(pki, _scope(full_name=names[HERE]))) is Word.GOOD
    for other in (
        {"only_contains_ca_certs": True},
        {"only_contains_attribute_certs": True},
        {"full_name": names["http://crl.example.cn/8.crl"]},
    ):
        assert question.put(_foreign_list(pki, _scope(**other))) is None, other


def test_a_partial_or_indirect_list_does_not_count() -> None:
    pki = a_pki()

    assert _question(pki).put(_foreign_list(pki, (x509.DeltaCRLIndicator(1), True))) is None
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert _question(pki).put(_foreign_list(pki, (unknown, False))) is Word.GOOD
    assert _question(pki).put(_foreign_list(pki, (unknown, True))) is None
    for other in (_scope(indirect_crl=True), _scope(only_some_reasons=frozenset({ReasonFlags.key_compromise}))):
        with pytest.raises(NotVerifiedError):
            _foreign_list(pki, other)


def test_a_list_of_a_denied_algorithm_does_not_count() -> None:
    pki = a_pki()
    found = RevocationList(pki.lists[1])

    assert _question(pki).put(found) is Word.GOOD
    for day, word in (("2026-11-24", None), ("2026-11-25", Word.GOOD)):  # also when it was verified before
        assert _question(pki, denials=parse_denials(f"ecdsa-p256-sha256@{day}")).put(found) is word


def test_a_list_is_verified_for_each_issuer() -> None:
    pki = a_pki()
    found = RevocationList(pki.lists[1])
    renamed = new_root(Subject("浙采试用签发机构", "浙江省财政厅"), a_key(number=9), at=MADE_AT).certificate

    assert _question(pki).put(found) is Word.GOOD
    assert _question(pki, issuer=renamed).put(found) is None
    assert _question(pki).put(found) is Word.GOOD


@pytest.mark.parametrize("kind", [pytest.param("sm2-sm3", marks=NEEDS_SM2), "ecdsa-p256-sha256"])
def test_one_link_by_list_and_one_by_answer_make_a_path(kind: str) -> None:
    pki = a_pki(kind)
    path = path_of(pki.certificate, [], pki.trust, at=MADE_AT + DAY, use=Use.SIGNING)
    root, issuing = map(RevocationList, pki.lists)
    good, revoked = Answer(an_answer(pki)), Answer(an_answer(pki, status="revoked"))

    judge(path, [root], [good])
    for lists, answers, fault in (
        ([root], [], Fault.REVOCATION_UNKNOWN),
        ([], [good], Fault.REVOCATION_UNKNOWN),
        ([root, issuing], [revoked], Fault.REVOKED),
        ([root], [good, revoked], Fault.REVOKED),
    ):
        with pytest.raises(CertificateRefusedError) as caught:
            judge(path, lists, answers)
        assert caught.value.fault is fault


def test_a_path_is_built_only_to_a_root_that_is_trusted() -> None:
    pki = a_pki(crl_url="http://169.254.169.254/latest")
    stranger = new_root(Subject("另一个根证书"), a_key(number=8), at=MADE_AT)
    sent = [pki.issuing.certificate, pki.root.certificate]

    with pytest.raises(CertificateRefusedError) as caught:
        path_of(pki.certificate, sent, Trust((stranger.certificate,)), at=MADE_AT + DAY, use=Use.LOGIN)
    assert caught.value.fault is Fault.UNTRUSTED
