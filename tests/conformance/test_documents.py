"""Others read our signatures: poppler's ``pdfsig``, and pyHanko's own check from the document alone."""

import io
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature
from pyhanko.sign.validation.errors import NoDSSFoundError

from crypto import signatures
from crypto.certificates.authority import new_root
from crypto.certificates.names import Subject
from crypto.documents.checking import Believed, check
from crypto.documents.pdf import DocumentError
from crypto.documents.signing import finish, keep_checkable, prepare, seal
from tests.builders.documents import AnOffice, a_pdf
from tests.builders.stamps import NOON

PDFSIG: Final = shutil.which("pdfsig")
OFFICE: Final = AnOffice(algorithm="rsa-pkcs1v15-sha256")
needs_pdfsig: Final = pytest.mark.skipif(
    PDFSIG is None, reason="needs the program pdfsig (Debian: apt install poppler-utils)"
)


@pytest.fixture(scope="module")
def document() -> bytes:
    pdf = a_pdf()
    for number, name in enumerate(("张三", "李四"), 1):
        person = OFFICE.person(name)
        prepared = prepare(pdf, (person.certificate, *person.chain), field=f"s{number}", reason="确认", at=NOON)
        pdf = finish(prepared, person.signs(prepared), at=NOON, stamp=OFFICE.stamp)
    return seal(pdf, OFFICE.seal(), reason="平台盖章", at=NOON, stamp=OFFICE.stamp)


def pdfsig(folder: Path, pdf: bytes) -> str:
    assert PDFSIG is not None
    path = folder / "document.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(
        [PDFSIG, path], capture_output=True, text=True, check=False, timeout=30, env={"HOME": str(folder)}
    )
    return done.stdout


@needs_pdfsig
def test_pdfsig_finds_every_signature_valid(document: bytes, tmp_path: Path) -> None:
    said = pdfsig(tmp_path, document)

    assert said.count("Signature is Valid.") == 3
    assert [line.split(": ")[1] for line in said.splitlines() if "Common Name" in line][:3] == [
        "张三",
        "李四",
        "浙采平台",
    ]
    assert said.count("Signature Type: ETSI.CAdES.detached") == 3


@needs_pdfsig
def test_pdfsig_finds_a_flipped_byte(document: bytes, tmp_path: Path) -> None:
    place = document.index(b"contract")
    said = pdfsig(tmp_path, document[:place] + b"C" + document[place + 1 :])

    assert "Signature is Valid." not in said
    assert said.count("Digest Mismatch.") == 3


def test_pyhanko_finds_the_seal_good_with_what_is_in_the_document(document: bytes) -> None:
    assert judged(document)["seal"]


def judged(pdf: bytes) -> dict[str, bool]:
    """Tell of each signature whether pyHanko finds it good with the roots and nothing but what is in the document."""
    roots = [root.parsed for root in OFFICE.all_trust.roots]
    return judged_by_roots(pdf, roots, at=NOON)


def judged_by_roots(pdf: bytes, roots: list[x509.Certificate], *, at: datetime) -> dict[str, bool]:
    """Every certificate, those of time stamps too, must be covered by a revocation list in the document."""
    reader = PdfFileReader(io.BytesIO(pdf))
    options = {"trust_roots": roots, "allow_fetching": False, "moment": at, "revocation_mode": "require"}
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except NoDSSFoundError:
        store = DocumentSecurityStore(writer=None)
    context = store.as_validation_context(options)
    return {
        one.field_name: validate_pdf_signature(one, context, ts_validation_context=context).bottom_line
        for one in reader.embedded_regular_signatures
    }


def test_a_signature_can_be_checked_with_the_document_and_the_roots_alone() -> None:
    """Before anybody seals and after."""
    pdf, plain = a_pdf(), a_pdf()
    for number, name in enumerate(("张三", "李四"), 1):
        person = OFFICE.person(name)
        path = (person.certificate, *person.chain)
        prepared = prepare(pdf, path, field=f"s{number}", reason="确认", at=NOON)
        pdf = finish(prepared, person.signs(prepared), at=NOON, stamp=OFFICE.stamp)
        plain = pdf if number == 1 else plain
        assert judged(pdf)[f"s{number}"] is (number > 1), "the lists come after the first signature"
        pdf = keep_checkable(pdf, path, OFFICE.revocations())
        assert judged(pdf)[f"s{number}"]
    sealed = seal(pdf, OFFICE.seal(), reason="平台盖章", at=NOON, stamp=OFFICE.stamp)

    assert judged(sealed) == {"s1": True, "s2": True, "seal": True}
    assert keep_checkable(pdf, (), OFFICE.revocations()[:0]) == pdf
    about_people, about_time = OFFICE.revocations()
    for lists in ((about_people,), (about_time,)):
        assert judged(keep_checkable(plain, OFFICE.trust.roots, lists)) == {"s1": False}
    assert [one.later for one in check(sealed, Believed(OFFICE.trust, OFFICE.stamps.trust), at=NOON)] == [
        *(True, True),
        *(False, False),
    ]


def test_lists_that_are_about_nobody_here_are_left_out() -> None:
    person = OFFICE.person("张三")
    stranger = new_root(Subject("另一机构"), signatures.generate("ecdsa-p256-sha256"), at=NOON)
    prepared = prepare(a_pdf(), (person.certificate,), field="s1", reason="确认", at=NOON)
    pdf = finish(prepared, person.signs(prepared), at=NOON, stamp=OFFICE.stamp)

    assert keep_checkable(pdf, (stranger.certificate,), (stranger.revocation_list((), number=1, at=NOON),)) == pdf
    with pytest.raises(DocumentError):
        keep_checkable(pdf, (), (b"not a list",))
    with pytest.raises(DocumentError):
        keep_checkable(b"not a document", (), ())
