"""Valid products, agreements and offers; a test names only what it is about."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from catalog.agreements import service as agreements
from catalog.agreements.rules import Agreement, Package, Subject
from catalog.agreements.rules import Status as AgreementStatus
from catalog.classification import service as classification
from catalog.definitions.rules import (
    Attribute,
    BooleanAttribute,
    ChoiceAttribute,
    Definition,
    NumberAttribute,
    TextAttribute,
    definition_id,
    shape_of,
)
from catalog.offers import service as offers
from catalog.offers.rules import Offer
from catalog.products import service as products
from catalog.products.rules import Details, Product, Status
from kernel.runtime import Kernel
from tests.builders.registries import OPERATOR, register

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
LAPTOP = "A02010108"
SUPPLIER = UUID(int=11)
OTHER = UUID(int=12)

ATTRIBUTES: tuple[Attribute, ...] = (
    TextAttribute("processor", "处理器", required=True, length_max=20),
    NumberAttribute("screen", "屏幕", "英寸", decimals=1, minimum=100, maximum=200),
    ChoiceAttribute("system", "操作系统", ("统信UOS", "银河麒麟")),
    BooleanAttribute("touch", "触控屏"),
)


def a_definition(**changes: Any) -> Definition:
    shapes = {attribute.id: shape_of(attribute) for attribute in ATTRIBUTES}
    definition = Definition(definition_id("2022", LAPTOP), 1, "2022", LAPTOP, ATTRIBUTES, shapes)
    return msgspec.structs.replace(definition, **changes)


def some_details(**changes: Any) -> Details:
    details = Details(
        edition="2022",
        category_code=LAPTOP,
        category_name="便携式计算机",
        name="联想 昭阳 X5 便携式计算机",
        unit="台",
        brand="联想",
        model="X5-14",
        market_price_fen=6_999_00,
    )
    return msgspec.structs.replace(details, **changes)


def a_product(**changes: Any) -> Product:
    details = msgspec.structs.asdict(some_details())
    product = Product(id=UUID(int=21), revision=1, status=Status.ACTIVE, created_at=AT, revised_at=AT, **details)
    return msgspec.structs.replace(product, **changes)


def a_package(**changes: Any) -> Package:
    package = Package(1, "便携式计算机", "2022", LAPTOP, 8_000_00, (SUPPLIER,))
    return msgspec.structs.replace(package, **changes)


def an_agreement(**changes: Any) -> Agreement:
    agreement = Agreement(
        id=UUID(int=31),
        number="ZJKJ-2026-001",
        title="2026年度便携式计算机框架协议",
        organiser="浙江省政府采购中心",
        subject=Subject.GOODS,
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        regions=("330000",),
        packages=(a_package(),),
        removed=(),
        status=AgreementStatus.CONCLUDED,
        concluded_at=AT,
    )
    return msgspec.structs.replace(agreement, **changes)


def an_offer(**changes: Any) -> Offer:
    offer = Offer(
        id=UUID(int=41),
        revision=1,
        product_id=UUID(int=21),
        supplier_id=SUPPLIER,
        agreement_id=UUID(int=31),
        package=1,
        agreement_price_fen=6_000_00,
        price_fen=5_800_00,
        quota=10,
        reserved=2,
        consumed=3,
        regions=("330100",),
        on_shelf=True,
        listed_at=AT,
    )
    return msgspec.structs.replace(offer, **changes)


@dataclass
class Market:
    """A small catalogue in a kernel: one agreement with two admitted suppliers, one product, no offers."""

    agreement_id: UUID
    suppliers: tuple[UUID, UUID]
    product_id: UUID


async def a_market(kernel: Kernel, *, category: str = LAPTOP, max_unit_price_fen: int = 8_000_00) -> Market:
    await classification.load_common_codes(kernel, OPERATOR)
    first, second = await register(kernel, 101), await register(kernel, 102, region="330203")
    agreement_id = await agreements.conclude_agreement(
        kernel,
        OPERATOR,
        number="ZJKJ-2026-001",
        title="2026年度框架协议",
        organiser="浙江省政府采购中心",
        subject=Subject.GOODS,
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        regions=("330000",),
        packages=(Package(1, "一包", "2022", category, max_unit_price_fen, (first, second)),),
    )
    product_id = await products.create_product(kernel, OPERATOR, some_details())
    return Market(agreement_id, (first, second), product_id)


async def an_offer_of(kernel: Kernel, market: Market, supplier: int = 0, **changes: Any) -> UUID:
    """Put an offer of the market's product on the shelf."""
    terms: dict[str, Any] = {
        "product_id": market.product_id,
        "supplier_id": market.suppliers[supplier],
        "agreement_id": market.agreement_id,
        "package": 1,
        "agreement_price_fen": 6_000_00,
        "price_fen": 5_800_00,
        "quota": 10,
        "regions": ("330100",),
    }
    return await offers.list_offer(kernel, OPERATOR, **{**terms, **changes})
