"""The register of organisations over HTTP."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from kernel.access.table import Action
from kernel.paging import Limit, Page
from kernel.problems import Invalid
from kernel.web.context import Context
from kernel.web.routes import op
from registries.organisations import service
from registries.organisations.rules import Kind
from registries.organisations.service import OrganisationRow


@op(
    "GET",
    "/api/organisations",
    action=Action.ORGANISATION_READ,
    tag="registries",
    summary="List organisations by name",
    problems=(Invalid,),
)
async def list_organisations(
    ctx: Context,
    role: Kind | None = None,
    q: Annotated[str, Meta(max_length=100)] = "",
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[OrganisationRow]:
    return await service.find(ctx.kernel, kind=role, text=q, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/organisations/{organisation_id}",
    action=Action.ORGANISATION_READ,
    tag="registries",
    summary="Read an organisation",
)
async def get_organisation(ctx: Context, organisation_id: UUID) -> OrganisationRow:
    return await service.get(ctx.kernel, organisation_id)


ROUTES = [list_organisations, get_organisation]
