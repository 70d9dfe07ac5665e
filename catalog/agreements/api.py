"""Framework agreements over HTTP."""

from datetime import date
from uuid import UUID

import msgspec

from catalog.agreements import service
from catalog.agreements.rules import Status, Subject
from catalog.agreements.service import AgreementRow
from kernel.access.table import Action
from kernel.paging import Limit, Page
from kernel.problems import Invalid
from kernel.web.context import Context
from kernel.web.routes import op
from registries.organisations import service as organisations


class SupplierOut(msgspec.Struct, frozen=True):
    """A supplier admitted to a package."""

    organisation_id: UUID
    name: str


class PackageOut(msgspec.Struct, frozen=True):
    """A package with its price limit (最高限制单价) and the suppliers admitted to it."""

    number: int
    name: str
    edition: str
    category_code: str
    max_unit_price_fen: int
    suppliers: tuple[SupplierOut, ...]


class AgreementOut(msgspec.Struct, frozen=True):
    """A framework agreement."""

    agreement_id: UUID
    number: str
    title: str
    organiser: str
    subject: Subject
    valid_from: date
    valid_to: date
    regions: tuple[str, ...]
    status: Status
    packages: tuple[PackageOut, ...]


async def _out(ctx: Context, rows: tuple[AgreementRow, ...]) -> tuple[AgreementOut, ...]:
    ids = {supplier for row in rows for package in row.packages for supplier in package.suppliers}
    names = await organisations.names(ctx.kernel, ids)
    found = []
    for row in rows:
        packages = tuple(
            PackageOut(
                package.number,
                package.name,
                package.edition,
                package.category_code,
                package.max_unit_price_fen,
                tuple(SupplierOut(one, names.get(one, "")) for one in package.suppliers),
            )
            for package in row.packages
        )
        found.append(AgreementOut(**{**msgspec.structs.asdict(row), "packages": packages}))
    return tuple(found)


@op(
    "GET",
    "/api/agreements",
    action=Action.AGREEMENT_READ,
    tag="catalog",
    summary="List framework agreements by number",
    problems=(Invalid,),
)
async def list_agreements(
    ctx: Context,
    valid: bool = False,  # noqa: FBT001, FBT002  a query parameter has its name beside it
    supplier: UUID | None = None,
    region: str = "",
    cursor: str | None = None,
    limit: Limit = 20,
) -> Page[AgreementOut]:
    page = await service.find(ctx.kernel, valid=valid, supplier_id=supplier, region=region, cursor=cursor, limit=limit)
    return Page(await _out(ctx, page.items), page.next)


@op(
    "GET",
    "/api/agreements/{agreement_id}",
    action=Action.AGREEMENT_READ,
    tag="catalog",
    summary="Read a framework agreement",
)
async def get_agreement(ctx: Context, agreement_id: UUID) -> AgreementOut:
    return (await _out(ctx, (await service.get(ctx.kernel, agreement_id),)))[0]


ROUTES = [list_agreements, get_agreement]
