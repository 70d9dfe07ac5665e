"""
Sets up the sample province through the services that a real one uses: nothing is written past the journal.

Names, brands, goods and prices are invented; credit codes are well-formed but belong to nobody.
"""

import asyncio
import csv
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Final, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from budget.lines import service as budget
from budget.lines.rules import Appropriated
from catalog.agreements import service as agreements
from catalog.agreements.rules import Package, Subject, last_day_allowed
from catalog.classification import service as classification
from catalog.classification.service import EDITION
from catalog.definitions import service as definitions
from catalog.definitions.rules import (
    Attribute,
    BooleanAttribute,
    ChoiceAttribute,
    NumberAttribute,
    TextAttribute,
    Value,
)
from catalog.offers import service as offers
from catalog.pictures import service as pictures
from catalog.products import service as products
from catalog.products.rules import Details
from kernel.access.actors import SUPPLIERS as SUPPLYING
from kernel.access.actors import Role, system_actor
from kernel.clock import BEIJING
from kernel.commit.by import By
from kernel.money import Fen, parse_yuan, scaled
from kernel.problems import NotFound
from kernel.runtime import Kernel
from portal.demo.newcomers import set_up_newcomers
from portal.demo.pictures import drawn
from registries.controls import service as controls
from registries.organisations import service as organisations
from registries.organisations.rules import Kind, today
from registries.users import service as users
from registries.users.rules import ROLES_OF

PASSWORD: Final = "zhecai-demo-2026"  # noqa: S105 - of the sample province, printed at its start
"""Every sample account has it."""

ACTOR: Final = system_actor("demo")
ZHEJIANG: Final = "330000"
_QUOTA: Final = 500
_CHEAPEST: Final = 86
_SPREAD: Final = 10
"""Agreement prices begin between ``_CHEAPEST`` and so much more per cent of the market price."""
_STEP: Final = 2
"""Each further seller of the same product asks so many per cent more."""
_PICTURED: Final = 2
"""Every so many-th product has a picture, where we can draw one; the others show what a page without one looks like."""


class Body(NamedTuple):
    """A sample organisation and the login of its one account; with ``roles`` it is a further account of it."""

    login: str
    kind: Kind
    name: str
    credit_code: str
    region: str
    person: str
    roles: tuple[Role, ...] = ()


BODIES: Final = (
    Body("operator", Kind.OPERATOR, "浙江省政府采购中心（示例）", "12330000009900013J", ZHEJIANG, "沈运维"),
    Body("supervisor", Kind.SUPERVISOR, "浙江省财政厅（示例）", "11330000009900021G", ZHEJIANG, "周监督"),
    Body("supervisor-hz", Kind.SUPERVISOR, "杭州市财政局（示例）", "1133010000990003XD", "330100", "吴监督"),
    Body("auditor", Kind.AUDITOR, "浙江省审计厅（示例）", "11330000990004800F", ZHEJIANG, "俞审计"),
    Body("purchaser", Kind.PURCHASER, "杭州市第一示例中学", "1233010200990011XT", "330102", "陈采购"),
    Body("purchaser2", Kind.PURCHASER, "浙江示例图书馆", "12330000009900128Q", ZHEJIANG, "林采购"),
    Body("purchaser3", Kind.PURCHASER, "杭州市西湖区示例教育局", "11330106009900136J", "330106", "何采购"),
    Body("handler", Kind.PURCHASER, "宁波市示例档案馆", "12330200009900144Q", "330200", "徐经办"),
    Body(
        *("approver", Kind.PURCHASER, "宁波市示例档案馆", "12330200009900144Q", "330200", "叶审批"),
        roles=(Role.APPROVER, Role.ADMINISTRATOR),
    ),
    Body("supplier1", Kind.SUPPLIER, "杭州数源示例科技有限公司", "91330106MA9901012G", "330106", "王经理"),
    Body("supplier2", Kind.SUPPLIER, "宁波启明示例办公设备有限公司", "91330203MA99010205", "330203", "李经理"),
    Body("supplier3", Kind.SUPPLIER, "温州恒达示例电子有限公司", "91330302MA9901039Q", "330302", "赵经理"),
    Body("supplier4", Kind.SUPPLIER, "绍兴云帆示例信息技术有限公司", "91330602MA99010473", "330602", "孙经理"),
    Body("supplier5", Kind.SUPPLIER, "金华文汇示例办公用品有限公司", "91330702MA99010553", "330702", "钱经理"),
    Body("supplier6", Kind.SUPPLIER, "嘉兴海川示例家具有限公司", "91330402MA9901063E", "330402", "郑经理"),
)
SUPPLIERS: Final = tuple(body for body in BODIES if body.kind is Kind.SUPPLIER)
PURCHASERS: Final = tuple(body for body in BODIES if body.kind is Kind.PURCHASER and not body.roles)
APPROVAL_FROM: Final = parse_yuan("5000.00")
"""From this amount on, orders of the organisation that has an approver need one."""

