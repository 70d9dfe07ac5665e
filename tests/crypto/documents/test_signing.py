"""People sign a document one after another, the platform seals it, and whatever is altered is found."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from pyhanko.pdf_utils.generic import NameObject, TextStringObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from crypto import signatures
from crypto.certificates.authority import Reason, Revocation
from crypto.certificates.validation import Trust
from crypto.documents.checking import Believed, Found, Kind, check
from crypto.documents.pdf import PDF_BYTES_MAX, DocumentError, Stamper
from crypto.documents.signing import finish, prepare, seal
from crypto.errors import NotVerifiedError
from crypto.timestamps.token import BadToken
from tests.builders.documents import AnOffice, Person, a_pdf
from tests.builders.stamps import NOON, AStampingHouse

OFFICE: Final = AnOffice()
PEOPLE: Final = {name: OFFICE.person(name) for name in ("张三", "李四", "王五")}
BELIEVED: Final = Believed(OFFICE.trust, OFFICE.stamps.trust)
YEAR: Final = timedelta(days=365)


def signed(pdf: bytes, person: Person, field: str = "s1", *, stamp: Stamper | None = None) -> bytes:
    prepared = prepare(pdf, (person.certificate, *person.chain), field=field, reason="确认结果", at=NOON)
    return finish(prepared, person.signs(prepared), at=NOON, stamp=stamp)


@pytest.fixture(scope="module")
def everything() -> bytes:
    """Three people and the seal, all with time stamps."""
    pdf = a_pdf()
    for number, person in enumerate(PEOPLE.values(), 1):
        pdf = signed(pdf, person, f"s{number}", stamp=OFFICE.stamp)
    return seal(pdf, OFFICE.seal(), reason="平台盖章", at=NOON, stamp=OFFICE.stamp)


def reason(pdf: bytes, believed: Believed = BELIEVED, **changes: Any) -> str:
    with pytest.raises((NotVerifiedError, DocumentError)) as bad:
        check(pdf, believed, **{"at": NOON, **changes})
    return str(bad.value)


def names(found: tuple[Found, ...]) -> list[str | None]:
    return [one.signer and one.signer.subject.common_name for one in found]


def test_several_people_sign_in_order_and_the_platform_seals(everything: bytes) -> None:
    found = check(everything, BELIEVED, at=NOON)

    assert names(found) == ["张三", "李四", "王五", "浙采平台", None]
    assert [one.field for one in found[:4]] == ["s1", "s2", "s3", "seal"]
    assert [one.kind for one in found] == [Kind.SIGNATURE] * 4 + [Kind.TIME_STAMP]
    assert {one.stamped_at for one in found} == {NOON}
    assert {one.claimed_at for one in found[:4]} == {NOON}
    assert [one.later for one in found] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("algorithm", ["ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pkcs1v15-sha256"])
def test_keys_of_each_kind_sign(algorithm: str) -> None:
    office = AnOffice(algorithm=algorithm)
    found = check(signed(a_pdf(), office.person("张三")), Believed(office.trust), at=NOON)
    assert names(found) == ["张三"]


def test_a_signature_of_the_browser_is_taken() -> None:
    """WebCrypto gives ``r ‖ s``."""
    person = PEOPLE["张三"]
    prepared = prepare(a_pdf(), (person.certificate,), field="s1", reason="确认", at=NOON)
    size = 32
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature  # noqa: PLC0415

    r, s = decode_dss_signature(person.signs(prepared))
    raw = r.to_bytes(size) + s.to_bytes(size)
    assert names(check(finish(prepared, signatures.ecdsa_der(raw), at=NOON), BELIEVED, at=NOON)) == ["张三"]


def test_another_persons_signature_is_not_put_in() -> None:
    person = PEOPLE["张三"]
    prepared = prepare(a_pdf(), (person.certificate,), field="s1", reason="确认", at=NOON)
    with pytest.raises(NotVerifiedError):
        finish(prepared, PEOPLE["李四"].signs(prepared), at=NOON)


def test_a_signature_over_another_document_is_not_put_in() -> None:
    person = PEOPLE["张三"]
    first, second = (
        prepare(a_pdf(text), (person.certificate,), field="s1", reason="确认", at=NOON) for text in ("one", "two")
    )
    with pytest.raises(NotVerifiedError):
        finish(second, person.signs(first), at=NOON)


def test_a_field_is_signed_once() -> None:
    pdf = signed(a_pdf(), PEOPLE["张三"])
    with pytest.raises(DocumentError, match="cannot be signed"):
        signed(pdf, PEOPLE["李四"])


@pytest.mark.parametrize("what", [b"", b"hello", b"%PDF-1.7\n"])
def test_what_is_no_document_is_refused(what: bytes) -> None:
    with pytest.raises(DocumentError):
        signed(what, PEOPLE["张三"])
    with pytest.raises(DocumentError):
        seal(what, OFFICE.seal(), reason="盖章", at=NOON)
    assert reason(what)


def test_a_document_has_so_many_bytes_and_no_more() -> None:
    big = a_pdf() + bytes(PDF_BYTES_MAX)
    assert str(PDF_BYTES_MAX) in reason(big)
    with pytest.raises(DocumentError, match=str(PDF_BYTES_MAX)):
        signed(big, PEOPLE["张三"])


def test_a_document_without_signatures_is_not_verified() -> None:
    assert "0 signatures" in reason(a_pdf())


def flips(pdf: bytes) -> Iterator[tuple[int, bytes]]:
    """Every hundredth byte, each altered by one bit: every part of the document is hit."""
    for place in range(7, len(pdf), 101):
        yield place, pdf[:place] + bytes((pdf[place] ^ 1,)) + pdf[place + 1 :]


def test_a_flipped_byte_is_found_wherever_it_is() -> None:
    """But for padding: zeros after the signature's structure, in the room that was left for it."""
    pdf = signed(a_pdf(), PEOPLE["张三"])
    begins = pdf.index(b"/Contents <") + len(b"/Contents <")
    ends = pdf.index(b">", begins)
    padding = begins + len(pdf[begins:ends].rstrip(b"0"))
    good = check(pdf, BELIEVED, at=NOON)
    for place, altered in flips(pdf):
        try:
            assert check(altered, BELIEVED, at=NOON) == good
        except (NotVerifiedError, DocumentError):
            continue
        assert padding <= place < ends, f"byte {place} was altered unnoticed"


