"""Pictures over HTTP: sent in by who may illustrate products, seen by everyone."""

from typing import Annotated

from msgspec import Meta

from catalog.pictures import service
from catalog.pictures.service import Kept
from kernel.access.table import Action
from kernel.pictures import BYTES_MAX, MEDIA_TYPE, TAKEN
from kernel.problems import Invalid
from kernel.web.context import Context
from kernel.web.routes import Asset, Upload, op

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


@op(
    "POST",
    "/api/pictures",
    action=Action.PRODUCT_ILLUSTRATE,
    tag="catalog",
    summary="Send a picture in",
    status=201,
    problems=(Invalid,),
    body_bytes_max=BYTES_MAX,
    takes=TAKEN,
)
async def store_picture(ctx: Context, body: Upload) -> Kept:
    return await service.store_picture(ctx.kernel, ctx.by, body)


@op("GET", "/api/pictures/{digest}", action=Action.PRODUCT_READ, tag="catalog", summary="See a picture")
async def get_picture(ctx: Context, digest: Digest) -> Asset:
    return Asset(await service.read_picture(ctx.kernel, digest), MEDIA_TYPE, digest)


@op(
    "GET",
    "/api/pictures/{digest}/thumbnail",
    action=Action.PRODUCT_READ,
    tag="catalog",
    summary="See a picture's thumbnail",
)
async def get_thumbnail(ctx: Context, digest: Digest) -> Asset:
    return Asset(await service.read_thumbnail(ctx.kernel, digest), MEDIA_TYPE, f"{digest}-thumbnail")


ROUTES = [store_picture, get_picture, get_thumbnail]