_COMPUTER: Final[tuple[Attribute, ...]] = (
    TextAttribute("cpu", "处理器", length_max=100),
    NumberAttribute("memory_gb", "内存", "GB", required=True, maximum=4096),
    NumberAttribute("storage_gb", "硬盘", "GB", required=True, maximum=100_000),
    NumberAttribute("screen", "屏幕", "英寸", decimals=1, maximum=1_000),
    ChoiceAttribute("os", "操作系统", ("国产操作系统", "其他", "无")),
)
_PRINTER: Final[tuple[Attribute, ...]] = (
    NumberAttribute("ppm", "打印速度", "页/分钟", required=True, maximum=200),
    BooleanAttribute("duplex", "自动双面", required=True),
    BooleanAttribute("network", "网络打印"),
)
DEFINITIONS: Final = {
    "A02010100": _COMPUTER,
    "A02021000": _PRINTER,
    "A02020400": _PRINTER,
    "A02020100": _PRINTER,
}

_AGREEMENTS: Final = (
    ("信息化及办公设备框架协议", "KJ-XXH", ("A0201", "A0202")),
    ("办公家具框架协议", "KJ-JJ", ("A0501",)),
)

_BUDGETS: Final = (("信息化设备购置", "2000000.00"), ("办公设备与家具购置", "300000.00"))


class _Deal(NamedTuple):
    """Under which package a product is offered, and for how many per cent of its market price."""

    agreement_id: UUID
    package: int
    per_cent: int


Tell = Callable[[str], None]


async def is_set_up(kernel: Kernel) -> bool:
    """Tell whether the sample province is there, whole: its last step is the budget of the last purchaser."""
    try:
        last = await organisations.by_credit_code(kernel, PURCHASERS[-1].credit_code)
    except NotFound:
        return False
    purchaser = replace(ACTOR, organisation_id=last.organisation_id, region=last.region, roles=(Role.PURCHASER,))
    lines = await budget.list_lines(kernel, purchaser, year=None, cursor=None, limit=len(_BUDGETS))
    return len(lines.items) == len(_BUDGETS)


async def set_up(kernel: Kernel, tell: Tell = lambda _: None) -> None:
    """Set up the sample province in an empty database, telling each step."""
    tell("品目分类与属性 · classification and attributes")
    await classification.load_common_codes(kernel, ACTOR)
    for code, attributes in DEFINITIONS.items():
        await definitions.define_category(kernel, ACTOR, code=code, attributes=attributes)
    tell("单位与账号 · organisations and accounts")
    ids = {body.login: await _register(kernel, body) for body in BODIES}
    for body in BODIES:
        if Role.APPROVER in body.roles:
            await _control(kernel, body, ids[body.login])
    supervisor = next(body for body in BODIES if body.kind is Kind.SUPERVISOR)
    await set_up_newcomers(kernel, supervisor_id=ids[supervisor.login], region=supervisor.region, password=PASSWORD)
    tell("框架协议与商品 · framework agreements and goods")
    await _stock_shelves(kernel, [ids[body.login] for body in SUPPLIERS])
    tell("预算指标 · budget lines")
    for number, body in enumerate(PURCHASERS, 1):
        await _appropriate(kernel, number, ids[body.login], body.region)


async def _register(kernel: Kernel, body: Body) -> UUID:
    if body.roles:
        organisation_id = (await organisations.by_credit_code(kernel, body.credit_code)).organisation_id
    else:
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
        roles=body.roles or (SUPPLYING if body.kind is Kind.SUPPLIER else ROLES_OF[body.kind][:1]),
    )
    return organisation_id


async def _control(kernel: Kernel, body: Body, organisation_id: UUID) -> None:
    """Have an organisation's larger orders wait for its approver from today on."""
    at = kernel.clock.now()
    administrator = replace(ACTOR, name=body.person, organisation_id=organisation_id, roles=(Role.ADMINISTRATOR,))
    await controls.set_approval(
        kernel,
        By(administrator, "local", at),
        approval_from_fen=APPROVAL_FROM,
        effective_from=today(at),
        note="内部控制制度（示例）",
        most_fen=None,
    )


