"""Records as documents: what is in them comes from the journal, through the services of the procedures."""

from typing import Final, NamedTuple
from uuid import UUID

from kernel.access.actors import Actor
from kernel.documents import office
from kernel.documents.document import Document
from kernel.runtime import Kernel
from market.auctions import service as auctions
from market.records.rules import LINES_MAX, auction_record

DOCUMENTS_MAX: Final = 30
WINDOW_S: Final = 60
"""An address may have so many documents made in this time: each takes some 0.1 s of a processor."""


class Record(NamedTuple):
    """A record as a file."""

    filename: str
    pdf: bytes


async def auction_pdf(kernel: Kernel, actor: Actor, auction_id: UUID, *, origin: str) -> Record:
    """
    Make the record of an auction, once it has closed, sealed and time-stamped where the site has what it takes.

    Raises ``NotFound``, ``Refused`` before the close, ``TooMany``, ``Unavailable`` without a time stamp.
    """
    document = await auction_document(kernel, actor, auction_id, origin=origin)
    return Record(f"竞价记录-{document.number}.pdf", await office.issue(kernel, document))


async def auction_document(kernel: Kernel, actor: Actor, auction_id: UUID, *, origin: str) -> Document:
    """Describe the record of an auction, once it has closed. Raises ``NotFound``, ``Refused``, ``TooMany``."""
    await kernel.limits.hit(f"record/{origin}", DOCUMENTS_MAX, WINDOW_S)
    detail = await auctions.detail(kernel, actor, auction_id)
    page = await auctions.record(kernel, actor, auction_id, cursor=None, limit=LINES_MAX)
    return auction_record(detail, page.items, cut=page.next is not None, at=kernel.clock.now())
