"""The catalogue over HTTP: list, facets, detail, comparison."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from catalog.classification.rules import Category
from catalog.products import service
from catalog.products.rules import PICTURES_MAX, Extent, Status
from catalog.products.service import Album, Offered, OfferLine, ProductRow, Sort, Stated, Wanted
from catalog.products.service import Facets as FoundFacets
from kernel.access.rates import Pace
from kernel.access.table import Action
from kernel.money import FEN_MAX
from kernel.paging import Limit, Page
from kernel.problems import Invalid, NotFound, Refused
from kernel.web.context import Context
from kernel.web.routes import op

Words = Annotated[str, Meta(max_length=100)]
Price = Annotated[int, Meta(ge=0, le=FEN_MAX)] | None


class CategoryFacet(msgspec.Struct, frozen=True):
    """A category and how many products of the list are in it."""

    code: str
    name: str
    count: int


class BrandFacet(msgspec.Struct, frozen=True):
    """A brand and how many products of the list have it."""

    name: str
    count: int


class SupplierFacet(msgspec.Struct, frozen=True):
    """A supplier and how many products of the list it offers."""

    organisation_id: UUID
    name: str
    count: int


class FacetsOut(msgspec.Struct, frozen=True):
    """Counts over the first ``total`` matches; ``more`` says that there are more."""

    total: int
    more: bool
    categories: tuple[CategoryFacet, ...]
    brands: tuple[BrandFacet, ...]
    suppliers: tuple[SupplierFacet, ...]


class ProductOut(msgspec.Struct, frozen=True):
    """A product with all that is said about it and the offers that can be ordered today."""

    product_id: UUID
    revision: int
    status: Status
    name: str
    brand: str
    model: str
    number: str
    unit: str
    description: str
    category_edition: str
    category_code: str
    category_name: str
    category_path: tuple[Category, ...]
    pictures: tuple[str, ...]
    market_price_fen: int | None
    attributes: tuple[Stated, ...]
    offers: tuple[OfferLine, ...]
    created_at: datetime
    revised_at: datetime


class Compared(msgspec.Struct, frozen=True):
    """Products side by side; ``attributes`` names every attribute that one of them states."""

    items: tuple[ProductOut, ...]
    attributes: tuple[Stated, ...]


def _out(offered: Offered) -> ProductOut:
    product = offered.product
    return ProductOut(
        product_id=product.id,
        revision=product.revision,
        status=product.status,
        name=product.name,
        brand=product.brand,
        model=product.model,
        number=product.number,
        unit=product.unit,
        description=product.description,
        category_edition=product.edition,
        category_code=product.category_code,
        category_name=product.category_name,
        category_path=offered.path,
        pictures=product.pictures,
        market_price_fen=product.market_price_fen,
        attributes=offered.attributes,
        offers=offered.offers,
        created_at=product.created_at,
        revised_at=product.revised_at,
    )


@op(
    "GET",
    "/api/products",
    action=Action.PRODUCT_READ,
    tag="catalog",
    summary="Search and list products",
    problems=(Invalid,),
    pace=Pace.HEAVY,
)
async def list_products(  # noqa: PLR0913, PLR0917  query parameters, each by name
    ctx: Context,
    q: Words = "",
    edition: Words = "",
    category: Words = "",
    brand: Words = "",
    supplier: UUID | None = None,
    region: Words = "",
    price_min_fen: Price = None,
    price_max_fen: Price = None,
    sort: Sort = Sort.RELEVANCE,
    cursor: str | None = None,
    limit: Limit = 20,
) -> Page[ProductRow]:
    wanted = Wanted(q, edition, category, brand, supplier, region, price_min_fen, price_max_fen)
    return await service.find(ctx.kernel, wanted, sort=sort, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/products/facets",
    action=Action.PRODUCT_READ,
    tag="catalog",
    summary="Count products by category, brand and supplier",
    problems=(Invalid,),
    pace=Pace.HEAVY,
)
async def product_facets(  # noqa: PLR0913, PLR0917  query parameters, each by name
    ctx: Context,
    q: Words = "",
    edition: Words = "",
    category: Words = "",
    brand: Words = "",
    supplier: UUID | None = None,
    region: Words = "",
    price_min_fen: Price = None,
    price_max_fen: Price = None,
) -> FacetsOut:
    wanted = Wanted(q, edition, category, brand, supplier, region, price_min_fen, price_max_fen)
    return _facets(await service.facets(ctx.kernel, wanted))


def _facets(found: FoundFacets) -> FacetsOut:
    return FacetsOut(
        total=found.total,
        more=found.more,
        categories=tuple(CategoryFacet(one.key, one.name, one.count) for one in found.categories),
        brands=tuple(BrandFacet(one.name, one.count) for one in found.brands),
        suppliers=tuple(SupplierFacet(UUID(one.key), one.name, one.count) for one in found.suppliers),
    )


@op(
    "GET",
    "/api/products/compare",
    action=Action.PRODUCT_READ,
    tag="catalog",
    summary="Compare two to four products",
    problems=(Invalid, NotFound),
)
async def compare_products(ctx: Context, ids: Annotated[str, Meta(max_length=200)]) -> Compared:
    try:
        wanted = [UUID(one) for one in ids.split(",")]
    except ValueError as error:
        raise Invalid("商品编号格式不正确", "Not a list of product ids", field="ids") from error
    found = await service.compare(ctx.kernel, wanted)
    names = {one.attribute_id: one.name for offered in found for one in offered.attributes}
    return Compared(tuple(map(_out, found)), tuple(Stated(id_, name, "") for id_, name in names.items()))


@op("GET", "/api/products/{product_id}", action=Action.PRODUCT_READ, tag="catalog", summary="Read a product")
async def get_product(ctx: Context, product_id: UUID) -> ProductOut:
    return _out(await service.get(ctx.kernel, product_id))


Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class AlbumIn(msgspec.Struct, forbid_unknown_fields=True):
    """The pictures that a product is shown by, the first one in lists; ``revision`` is the one that was looked at."""

    revision: Annotated[int, Meta(ge=1, le=2**53)]
    pictures: Annotated[tuple[Digest, ...], Meta(max_length=4 * PICTURES_MAX)]


class Illustration(msgspec.Struct, frozen=True):
    """The product's revision with its new pictures."""

    product_id: UUID
    revision: int


