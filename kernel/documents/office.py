"""Issuing documents: set, sealed with the platform's key, time-stamped; one at a time, and never on the event loop."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crypto.certificates.certificate import read_certificates
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
    from crypto.documents.signing import Seal

STAMP_S_MAX: Final = 60.0
_REASON: Final = "平台出具"


async def issue(kernel: Kernel, document: Document) -> bytes:
    """
    Set ``document`` as PDF and seal it, where the platform has a seal; stamp it, where it has an authority.

    Raises:
        Unavailable: no time stamp can be had, or the packages for it are not installed.
    """
    loop = asyncio.get_running_loop()
    at = kernel.clock.now()

    def work() -> bytes:
        pdf = typeset(document)
        identities = identities_of(kernel.settings)
        identity = identities.load(Service.SEAL)
        if identity is None:
            return pdf
        from crypto.documents.signing import seal  # noqa: PLC0415 - slow to import

        by = _seal_of(identity, identities.folder, kernel.settings.tsa_trust)
        stamp = _stamper(kernel.stamps, loop) if kernel.stamps else None
        return seal(pdf, by, reason=_REASON, at=at, stamp=stamp)

    async with kernel.workshop:
        return await asyncio.to_thread(work)


def _seal_of(identity: Identity, folder: Path, tsa_trust: Path | None) -> "Seal":
    """Say what the seal rests on: its highest certificate, whom we believe about time, and the lists in the folder."""
    from crypto.documents.signing import Seal  # noqa: PLC0415 - slow to import

    believed = read_certificates(tsa_trust.read_bytes()) if tsa_trust else []
    top = identity.chain[-1] if identity.chain else identity.certificate
    lists = tuple(path.read_bytes() for path in sorted(folder.glob("*.crl")))
    return Seal(identity.key, identity.certificate, identity.chain, Trust((top, *believed)), lists)


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
