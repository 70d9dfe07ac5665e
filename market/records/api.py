"""Records as files."""

from typing import Final
from uuid import UUID

from starlette.routing import BaseRoute

from kernel.access.table import Action
from kernel.problems import Refused, TooMany, Unavailable
from kernel.web.context import Context
from kernel.web.routes import Download, op
from market.records import service


@op(
    "GET",
    "/api/auctions/{auction_id}/record.pdf",
    action=Action.AUCTION_READ,
    tag="auctions",
    summary="Have the record of a closed auction as a sealed PDF / 竞价记录文书",
    problems=(Refused, TooMany, Unavailable),
)
async def get_auction_record_pdf(ctx: Context, auction_id: UUID) -> Download:
    record = await service.auction_pdf(ctx.kernel, ctx.actor, auction_id, origin=ctx.origin)
    return Download(record.pdf, "application/pdf", record.filename)


ROUTES: Final[tuple[BaseRoute, ...]] = (get_auction_record_pdf,)
