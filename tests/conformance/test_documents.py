"""Others read our signatures: poppler's ``pdfsig``, and pyHanko's own check from the document alone."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature

from crypto.documents.signing import finish, prepare, seal
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
    """With the roots and nothing else: chain and revocation lists come from the document itself."""
    reader = PdfFileReader(io.BytesIO(document))
    roots = [root.parsed for root in OFFICE.all_trust.roots]
    context = DocumentSecurityStore.read_dss(reader).as_validation_context(
        {"trust_roots": roots, "allow_fetching": False, "moment": NOON, "revocation_mode": "require"}
    )
    status = validate_pdf_signature(reader.embedded_regular_signatures[-1], context, ts_validation_context=context)

    assert status.bottom_line, status.pretty_print_details()
