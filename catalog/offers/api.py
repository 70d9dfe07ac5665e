"""A supplier's own offers over HTTP."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from catalog.offers import service
from catalog.offers.rules import QUOTA_MAX
from catalog.offers.service import OfferRow, OfferState
from kernel.access.table import Action
from kernel.money import FEN_MAX
from kernel.paging import Limit, Page
from kernel.problems import Invalid, NotFound, Refused
from kernel.web.context import Context
from kernel.web.routes import op


class PriceIn(msgspec.Struct, forbid_unknown_fields=True):
    """A new price in fen."""

    price_fen: Annotated[int, Meta(gt=0, le=FEN_MAX)]


class QuotaIn(msgspec.Struct, forbid_unknown_fields=True):
    """A new quota, the total since the offer was made."""

    quota: Annotated[int, Meta(ge=0, le=QUOTA_MAX)]


class RegionsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where to deliver to from now on (GB/T 2260)."""

    regions: Annotated[tuple[Annotated[str, Meta(pattern="^[0-9]{6}$")], ...], Meta(min_length=1, max_length=200)]


class UnshelveIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


@op(
    "GET",
    "/api/offers",
    action=Action.OFFER_READ,
    tag="catalog",
    summary="List the own offers",
    problems=(Invalid,),
)
async def list_offers(
    ctx: Context,
    on_shelf: bool | None = None,  # noqa: FBT001  a query parameter has its name beside it
    q: Annotated[str, Meta(max_length=100)] = "",
    cursor: str | None = None,
    limit: Limit = 20,
) -> Page[OfferRow]:
    return await service.own(ctx.kernel, ctx.actor, on_shelf=on_shelf, text=q, cursor=cursor, limit=limit)


@op("GET", "/api/offers/{offer_id}", action=Action.OFFER_READ, tag="catalog", summary="Read an own offer")
async def get_offer(ctx: Context, offer_id: UUID) -> OfferRow:
    return await service.get_own(ctx.kernel, ctx.actor, offer_id)


@op(
    "POST",
    "/api/offers/{offer_id}/price",
    action=Action.OFFER_CHANGE,
    tag="catalog",
    summary="Change the price of an own offer",
    problems=(NotFound, Refused),
)
async def reprice_offer(ctx: Context, offer_id: UUID, body: PriceIn) -> OfferState:
    return await service.reprice(ctx.kernel, ctx.by, offer_id, body.price_fen)


@op(
    "POST",
    "/api/offers/{offer_id}/quota",
    action=Action.OFFER_CHANGE,
    tag="catalog",
    summary="Set the quota of an own offer",
    problems=(NotFound, Refused),
)
async def set_offer_quota(ctx: Context, offer_id: UUID, body: QuotaIn) -> OfferState:
    return await service.set_quota(ctx.kernel, ctx.by, offer_id, body.quota)


@op(
    "POST",
    "/api/offers/{offer_id}/regions",
    action=Action.OFFER_CHANGE,
    tag="catalog",
    summary="Set where an own offer is delivered to",
    problems=(NotFound, Refused),
)
async def set_offer_regions(ctx: Context, offer_id: UUID, body: RegionsIn) -> OfferState:
    return await service.set_regions(ctx.kernel, ctx.by, offer_id, body.regions)


@op(
    "POST",
    "/api/offers/{offer_id}/shelve",
    action=Action.OFFER_CHANGE,
    tag="catalog",
    summary="Put an own offer back on the shelf",
    problems=(NotFound, Refused),
)
async def shelve_offer(ctx: Context, offer_id: UUID) -> OfferState:
    return await service.shelve(ctx.kernel, ctx.by, offer_id)


@op(
    "POST",
    "/api/offers/{offer_id}/unshelve",
    action=Action.OFFER_CHANGE,
    tag="catalog",
    summary="Take an own offer off the shelf",
    problems=(NotFound, Refused),
)
async def unshelve_offer(ctx: Context, offer_id: UUID, body: UnshelveIn) -> OfferState:
    return await service.unshelve(ctx.kernel, ctx.by, offer_id, body.reason)


ROUTES = [
    list_offers,
    get_offer,
    reprice_offer,
    set_offer_quota,
    set_offer_regions,
    shelve_offer,
    unshelve_offer,
]
