"""Who signed a document, when, and is it still what they signed?"""

import asyncio
import io
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from asn1crypto import cms
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.general import SigningError
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator.errors import PathError, ValidationError

from crypto.certificates.certificate import Certificate
from crypto.certificates.validation import Trust
from crypto.documents.pdf import PDF_BYTES_MAX, DocumentError, context_of
from crypto.errors import NotVerifiedError
from crypto.timestamps.request import Imprint, ImprintHash, imprint_of
from crypto.timestamps.token import read_token
from crypto.timestamps.trust import StampTrust
from crypto.timestamps.verify import verify_stamp

SIGNATURES_MAX: Final = 64

_MD: Final = {found: found.algorithm.name for found in ImprintHash}


class Kind(StrEnum):
    """What a signature in a document is."""

    SIGNATURE = "signature"
    TIME_STAMP = "time-stamp"
    """Over the whole document as it stood then, by a time stamp authority."""


@dataclass(frozen=True, slots=True)
class Found:
    """A signature that holds; nothing but further signatures came after it."""

    field: str
    kind: Kind
    signer: Certificate | None
    """None of a time stamp."""
    claimed_at: datetime | None
    """What the signature itself says: only a claim."""
    stamped_at: datetime | None
    """By when it was there at the latest, as an authority states."""
    later: bool
    """Whether further signatures came after it; time stamps and data for checking do not count."""


_DOES_NOT_HOLD: Final = (
    *(SignatureValidationError, SigningError, PdfError, PathError, ValidationError, ValueError),
    *(AttributeError, TypeError, LookupError),  # pyHanko on a structure that is not what it says it is
)


@dataclass(frozen=True, slots=True)
class Believed:
    """
    Whom to believe: about people and seals, and about time.

    ``lists`` are revocation lists (DER): with any, every person's certificate must be covered by one.
    """

    people: Trust
    time: StampTrust | None = None
    lists: tuple[bytes, ...] = ()


def check(pdf: bytes, believed: Believed, *, at: datetime) -> tuple[Found, ...]:
    """
    Verify every signature in the document, in their order, and that nothing but data for checking follows the last.

    A certificate must have been valid when its signature was time-stamped, and without a time stamp at ``at``.

    Raises:
        DocumentError: it is no PDF.
        NotVerifiedError: there is no signature, or one does not hold; the message names its field and says why.

    Cost: 25 to 60 ms a signature, pure Python, in a thread without an event loop.
    """
    if len(pdf) > PDF_BYTES_MAX:
        raise DocumentError(f"a document has at most {PDF_BYTES_MAX} bytes")
    try:
        embedded = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    except (PdfError, ValueError) as error:
        raise DocumentError(f"not a PDF document: {error}") from error
    if not 0 < len(embedded) <= SIGNATURES_MAX:
        raise NotVerifiedError(f"the document has {len(embedded)} signatures; at least one, at most {SIGNATURES_MAX}")
    found = tuple(_checked(one, believed, at) for one in embedded)
    if found[-1].later or not pdf.rstrip(b"\r\n").endswith(b"%%EOF"):
        raise NotVerifiedError("something was added to the document after its last signature")
    return found


def _checked(embedded: EmbeddedPdfSignature, believed: Believed, at: datetime) -> Found:
    try:
        if embedded.sig_object_type == "/DocTimeStamp":
            return _time_stamp(embedded, believed.time)
        return _signature(embedded, believed, at)
    except _DOES_NOT_HOLD as error:
        raise NotVerifiedError(f"the signature {embedded.field_name!r} does not hold: {error}") from error


def _signature(embedded: EmbeddedPdfSignature, believed: Believed, at: datetime) -> Found:
    stamped_at = _stamped(embedded, believed.time)
    context = context_of(believed.people, at=stamped_at or at, lists=believed.lists)
    status = asyncio.run(async_validate_pdf_signature(embedded, context, ts_validation_context=context))
    for failed, reason in (
        (not status.intact, "the document was altered"),
        (not status.valid, "the signature does not match"),
        (status.revoked, "the certificate was revoked"),
        (not status.trusted, "the certificate is not trusted, or was not valid then"),
    ):
        if failed:
            raise NotVerifiedError(f"the signature {embedded.field_name!r} does not hold: {reason}")
    return Found(
        embedded.field_name,
        Kind.SIGNATURE,
        Certificate(embedded.signer_cert.dump()),
        embedded.self_reported_timestamp,
        stamped_at,
        _followed(embedded),
    )


def _time_stamp(embedded: EmbeddedPdfSignature, trust: StampTrust | None) -> Found:
    """Verify a time stamp over the document with our own code, as any other time stamp."""
    if trust is None:
        raise NotVerifiedError("the document is time-stamped, and nobody is believed about time")
    embedded.compute_integrity_info()  # type: ignore[no-untyped-call]
    token = cms.ContentInfo.load(embedded.pkcs7_content).dump()  # without the zeros that fill its room
    hash_ = read_token(token).stamp.imprint.hash
    stamp = verify_stamp(token, Imprint(hash_, embedded.compute_digest(_MD[hash_])), trust)
    return Found(embedded.field_name, Kind.TIME_STAMP, None, None, stamp.at, _followed(embedded))


def _stamped(embedded: EmbeddedPdfSignature, trust: StampTrust | None) -> datetime | None:
    """Verify the time stamp of a signature, if it has one and somebody is believed about time."""
    tokens = [
        value.dump()
        for attribute in embedded.signer_info["unsigned_attrs"] or ()
        if attribute["type"].native == "signature_time_stamp_token"
        for value in attribute["values"]
    ]
    if not tokens or trust is None:
        return None
    signature = embedded.signer_info["signature"].native
    imprints = [imprint_of(signature, read_token(token).stamp.imprint.hash) for token in tokens]
    return min(verify_stamp(token, imprint, trust).at for token, imprint in zip(tokens, imprints, strict=True))


def _followed(embedded: EmbeddedPdfSignature) -> bool:
    """
    Tell whether signatures followed this one.

    Raises:
        NotVerifiedError: something else did, or the signature does not cover all of what was there when it was made.
    """
    if embedded.coverage is None or embedded.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        raise NotVerifiedError(f"the signature {embedded.field_name!r} covers a part of the document only")
    if embedded.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return False
    changes = embedded.diff_result
    if not isinstance(changes, DiffResult) or changes.modification_level > ModificationLevel.FORM_FILLING:
        raise NotVerifiedError(f"something other than signatures was added after the signature {embedded.field_name!r}")
    return changes.modification_level > ModificationLevel.LTA_UPDATES
