"""
Signing a PDF: by people one after another, each with a key that only they have, and at last by the platform.

A person's signature takes two steps, because the key is in their browser or token: :func:`prepare` gives the bytes to
be signed, :func:`finish` checks the signature and puts it in. Each signature is an incremental update (ISO 32000-2,
12.8), so the ones before stay as they are.

pyHanko's coroutines need an event loop of their own, so all of this runs in a thread that has none (``asyncio.run``
says so otherwise), and never where requests are answered.
"""

import asyncio
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from asn1crypto import cms, crl, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import ExternalSigner
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest
from pyhanko.sign.signers.pdf_signer import PdfTBSDocument
from pyhanko.sign.validation.dss import DocumentSecurityStore

from crypto import signatures
from crypto.certificates import asn1
from crypto.certificates.certificate import Certificate
from crypto.certificates.validation import Trust
from crypto.documents.pdf import (
    PDF_BYTES_MAX,
    DatedSigner,
    DocumentError,
    KeySigner,
    Stamper,
    TokenStamper,
    context_of,
    digest_of,
    metadata,
    store_of,
)
from crypto.signatures import PrivateKey

_HOLE_BYTES: Final = 2 * 10_240
"""For a signature with its chain and a time stamp; two hexadecimal digits each byte."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that waits for one person's signature; all of it may be stored."""

    pdf: bytes
    """With a hole where the signature will be."""
    digest: bytes
    hole: tuple[int, int]
    to_sign: bytes
    """What the person signs: the signed attributes (DER), among them the document's digest and their certificate."""
    algorithm: str
    certificates: tuple[bytes, ...]
    """The signer's certificate and those above it (DER)."""


def prepare(pdf: bytes, certificates: Sequence[Certificate], *, field: str, reason: str, at: datetime) -> Prepared:
    """
    Prepare the next signature; ``certificates`` begins with the signer's.

    ``at`` is what the server's clock says: it stands in the signature as its time, until a time stamp proves it.

    Raises:
        DocumentError: it is no PDF, or the field is signed already.
        KeyUnusableError: the certificate's key is of a kind that is not accepted.
    """
    own = certificates[0]
    algorithm = signatures.algorithm_of(signatures.load_public_key(own.spki))
    signer = _outside(certificates)
    out = io.BytesIO()
    try:
        writer = _writer(pdf)
        work = DatedSigner(at, metadata(field, algorithm, reason=reason, name=own.subject.common_name), signer=signer)
        hole, _, _ = asyncio.run(work.async_digest_doc_for_signing(writer, bytes_reserved=_HOLE_BYTES, output=out))
        attributes = asyncio.run(signer.signed_attrs(hole.document_digest, digest_of(algorithm), use_pades=True))
    except (PdfError, SigningError, ValueError) as error:
        raise DocumentError(f"the document cannot be signed: {error}") from error
    return Prepared(
        out.getvalue(),
        hole.document_digest,
        (hole.reserved_region_start, hole.reserved_region_end),
        attributes.dump(),
        algorithm,
        tuple(one.der for one in certificates),
    )


def finish(prepared: Prepared, signature: bytes, *, at: datetime, stamp: Stamper | None = None) -> bytes:
    """
    Put the person's signature in, with a time stamp where there is a ``stamp``, and return the document.

    ``signature`` is over ``prepared.to_sign``; of an elliptic key in DER (:func:`crypto.signatures.ecdsa_der`).

    Raises:
        NotVerifiedError: it is not the signature of the certificate's key over these bytes.
        DocumentError: signature, chain and time stamp need more room than was left.
    """
    certificates = [Certificate(one) for one in prepared.certificates]
    key = signatures.load_public_key(certificates[0].spki)
    signatures.verify(prepared.algorithm, key, signature=signature, message=prepared.to_sign, at=at)
    signer = _outside(certificates, signature)
    out = io.BytesIO(prepared.pdf)
    hole = PreparedByteRangeDigest(prepared.digest, *prepared.hole)
    attributes = cms.CMSAttributes.load(prepared.to_sign)
    stamper = TokenStamper(stamp) if stamp else None
    try:
        content = asyncio.run(
            signer.async_sign_prescribed_attributes(digest_of(prepared.algorithm), attributes, timestamper=stamper)
        )
        asyncio.run(PdfTBSDocument.async_finish_signing(out, hole, content))
    except (PdfError, SigningError, ValueError) as error:
        raise DocumentError(f"the signature cannot be put in: {error}") from error
    return out.getvalue()


