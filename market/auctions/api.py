"""Reverse auctions over HTTP; what is live comes over the WebSocket of the hall (``live.py``)."""

from typing import Annotated
from uuid import UUID

import msgspec

from kernel.access.table import Action
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Conflict, Forbidden, Invalid, NotFound, Refused, Unavailable
from kernel.web.context import Context
from kernel.web.routes import op
from market.auctions import service
from market.auctions.lifecycle import KEY_LEN_MAX, AuctionStage, AuctionTerms, Price, Reason
from market.auctions.rules import Accepted
from market.auctions.service import AuctionDetail, AuctionDone, AuctionRow, AuctionScope, RecordLine

_HOST = (Forbidden, NotFound, Refused, Conflict)
Cursor = Annotated[str, msgspec.Meta(max_length=400)]
Text = Annotated[str, msgspec.Meta(max_length=100)]
RecordLimit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class AuctionReasonIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why: everybody can read it in the record."""

    reason: Reason


class AuctionRemarkIn(msgspec.Struct, forbid_unknown_fields=True):
    """A remark for the record, if any."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class OfferIn(msgspec.Struct, forbid_unknown_fields=True):
    """
    A price for the whole, in fen. ``Idempotency-Key`` is the offer's key.

    ``resent`` says that an earlier try with this key, perhaps in the hall, may have arrived.
    """

    price_fen: Price
    resent: bool = False


@op(
    "GET",
    "/api/auctions",
    action=Action.AUCTION_READ,
    tag="auctions",
    summary="List auctions / 竞价列表",
)
async def list_auctions(
    ctx: Context,
    scope: AuctionScope = AuctionScope.ALL,
    stage: AuctionStage | None = None,
    q: Text = "",
    cursor: Cursor | None = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Page[AuctionRow]:
    return await service.list_auctions(
        ctx.kernel, ctx.actor, scope=scope, stage=stage, text=q.strip(), cursor=cursor, limit=limit
    )


@op(
    "GET",
    "/api/auctions/{auction_id}",
    action=Action.AUCTION_READ,
    tag="auctions",
    summary="Show an auction / 竞价详情",
)
async def get_auction(ctx: Context, auction_id: UUID) -> AuctionDetail:
    return await service.detail(ctx.kernel, ctx.actor, auction_id)


@op(
    "GET",
    "/api/auctions/{auction_id}/record",
    action=Action.AUCTION_READ,
    tag="auctions",
    summary="Replay the record of a closed auction from the journal / 竞价记录",
    problems=(Refused,),
)
async def get_auction_record(
    ctx: Context, auction_id: UUID, cursor: Cursor | None = None, limit: RecordLimit = 200
) -> Page[RecordLine]:
    return await service.record(ctx.kernel, ctx.actor, auction_id, cursor=cursor, limit=limit)


@op(
    "POST",
    "/api/auctions",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Draft an auction / 新建竞价",
    status=201,
    problems=(Forbidden, Conflict),
)
async def create_auction(ctx: Context, body: AuctionTerms) -> AuctionDone:
    return await service.create_draft(ctx.kernel, ctx.by, body)


@op(
    "PUT",
    "/api/auctions/{auction_id}",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Replace the terms of a draft / 修改竞价草稿",
    problems=_HOST,
)
async def edit_auction(ctx: Context, auction_id: UUID, body: AuctionTerms) -> AuctionDone:
    return await service.edit_draft(ctx.kernel, ctx.by, auction_id, body)


@op(
    "POST",
    "/api/auctions/{auction_id}/publish",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Publish a draft / 发布竞价",
    problems=_HOST,
)
async def publish_auction(ctx: Context, auction_id: UUID) -> AuctionDone:
    return await service.publish(ctx.kernel, ctx.by, auction_id)


@op(
    "POST",
    "/api/auctions/{auction_id}/withdraw",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Withdraw what has not started / 撤回竞价",
    problems=_HOST,
)
async def withdraw_auction(ctx: Context, auction_id: UUID, body: AuctionReasonIn) -> AuctionDone:
    return await service.withdraw(ctx.kernel, ctx.by, auction_id, body.reason)


@op(
    "POST",
    "/api/auctions/{auction_id}/pause",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Pause a running auction / 暂停竞价",
    problems=_HOST,
)
async def pause_auction(ctx: Context, auction_id: UUID, body: AuctionReasonIn) -> AuctionDone:
    return await service.pause(ctx.kernel, ctx.by, auction_id, body.reason)


@op(
    "POST",
    "/api/auctions/{auction_id}/resume",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Resume a paused auction / 恢复竞价",
    problems=_HOST,
)
async def resume_auction(ctx: Context, auction_id: UUID, body: AuctionRemarkIn) -> AuctionDone:
    return await service.resume(ctx.kernel, ctx.by, auction_id, body.reason)


@op(
    "POST",
    "/api/auctions/{auction_id}/award",
    action=Action.AUCTION_AWARD,
    tag="auctions",
    summary="Award to the first of the ranking / 定标",
    problems=(*_HOST, Unavailable),
)
async def award_auction(ctx: Context, auction_id: UUID, body: AuctionRemarkIn) -> AuctionDone:
    return await service.award(ctx.kernel, ctx.by, auction_id, body.reason)


@op(
    "POST",
    "/api/auctions/{auction_id}/fail",
    action=Action.AUCTION_HOST,
    tag="auctions",
    summary="Declare a closed or paused auction failed / 流标",
    problems=_HOST,
)
async def fail_auction(ctx: Context, auction_id: UUID, body: AuctionReasonIn) -> AuctionDone:
    return await service.fail(ctx.kernel, ctx.by, auction_id, body.reason)


@op(
    "POST",
    "/api/auctions/{auction_id}/offers",
    action=Action.AUCTION_OFFER,
    tag="auctions",
    summary="Offer a price / 报价",
    status=201,
    problems=(Forbidden, Refused, Conflict),
)
async def place_offer(ctx: Context, auction_id: UUID, body: OfferIn) -> Accepted:
    assert ctx.key is not None
    key = ctx.key.key
    if len(key) > KEY_LEN_MAX:
        raise Invalid(
            f"报价的 Idempotency-Key 最多 {KEY_LEN_MAX} 个字符。",
            f"The Idempotency-Key of an offer has at most {KEY_LEN_MAX} characters.",
            field="Idempotency-Key",
        )
    return await service.offer(
        ctx.kernel, ctx.by, auction_id, price_fen=body.price_fen, offer_key=key, resent=body.resent
    )


ROUTES = [
    list_auctions,
    get_auction,
    get_auction_record,
    create_auction,
    edit_auction,
    publish_auction,
    withdraw_auction,
    pause_auction,
    resume_auction,
    award_auction,
    fail_auction,
    place_offer,
]
