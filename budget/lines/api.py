"""The budget over HTTP: read only; lines are appropriated by the finance side, not by their owners."""

from typing import Annotated
from uuid import UUID

import msgspec

from budget.lines import service
from budget.lines.queries import LineRow, PostingRow
from kernel.access.table import Action
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Invalid, NotFound
from kernel.web.context import Context
from kernel.web.routes import op

Year = Annotated[int, msgspec.Meta(ge=2000, le=2999)]
Cursor = Annotated[str, msgspec.Meta(max_length=400)]


@op(
    "GET",
    "/api/budget-lines",
    action=Action.BUDGET_READ,
    tag="budget",
    summary="List budget lines / 预算指标列表",
    problems=(Invalid,),
)
async def list_budget_lines(
    ctx: Context, year: Year | None = None, cursor: Cursor | None = None, limit: Limit = LIMIT_DEFAULT
) -> Page[LineRow]:
    return await service.list_lines(ctx.kernel, ctx.actor, year=year, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/budget-lines/{budget_line_id}/postings",
    action=Action.BUDGET_READ,
    tag="budget",
    summary="List the double entries of a budget line / 预算指标流水",
    problems=(NotFound, Invalid),
)
async def list_budget_postings(
    ctx: Context, budget_line_id: UUID, cursor: Cursor | None = None, limit: Limit = LIMIT_DEFAULT
) -> Page[PostingRow]:
    return await service.list_postings(ctx.kernel, ctx.actor, budget_line_id, cursor=cursor, limit=limit)


ROUTES = [list_budget_lines, list_budget_postings]
