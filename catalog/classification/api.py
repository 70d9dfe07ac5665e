"""The classification over HTTP."""

import msgspec

from catalog.classification import service
from catalog.classification.rules import Category
from catalog.classification.service import CategoryRow
from kernel.access.table import Action
from kernel.problems import Invalid
from kernel.web.context import Context
from kernel.web.routes import op


class Categories(msgspec.Struct, frozen=True):
    """What lies directly in a category."""

    items: tuple[CategoryRow, ...]


class CategoryOut(msgspec.Struct, frozen=True):
    """A category with what it lies in, the top first and itself last."""

    edition: str
    code: str
    parent: str
    name: str
    description: str
    children: int
    path: tuple[Category, ...]


@op(
    "GET",
    "/api/classification",
    action=Action.CLASSIFICATION_READ,
    tag="catalog",
    summary="List what lies in a category, or the top",
    problems=(Invalid,),
)
async def list_categories(ctx: Context, edition: str = service.EDITION, parent: str = "") -> Categories:
    return Categories(await service.children_of(ctx.kernel, edition, parent))


@op(
    "GET",
    "/api/classification/{edition}/{code}",
    action=Action.CLASSIFICATION_READ,
    tag="catalog",
    summary="Read a category",
)
async def get_category(ctx: Context, edition: str, code: str) -> CategoryOut:
    row, path = await service.get_category(ctx.kernel, edition, code)
    return CategoryOut(**msgspec.structs.asdict(row), path=path[::-1])


ROUTES = [list_categories, get_category]