def keep_checkable(pdf: bytes, certificates: Iterable[Certificate], lists: Sequence[bytes]) -> bytes:
    """
    Append what a reader needs to check signatures later, from the file and the roots alone (PAdES B-LT).

    Of ``certificates`` and ``lists`` (revocation lists, DER) go in those on the way from a signature or its time stamp
    to a root; what is in the document already is not put in again.

    Raises:
        DocumentError: it is no PDF, or the lists cannot be read.
    """
    out = io.BytesIO(pdf)
    try:
        embedded = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
        inside = {one.dump(): one for found in embedded for one in _certificates_in(found.signed_data)}
        way = {**inside, **_above(inside.values(), [one.parsed for one in certificates])}
        issuers = {one.issuer.dump() for one in way.values()}
        read = [crl.CertificateList.load(one, strict=True) for one in lists]
        DocumentSecurityStore.add_dss(
            out,
            None,
            certs=[one for der, one in way.items() if der not in inside and one.self_signed == "no"],
            crls=[one for one in read if one.issuer.dump() in issuers],
        )
    except (PdfError, SigningError, ValueError) as error:
        raise DocumentError(f"the document cannot take revocation lists: {error}") from error
    return out.getvalue()


def _above(below: Iterable[x509.Certificate], known: Iterable[x509.Certificate]) -> dict[bytes, x509.Certificate]:
    """List what stands above certificates, by their DER, as far as it is known."""
    named = {one.subject.dump(): one for one in known}
    found: dict[bytes, x509.Certificate] = {}
    waiting = list(below)
    while waiting:
        above = named.get(waiting.pop().issuer.dump())
        if above is not None and above.dump() not in found:
            found[above.dump()] = above
            waiting.append(above)
    return found


def _certificates_in(signed: cms.SignedData) -> Iterable[x509.Certificate]:
    yield from (one.chosen for one in signed["certificates"])
    for attribute in signed["signer_infos"][0]["unsigned_attrs"] or ():
        if attribute["type"].native == "signature_time_stamp_token":
            for token in attribute["values"]:
                yield from (one.chosen for one in token["content"]["certificates"])


@dataclass(frozen=True, slots=True)
class Seal:
    """
    The platform's key, whose certificate leads to ``trust``, as the time stamp authority's does.

    ``lists`` are the revocation lists (DER) that go into the document: of every authority on both ways, or none.
    """

    key: PrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...]
    trust: Trust | None = None
    lists: tuple[bytes, ...] = ()


def seal(
    pdf: bytes, by: Seal, *, field: str = "seal", reason: str, at: datetime, stamp: Stamper | None = None
) -> bytes:
    """
    Seal the document with the platform's key, after everybody has signed.

    With a time stamp and a trust it is made for the long term (PAdES B-LTA): certificates and revocation lists go in,
    and a time stamp over all of it. Without a time stamp it is PAdES B-B, and its time is only what we say.

    Cost: some 50 ms of pure Python; the time stamps come on top.

    Raises:
        DocumentError: it is no PDF, has this seal already, or the seal's certificate does not lead to ``trust``.
    """
    stamper = TokenStamper(stamp) if stamp else None
    more: dict[str, Any] = {}
    if stamper is not None and by.trust is not None:
        context = context_of(by.trust, at=at, others=(by.certificate, *by.chain), lists=by.lists)
        more = {"validation_context": context, "embed_validation_info": True, "use_pades_lta": True}
    signer = KeySigner(by.key, by.certificate, by.chain)
    out = io.BytesIO()
    try:
        described = metadata(
            field,
            signatures.algorithm_of(by.key),
            reason=reason,
            name=by.certificate.subject.common_name,
            **more,
        )
        work = DatedSigner(at, described, signer=signer, timestamper=stamper)
        asyncio.run(work.async_sign_pdf(_writer(pdf), output=out, bytes_reserved=None if more else _HOLE_BYTES))
    except (PdfError, SigningError, ValueError) as error:
        raise DocumentError(f"the document cannot be sealed: {error}") from error
    return out.getvalue()


def _writer(pdf: bytes) -> IncrementalPdfFileWriter:
    if len(pdf) > PDF_BYTES_MAX:
        raise DocumentError(f"a document has at most {PDF_BYTES_MAX} bytes")
    return IncrementalPdfFileWriter(io.BytesIO(pdf))


def _outside(certificates: Sequence[Certificate], signature: bytes | None = None) -> ExternalSigner:
    own, *above = certificates
    algorithm = signatures.algorithm_of(signatures.load_public_key(own.spki))
    return ExternalSigner(
        signing_cert=own.parsed,
        cert_registry=store_of(above),
        signature_value=signature,
        signature_mechanism=asn1.signature_algorithm(algorithm),
        embed_roots=False,
    )