def test_what_is_added_later_is_found(everything: bytes) -> None:
    writer = IncrementalPdfFileWriter(io.BytesIO(everything))
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    page[NameObject("/Annots")] = TextStringObject("a note that hides the price")
    writer.mark_update(page.container_ref)
    out = io.BytesIO()
    writer.write(out)

    assert "added after" in reason(out.getvalue())


def test_bytes_after_the_end_are_found(everything: bytes) -> None:
    assert reason(everything + b"\n% something")


def test_a_signature_cannot_be_cut_off_unnoticed_by_who_knows_the_number(everything: bytes) -> None:
    """What is left is good: it is for the caller to know who had to sign."""
    first = everything[: everything.index(b"%%EOF", everything.index(b"/ByteRange")) + 6]
    assert names(check(first, BELIEVED, at=NOON)) == ["张三"]


def test_a_stranger_is_not_believed(everything: bytes) -> None:
    assert "not trusted" in reason(everything, Believed(AnOffice().trust, OFFICE.stamps.trust))
    assert "no trusted root" in reason(everything, Believed(OFFICE.trust, AStampingHouse().trust))


def test_without_a_trust_in_time_a_time_stamp_is_not_believed(everything: bytes) -> None:
    assert "nobody is believed about time" in reason(everything, Believed(OFFICE.trust))


def test_a_time_stamp_keeps_a_signature_good_after_its_certificate(everything: bytes) -> None:
    late = NOON + 2 * YEAR
    assert len(check(everything, BELIEVED, at=late)) == 5
    assert "not trusted, or was not valid then" in reason(signed(a_pdf(), PEOPLE["张三"]), at=late)


@pytest.mark.parametrize(("revoked", "good"), [(timedelta(seconds=-1), False), (timedelta(seconds=1), True)])
def test_a_certificate_that_was_revoked_before_does_not_sign(revoked: timedelta, good: bool) -> None:  # noqa: FBT001
    person = OFFICE.person("赵六")
    pdf = signed(a_pdf(), person, stamp=OFFICE.stamp)
    line = Revocation(person.certificate.serial, NOON + revoked, Reason.KEY_COMPROMISE)
    believed = Believed(OFFICE.trust, OFFICE.stamps.trust, (OFFICE.root.revocation_list([line], number=2, at=NOON),))
    if good:
        assert names(check(pdf, believed, at=NOON)) == ["赵六"]
    else:
        assert "revoked" in reason(pdf, believed)


def test_a_time_stamp_that_is_not_good_is_not_put_in() -> None:
    def broken(_: object) -> bytes:
        raise BadToken("the authority is not trusted")

    with pytest.raises(BadToken):
        signed(a_pdf(), PEOPLE["张三"], stamp=broken)


def test_without_time_stamps_the_seal_is_plain() -> None:
    (found,) = check(seal(a_pdf(), OFFICE.seal(), reason="盖章", at=NOON), BELIEVED, at=NOON)
    assert (found.stamped_at, found.claimed_at) == (None, NOON)


def test_a_seal_that_leads_to_nobody_trusted_is_not_made() -> None:
    strange = AnOffice().seal()
    wrong = type(strange)(strange.key, strange.certificate, (), Trust((OFFICE.root.certificate,)))
    with pytest.raises(DocumentError, match="cannot be sealed"):
        seal(a_pdf(), wrong, reason="盖章", at=NOON, stamp=OFFICE.stamp)
