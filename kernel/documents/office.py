"""
Documents that the platform makes: set, signed by people, sealed with the platform's key, time-stamped.

One at a time, and never on the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from crypto.certificates.certificate import Certificate, read_certificates
from crypto.certificates.validation import Trust
from crypto.timestamps.request import Imprint
from kernel.documents.document import Document
from kernel.documents.typesetting import typeset
from kernel.problems import Unavailable
from kernel.runtime import Kernel
from kernel.timestamps.client import StampClient
from kernel.vault.identities import Identity, Service, identities_of

if TYPE_CHECKING:
    from crypto.documents.pdf import Stamper
    from crypto.documents.signing import Prepared, Seal

STAMP_S_MAX: Final = 60.0
_REASON: Final = "平台出具"

T = TypeVar("T")


class Sealed(NamedTuple):
    """A document, and whether the platform's seal and a time stamp are on it: a site may have neither."""

    pdf: bytes
    sealed: bool
    stamped: bool


async def issue(kernel: Kernel, document: Document) -> bytes:
    """
    Set ``document`` as PDF and seal it, where the platform has a seal; stamp it, where it has an authority.

    Raises:
        Unavailable: no time stamp can be had, or the packages for it are not installed.
    """
    sealing = _sealing(kernel)
    return (await _in_workshop(kernel, lambda: sealing(typeset(document)))).pdf


async def draft(kernel: Kernel, document: Document) -> bytes:
    """Set ``document`` as PDF, for people to sign. Raises ``Unavailable`` as :func:`issue`."""
    return await _in_workshop(kernel, lambda: typeset(document))


async def seal(kernel: Kernel, pdf: bytes) -> Sealed:
    """Seal what people have signed, as far as the site has what it takes. Raises ``Unavailable`` as :func:`issue`."""
    sealing = _sealing(kernel)
    return await _in_workshop(kernel, lambda: sealing(pdf))


async def prepare(
    kernel: Kernel, pdf: bytes, certificates: Sequence[Certificate], *, field: str, reason: str, at: datetime
) -> "Prepared":
    """Prepare a person's signature: :func:`crypto.documents.signing.prepare`, which see for what it raises."""
    from crypto.documents import signing  # noqa: PLC0415 - slow to import

    return await _in_workshop(kernel, lambda: signing.prepare(pdf, certificates, field=field, reason=reason, at=at))


async def finish(
    kernel: Kernel, prepared: "Prepared", signature: bytes, *, at: datetime, lists: Sequence[bytes] = ()
) -> bytes:
    """
    Put a person's signature in, time-stamped where the site has an authority.

    With ``lists``, the revocation lists of the signer's way to their root, the document keeps what checking it later
    takes; those about the time stamp authority come from the folder of our services, as far as they lie there.

    Raises:
        Unavailable: no time stamp can be had.
        NotVerifiedError, DocumentError: as :func:`crypto.documents.signing.finish`.
    """
    from crypto.documents import signing  # noqa: PLC0415 - slow to import

    stamp = _stamper(kernel.stamps, asyncio.get_running_loop()) if kernel.stamps else None
    settings = kernel.settings

    def finishing() -> bytes:
        signed = signing.finish(prepared, signature, at=at, stamp=stamp)
        if not lists:
            return signed
        above = [*map(Certificate, prepared.certificates), *_believed_about_time(settings.tsa_trust)]
        return signing.keep_checkable(signed, above, [*lists, *_lists_in(identities_of(settings).folder)])

    return await _in_workshop(kernel, finishing)


async def _in_workshop(kernel: Kernel, work: Callable[[], T]) -> T:
    async with kernel.workshop:
        return await asyncio.to_thread(work)


def _sealing(kernel: Kernel) -> Callable[[bytes], Sealed]:
    """Make what seals a document in a thread, at the present time."""
    loop = asyncio.get_running_loop()
    at = kernel.clock.now()

    def sealing(pdf: bytes) -> Sealed:
        identities = identities_of(kernel.settings)
        identity = identities.load(Service.SEAL)
        if identity is None:
            return Sealed(pdf, sealed=False, stamped=False)
        from crypto.documents import signing  # noqa: PLC0415 - slow to import

        by = _seal_of(identity, identities.folder, kernel.settings.tsa_trust)
        stamp = _stamper(kernel.stamps, loop) if kernel.stamps else None
        return Sealed(signing.seal(pdf, by, reason=_REASON, at=at, stamp=stamp), sealed=True, stamped=bool(stamp))

    return sealing


def _seal_of(identity: Identity, folder: Path, tsa_trust: Path | None) -> "Seal":
    """Say what the seal rests on: its highest certificate, whom we believe about time, and the lists in the folder."""
    from crypto.documents.signing import Seal  # noqa: PLC0415 - slow to import

    top = identity.chain[-1] if identity.chain else identity.certificate
    trust = Trust((top, *_believed_about_time(tsa_trust)))
    return Seal(identity.key, identity.certificate, identity.chain, trust, _lists_in(folder))


def _believed_about_time(tsa_trust: Path | None) -> list[Certificate]:
    return read_certificates(tsa_trust.read_bytes()) if tsa_trust else []


def _lists_in(folder: Path) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(folder.glob("*.crl")))


def _stamper(client: StampClient, loop: asyncio.AbstractEventLoop) -> "Stamper":
    """Have the event loop ask the authority, while the thread waits."""

    def stamp(imprint: Imprint) -> bytes:
        asked = asyncio.run_coroutine_threadsafe(client.stamp(imprint), loop)
        try:
            return asked.result(STAMP_S_MAX).token
        except TimeoutError as error:
            asked.cancel()
            raise Unavailable(
                "时间戳服务响应过慢，请稍后重试。",
                "The time stamp authorities take too long; try again later.",
                reason="no-time-stamp",
                headers={"Retry-After": "30"},
            ) from error

    return stamp