@op(
    "GET",
    "/api/products/{product_id}/pictures",
    action=Action.PRODUCT_READ,
    tag="catalog",
    summary="Read a product's pictures and what one may do with them",
)
async def get_album(ctx: Context, product_id: UUID) -> Album:
    return await service.album(ctx.kernel, ctx.actor, product_id)


@op(
    "PUT",
    "/api/products/{product_id}/pictures",
    action=Action.PRODUCT_ILLUSTRATE,
    tag="catalog",
    summary="Say by which pictures a product is shown",
    problems=(Refused,),
)
async def illustrate_product(ctx: Context, product_id: UUID, body: AlbumIn) -> Illustration:
    revision = await service.illustrate(ctx.kernel, ctx.by, product_id, body.pictures, revision=body.revision)
    return Illustration(product_id, revision)


class TakeDownIn(msgspec.Struct, forbid_unknown_fields=True):
    """Which picture is taken down, how far, and why."""

    picture: Digest
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    extent: Extent = Extent.PRODUCT


@op(
    "POST",
    "/api/products/{product_id}/pictures/take-down",
    action=Action.PRODUCT_MODERATE,
    tag="catalog",
    summary="Take an improper picture down: from a product, or from the whole platform",
    problems=(Refused,),
)
async def take_picture_down(ctx: Context, product_id: UUID, body: TakeDownIn) -> Illustration:
    revision = await service.take_down(ctx.kernel, ctx.by, product_id, body.picture, body.reason, body.extent)
    return Illustration(product_id, revision)


ROUTES = [
    get_album,
    illustrate_product,
    take_picture_down,
    list_products,
    product_facets,
    compare_products,
    get_product,
]