async def _stock_shelves(kernel: Kernel, suppliers: list[UUID]) -> None:
    """Conclude the agreements and put every sample product on the shelf of its sellers."""
    text = files("portal.demo").joinpath("goods.tsv").read_text("utf-8")
    goods = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    today = kernel.clock.now().astimezone(BEIJING).date()
    for title, prefix, groups in _AGREEMENTS:
        mine = [row for row in goods if row["category"].startswith(groups)]
        packages = await _packages(kernel, mine, suppliers)
        first = date(today.year, 1, 1)
        agreement_id = await agreements.conclude_agreement(
            kernel,
            ACTOR,
            number=f"{prefix}-{today.year}-01",
            title=f"{today.year}年度浙江省{title}（示例）",
            organiser=BODIES[0].name,
            subject=Subject.GOODS,
            valid_from=first,
            valid_to=last_day_allowed(Subject.GOODS, first),
            regions=(ZHEJIANG,),
            packages=tuple(packages.values()),
        )
        for place, row in enumerate(mine):
            deal = _Deal(agreement_id, packages[row["category"]].number, _CHEAPEST + place * 7 % _SPREAD)
            product_id = await _offer(kernel, row, suppliers, deal)
            seller = suppliers[int(row["sellers"].split(",")[0]) - 1]
            if place % _PICTURED == 0:
                await _illustrate(kernel, row, product_id, place, seller)


async def _packages(kernel: Kernel, goods: list[dict[str, str]], suppliers: list[UUID]) -> dict[str, Package]:
    """Make one package for each category: its price limit is the dearest market price, its suppliers the sellers."""
    packages: dict[str, Package] = {}
    for code in dict.fromkeys(row["category"] for row in goods):
        mine = [row for row in goods if row["category"] == code]
        path = await classification.path_of(kernel, EDITION, code)
        sellers = sorted({int(number) for row in mine for number in row["sellers"].split(",")})
        packages[code] = Package(
            number=len(packages) + 1,
            name=path[-1].name,
            edition=EDITION,
            category_code=code,
            max_unit_price_fen=max(parse_yuan(row["market_yuan"]) for row in mine),
            suppliers=tuple(suppliers[number - 1] for number in sellers),
        )
    return packages


async def _illustrate(kernel: Kernel, row: dict[str, str], product_id: UUID, place: int, supplier_id: UUID) -> None:
    """Have the first seller show the product by what we can draw of it: the first of all by two pictures."""
    seller = replace(ACTOR, organisation_id=supplier_id, roles=(Role.SUPPLIER,))
    shown = []
    for number in (place, place + 1) if place == 0 else (place,):
        content = await asyncio.to_thread(drawn, row["category"], number)
        if content is not None:
            kept = await pictures.store_picture(kernel, By(seller, "local", kernel.clock.now()), content)
            shown.append(kept.digest)
    if shown:
        by = By(seller, "local", kernel.clock.now())
        await products.illustrate(kernel, by, product_id, tuple(shown), revision=1)


async def _offer(kernel: Kernel, row: dict[str, str], suppliers: list[UUID], deal: _Deal) -> UUID:
    path = await classification.path_of(kernel, EDITION, row["category"])
    market = parse_yuan(row["market_yuan"])
    details = Details(
        edition=EDITION,
        category_code=row["category"],
        category_name=path[-1].name,
        name=row["name"],
        unit=row["unit"],
        brand=row["brand"],
        model=row["model"],
        attributes=dict(_attribute(pair) for pair in row["attributes"].split(";") if pair),
        market_price_fen=market,
    )
    product_id = await products.create_product(kernel, ACTOR, details)
    for place, number in enumerate(row["sellers"].split(",")):
        agreed = _share(market, deal.per_cent + _STEP * place)
        await offers.list_offer(
            kernel,
            ACTOR,
            product_id=product_id,
            supplier_id=suppliers[int(number) - 1],
            agreement_id=deal.agreement_id,
            package=deal.package,
            agreement_price_fen=agreed,
            price_fen=_share(agreed, 98) if place == 0 else agreed,
            quota=_QUOTA,
            regions=(ZHEJIANG,),
        )
    return product_id


def _share(amount: Fen, per_cent: int) -> Fen:
    return scaled(amount, Decimal(min(per_cent, 100)) / 100)


def _attribute(pair: str) -> tuple[str, Value]:
    name, _, text = pair.partition("=")
    if text in {"是", "否"}:
        return name, text == "是"
    return name, int(text) if text.isascii() and text.isdigit() else text


async def _appropriate(kernel: Kernel, number: int, organisation_id: UUID, region: str) -> None:
    at = kernel.clock.now()
    year = at.astimezone(BEIJING).year
    for place, (name, yuan) in enumerate(_BUDGETS, 1):
        line = Appropriated(
            number=f"{region}-{year}-{number:02d}{place:02d}",
            name=name,
            year=year,
            organisation_id=organisation_id,
            region=region,
            amount_fen=parse_yuan(yuan),
            document=f"浙财预〔{year}〕{number}号（示例）",
        )
        await budget.appropriate(kernel, By(ACTOR, "local", at), line)
