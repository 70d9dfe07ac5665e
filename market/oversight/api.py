"""Visits to running halls over HTTP."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.table import Action
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Invalid, NotFound, Refused, TooMany
from kernel.web.context import Context
from kernel.web.routes import op
from market.oversight import service
from market.oversight.rules import NOTE_LENGTH_MAX, VisitPurpose
from market.oversight.service import Begun, Visit

Cursor = Annotated[str, Meta(max_length=400)]


class VisitIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why somebody looks into a hall; ``note`` explains every purpose but a routine look."""

    purpose: VisitPurpose
    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""


@op(
    "POST",
    "/api/auctions/{auction_id}/visits",
    action=Action.AUCTION_OVERSEE,
    tag="market",
    summary="Begin to oversee a running hall, saying why / 监督查看",
    status=201,
    problems=(NotFound, Refused, TooMany),
)
async def begin_visit(ctx: Context, auction_id: UUID, body: VisitIn) -> Begun:
    return await service.begin(ctx.kernel, ctx.by, auction_id, purpose=body.purpose, note=body.note)


@op(
    "GET",
    "/api/oversight/visits",
    action=Action.OVERSIGHT_READ,
    tag="market",
    summary="Who has looked into running halls, when and why, the latest first / 监督查看记录",
    problems=(Invalid,),
)
async def list_visits(
    ctx: Context, auction_id: UUID | None = None, cursor: Cursor | None = None, limit: Limit = LIMIT_DEFAULT
) -> Page[Visit]:
    return await service.visits(ctx.kernel, ctx.actor, auction_id=auction_id, cursor=cursor, limit=limit)


ROUTES = [begin_visit, list_visits]
