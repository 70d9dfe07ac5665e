"""What has to be there before anybody can trade: set up through the services, as an operator's tools would."""

from datetime import date
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from budget.lines import service as budget
from budget.lines.rules import Appropriated, fiscal_year
from catalog.agreements import service as agreements
from catalog.agreements.rules import Package, Subject, last_day_allowed
from catalog.classification import service as classification
from catalog.classification.service import EDITION
from catalog.goods.service import GoodsOptions, GoodsReport, import_goods
from kernel.access.actors import Role, system_actor
from kernel.clock import BEIJING
from kernel.commit.by import By
from kernel.problems import NotFound
from kernel.runtime import Kernel
from portal.demo.province import PASSWORD, PURCHASERS, SUPPLIERS, Body
from registries.organisations import service as organisations
from registries.users import service as users

ACTOR: Final = system_actor("scenario")
BUYER: Final = PURCHASERS[0]
SELLER: Final = SUPPLIERS[0]
BIDDERS: Final = SUPPLIERS[:5]
AGREEMENT: Final = "KJ-FIRST-01"
CATEGORY: Final = "A05040000"
"""办公用品: where goods go whose own category is no official one."""
WORDS: Final = {"家具": "A05010000", "文具": "A05040100"}
"""What a shop's own words for categories mean."""
BUDGET_FEN: Final = 20_000_000_00
_PRICE_LIMIT_FEN: Final = 1_000_000_00
_ZHEJIANG: Final = "330000"


class Furnished(NamedTuple):
    """Who and what is there."""

    organisations: dict[str, UUID]
    agreement_id: UUID
    budget_line_id: UUID
    codes: int


async def is_empty(kernel: Kernel) -> bool:
    """Tell whether nothing has ever happened here."""
    return not await kernel.db.pool.fetchval("select exists (select from journal)")


async def furnish(kernel: Kernel) -> Furnished:
    """Load the classification, register a purchaser and five suppliers, conclude an agreement, appropriate a budget."""
    await classification.load_common_codes(kernel, ACTOR)
    names, _ = await classification.names_and_parents(kernel, EDITION)
    ids = {body.login: await _register(kernel, body) for body in (BUYER, *BIDDERS)}
    at = kernel.clock.now()
    first = date(at.astimezone(BEIJING).year, 1, 1)
    groups = sorted(code for code in names if code.startswith("A") and code.endswith("000000"))
    admitted = tuple(ids[body.login] for body in BIDDERS)
    agreement_id = await agreements.conclude_agreement(
        kernel,
        ACTOR,
        number=AGREEMENT,
        title=f"{first.year}年度货物框架协议",
        organiser="浙江省政府采购中心（示例）",
        subject=Subject.GOODS,
        valid_from=first,
        valid_to=last_day_allowed(Subject.GOODS, first),
        regions=(_ZHEJIANG,),
        packages=tuple(
            Package(number, names[code], EDITION, code, _PRICE_LIMIT_FEN, admitted)
            for number, code in enumerate(groups, 1)
        ),
    )
    year = fiscal_year(at)
    line = Appropriated(
        number=f"{BUYER.region}-{year}-0001",
        name="办公设备购置",
        year=year,
        organisation_id=ids[BUYER.login],
        region=BUYER.region,
        amount_fen=BUDGET_FEN,
        document=f"杭财预〔{year}〕1号（示例）",
    )
    line_id = await budget.appropriate(kernel, By(ACTOR, "local", at), line)
    return Furnished(ids, agreement_id, line_id, len(names))


async def stock(kernel: Kernel, file: Path, category: str) -> GoodsReport:
    """Import goods as offers of the first supplier under the agreement."""
    options = GoodsOptions(
        category=category, mapping=WORDS, agreement=AGREEMENT, supplier=SELLER.credit_code, quota=1_000
    )
    return await import_goods(kernel, ACTOR, file, options)


async def _register(kernel: Kernel, body: Body) -> UUID:
    try:
        return (await organisations.by_credit_code(kernel, body.credit_code)).organisation_id
    except NotFound:
        pass
    organisation_id = await organisations.register_organisation(
        kernel, ACTOR, kind=body.kind, name=body.name, credit_code=body.credit_code, region=body.region
    )
    await users.create_user(
        kernel,
        ACTOR,
        login=body.login,
        name=body.person,
        password=PASSWORD,
        organisation_id=organisation_id,
        roles=(Role(body.kind.value),),
    )
    return organisation_id
