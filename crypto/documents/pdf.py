"""
What signing and checking share of pyHanko.

It takes some 0.3 s to import, so the modules of this package are imported where a document is signed, not at start.
All of it is pure Python and takes tens of milliseconds: never on the event loop.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from asn1crypto import cms, crl, ocsp
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from crypto import signatures
from crypto.certificates import asn1
from crypto.certificates.certificate import Certificate
from crypto.certificates.validation import RegistryPolicy, RegistryValidator, Trust
from crypto.errors import CryptoError
from crypto.signatures import PrivateKey
from crypto.timestamps.request import Imprint, ImprintHash

PDF_BYTES_MAX: Final = 32 * 1024 * 1024
_DIGESTS: Final = {"ecdsa-p384-sha384": ImprintHash.SHA384}

logging.getLogger("pyhanko").setLevel(logging.ERROR)  # it warns of what is meant: that nothing is fetched

_HASHES: Final = {found.algorithm.name: found for found in ImprintHash}

Stamper = Callable[[Imprint], bytes]
"""Gives a verified time stamp token; may take as long as an authority takes."""


class DocumentError(CryptoError):
    """The document is not one, cannot take this signature, or is too large."""


class KeySigner(Signer):
    """Signs with a key of ours."""

    def __init__(self, key: PrivateKey, certificate: Certificate, chain: Sequence[Certificate]) -> None:
        self._key: Final = key
        self._algorithm: Final = signatures.algorithm_of(key)
        super().__init__(
            signing_cert=certificate.parsed,
            cert_registry=store_of(chain),
            signature_mechanism=asn1.signature_algorithm(self._algorithm),
            embed_roots=False,
        )

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002 - pyHanko's signature
        assert digest_algorithm == digest_of(self._algorithm)
        return bytes(512) if dry_run else signatures.sign(self._algorithm, self._key, data)


class DatedSigner(PdfSigner):
    """Writes the time that it is given into the signature (``/M``), where pyHanko asks the machine."""

    def __init__(self, at: datetime, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._at: Final = at

    def init_signing_session(self, pdf_out: Any, existing_fields_only: bool = False) -> Any:  # noqa: FBT001, FBT002 - pyHanko's signature
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self._at
        return session


class TokenStamper(TimeStamper):
    """Lets pyHanko have tokens of ours, which were verified before; the size of the first tells that of the next."""

    def __init__(self, stamp: Stamper) -> None:
        super().__init__(include_nonce=False)  # type: ignore[no-untyped-call]
        self._stamp: Final = stamp

    async def async_dummy_response(self, md_algorithm: str) -> cms.ContentInfo:
        found = self._dummy_response_cache.get(md_algorithm)
        if found is None:
            found = await self.async_timestamp(bytes(_HASHES[md_algorithm].length), md_algorithm)
            self._register_dummy(md_algorithm, found)  # type: ignore[no-untyped-call]
        return found

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        return cms.ContentInfo.load(self._stamp(Imprint(_HASHES[md_algorithm], message_digest)))


def digest_of(algorithm: str) -> str:
    """Name the digest that goes with a signature algorithm, as pyHanko does."""
    return _DIGESTS.get(algorithm, ImprintHash.SHA256).algorithm.name


def store_of(certificates: Sequence[Certificate]) -> SimpleCertificateStore:
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple([one.parsed for one in certificates])
    return store


def context_of(
    trust: Trust,
    *,
    at: datetime,
    others: Sequence[Certificate] = (),
    lists: Sequence[bytes] = (),
    answers: Sequence[bytes] = (),
) -> ValidationContext:
    """
    Make pyHanko's view of whom we trust; nothing is fetched.

    With revocation lists every certificate on the way must be on none and covered by one. pyHanko's softer modes do not
    look at a list unless the certificate says where it is.
    """
    return ValidationContext(
        trust_roots=[root.parsed for root in trust.roots],
        other_certs=[one.parsed for one in (*trust.intermediates, *others)],
        moment=at,
        allow_fetching=False,
        crls=[crl.CertificateList.load(one) for one in lists],
        ocsps=[ocsp.OCSPResponse.load(one) for one in answers],
        revocation_mode="require" if lists or answers else "soft-fail",
        time_tolerance=timedelta(0),
        algorithm_usage_policy=RegistryPolicy(trust.denials),
        signature_validator=RegistryValidator(at, trust.denials),
    )


def metadata(field: str, algorithm: str, *, reason: str, name: str | None = None, **more: Any) -> PdfSignatureMetadata:
    return PdfSignatureMetadata(
        field_name=field,
        md_algorithm=digest_of(algorithm),
        subfilter=SigSeedSubFilter.PADES,
        reason=reason,
        name=name,
        **more,
    )
