"""Valid carts, shops and orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from budget.lines import service as budget_lines
from budget.lines.rules import Line
from catalog.agreements.rules import Agreement, Package, Subject
from catalog.agreements.rules import Status as AgreementStatus
from catalog.offers.rules import Offer
from catalog.products.rules import Product
from catalog.products.rules import Status as ProductStatus
from kernel.access.actors import Actor, Role
from kernel.commit.by import By
from kernel.commit.command import Key
from kernel.journal.streams import S, StreamRef
from kernel.runtime import Kernel
from market.approvals import service as approvals
from market.limits.rules import Limit, PolicySnapshot, Spending
from market.orders import service as orders
from market.orders.lifecycle import Details, Order, OrderLine, Stage, Step, Terms
from market.orders.rules import Cart, Fault, Looked, Placement, Purchaser, Shop, Wanted, decide_placement
from market.orders.service import PlacedOrders
from registries.organisations.rules import Kind, Organisation, Status
from registries.regions.rules import Level
from tests.builders.budget import MORNING, SCHOOL, a_line, an_appropriation
from tests.builders.catalog import Market, a_market, an_offer_of
from tests.builders.registries import OPERATOR, a_user, register

BUDGET_LINE: Final = UUID("01900000-0000-7000-8000-0000000000b1")
LAPTOP: Final = UUID("01900000-0000-7000-8000-0000000000e1")
LAPTOP_OFFER: Final = UUID("01900000-0000-7000-8000-0000000000f1")
PRINTER: Final = UUID("01900000-0000-7000-8000-0000000000e2")
PRINTER_OFFER: Final = UUID("01900000-0000-7000-8000-0000000000f2")
AGREEMENT: Final = UUID("01900000-0000-7000-8000-0000000000c1")
LIANCHUANG: Final = UUID("01900000-0000-7000-8000-000000000051")
"""A supplier: of laptops."""
HUAGONG: Final = UUID("01900000-0000-7000-8000-000000000052")
"""Another: of printers."""
ORDER_IDS: Final = {
    LIANCHUANG: UUID("01900000-0000-7000-8000-0000000000d1"),
    HUAGONG: UUID("01900000-0000-7000-8000-0000000000d2"),
}
SHANGCHENG: Final = "330102"
LISTED: Final = datetime(2026, 6, 1, tzinfo=UTC)

a_purchaser: Final = Purchaser(SCHOOL, "杭州市上城区第一小学", SHANGCHENG)


def a_product(**changes: Any) -> Product:
    product = Product(
        id=LAPTOP,
        revision=3,
        status=ProductStatus.ACTIVE,
        edition="2022",
        category_code="A02010108",
        category_name="便携式计算机",
        name="联想 ThinkPad X1 便携式计算机",
        unit="台",
        brand="联想",
        model="X1 2026",
        number="LC-0001",
        description="",
        attributes={"memory_gb": 32},
        pictures=(),
        market_price_fen=5000_00,
        definition_revision=2,
        created_at=LISTED,
        revised_at=LISTED,
    )
    return msgspec.structs.replace(product, **changes)


def an_offer(**changes: Any) -> Offer:
    offer = Offer(
        id=LAPTOP_OFFER,
        revision=4,
        product_id=LAPTOP,
        supplier_id=LIANCHUANG,
        agreement_id=AGREEMENT,
        package=1,
        agreement_price_fen=4650_00,
        price_fen=4650_00,
        quota=100,
        reserved=0,
        consumed=0,
        regions=("330100",),
        on_shelf=True,
        listed_at=LISTED,
    )
    return msgspec.structs.replace(offer, **changes)


def a_package(**changes: Any) -> Package:
    package = Package(1, "办公设备", "2022", "A0201", 6000_00, (LIANCHUANG, HUAGONG))
    return msgspec.structs.replace(package, **changes)


def an_agreement(**changes: Any) -> Agreement:
    agreement = Agreement(
        id=AGREEMENT,
        number="ZJKJ-2026-001",
        title="浙江省2026年度办公设备框架协议",
        organiser="浙江省政府采购中心",
        subject=Subject.GOODS,
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        regions=("330000",),
        packages=(a_package(),),
        removed=(),
        status=AgreementStatus.CONCLUDED,
        concluded_at=LISTED,
    )
    return msgspec.structs.replace(agreement, **changes)


def a_supplier(**changes: Any) -> Organisation:
    supplier = Organisation(
        id=LIANCHUANG,
        kind=Kind.SUPPLIER,
        name="杭州联创科技有限公司",
        credit_code="91330100MA2XXXXX0X",
        region="330100",
        status=Status.ACTIVE,
        registered_at=LISTED,
    )
    return msgspec.structs.replace(supplier, **changes)


def a_school(**changes: Any) -> Organisation:
    return a_supplier(id=SCHOOL, kind=Kind.PURCHASER, name="杭州市上城区第一小学", region=SHANGCHENG, **changes)


def a_limit(**changes: Any) -> Limit:
    limit = Limit(
        region="330000",
        level=None,
        category="",
        group_length=5,
        effective_from=date(2026, 1, 1),
        order_max_fen=500_000_00,
        year_max_fen=2_000_000_00,
        verified=False,
        source="示例",
    )
    return msgspec.structs.replace(limit, **changes)


def a_policy(*limits: Limit) -> PolicySnapshot:
    return PolicySnapshot(SHANGCHENG, Level.COUNTY, date(2026, 11, 23), limits or (a_limit(),))


class AShop(NamedTuple):
    """What a test puts on the shelves; which of it stands behind a line is found as the service finds it."""

    offers: Mapping[UUID, Offer]
    products: Mapping[UUID, Product]
    agreements: Mapping[UUID, Agreement]
    organisations: Mapping[UUID, Organisation]
    line: Line | None
    spending: Spending | None
    policy: PolicySnapshot | None

    def seen(self, cart: Cart) -> Shop:
        """Look at it with a cart in hand."""
        school = self.organisations.get(SCHOOL)
        return Shop([self._looked(wanted) for wanted in cart.lines], school, self.line, self.spending, self.policy)

    def _looked(self, wanted: Wanted) -> Looked:
        offer = self.offers.get(wanted.offer_id)
        if offer is None:
            return Looked(wanted, None, None, None, None)
        return Looked(
            wanted,
            offer,
            self.products.get(offer.product_id),
            self.agreements.get(offer.agreement_id),
            self.organisations.get(offer.supplier_id),
        )


def a_shop(**changes: Any) -> AShop:
    """Two suppliers, each with one offer; enough of everything. A test replaces what it is about."""
    printer = a_product(id=PRINTER, name="激光打印机 M7400", category_code="A02021003", category_name="打印机")
    shop = AShop(
        offers={
            LAPTOP_OFFER: an_offer(),
            PRINTER_OFFER: an_offer(
                id=PRINTER_OFFER,
                product_id=PRINTER,
                supplier_id=HUAGONG,
                price_fen=1200_00,
                agreement_price_fen=1300_00,
            ),
        },
        products={LAPTOP: a_product(), PRINTER: printer},
        agreements={AGREEMENT: an_agreement()},
        organisations={
            SCHOOL: a_school(),
            LIANCHUANG: a_supplier(),
            HUAGONG: a_supplier(id=HUAGONG, name="宁波华工办公设备有限公司"),
        },
        line=a_line(),
        spending=None,
        policy=a_policy(),
    )
    return shop._replace(**changes)


def a_shop_with(**offer: Any) -> AShop:
    """A shop whose only offer is a laptop with these changes."""
    return a_shop(offers={LAPTOP_OFFER: an_offer(**offer)})


def a_wanted(**changes: Any) -> Wanted:
    return msgspec.structs.replace(Wanted(LAPTOP_OFFER, 2, 4650_00), **changes)


def a_cart(*lines: Wanted, **changes: Any) -> Cart:
    cart = Cart(
        lines=lines or (a_wanted(),),
        budget_line_id=BUDGET_LINE,
        region=SHANGCHENG,
        address="上城区解放路1号",
        contact="王老师",
        phone="0571-87000000",
    )
    return msgspec.structs.replace(cart, **changes)


def decided(cart: Cart, shop: AShop, at: datetime = MORNING) -> Placement | list[Fault]:
    """Place a cart in a shop; each supplier's order has its id of ``ORDER_IDS``."""
    seen = shop.seen(cart)
    suppliers = {looked.supplier.id: None for looked in seen.lines if looked.supplier}
    return decide_placement(a_purchaser, cart, seen, [ORDER_IDS[supplier] for supplier in suppliers], at=at)


def a_spending(**by_category: int) -> Spending:
    return Spending(SCHOOL, 2026, {f"2022/{code}": amount for code, amount in by_category.items()})


def an_order_line(**changes: Any) -> OrderLine:
    line = OrderLine(
        offer_id=LAPTOP_OFFER,
        offer_revision=4,
        product_id=LAPTOP,
        product_revision=3,
        definition_revision=2,
        agreement_id=AGREEMENT,
        agreement_number="ZJKJ-2026-001",
        package=1,
        edition="2022",
        category_code="A02010108",
        category_name="便携式计算机",
        name="联想 ThinkPad X1 便携式计算机",
        brand="联想",
        model="X1 2026",
        unit="台",
        specs={"memory_gb": 32},
        quantity=2,
        price_fen=4650_00,
        agreement_price_fen=4650_00,
        amount_fen=9300_00,
    )
    return msgspec.structs.replace(line, **changes)


def a_terms(**changes: Any) -> Terms:
    terms = Terms(
        number="DD20261123-00000-00061",
        purchaser_id=SCHOOL,
        purchaser_name="杭州市上城区第一小学",
        purchaser_region=SHANGCHENG,
        supplier_id=LIANCHUANG,
        supplier_name="杭州联创科技有限公司",
        budget_line_id=BUDGET_LINE,
        budget_line_number="330102-2026-04078",
        year=2026,
        region=SHANGCHENG,
        address="上城区解放路1号",
        contact="王老师",
        phone="0571-87000000",
        note="",
        total_fen=9300_00,
        lines=(an_order_line(),),
        limits=(),
    )
    return msgspec.structs.replace(terms, **changes)


def an_order(**changes: Any) -> Order:
    return msgspec.structs.replace(Order(a_terms(), Stage.PLACED, MORNING, MORNING), **changes)


@dataclass(frozen=True)
class Trade:
    """A market with a purchaser who has money: what an order needs, in a kernel."""

    purchaser: Actor
    supplier: Actor
    rival: Actor
    stranger: Actor
    supervisor: Actor
    offer_id: UUID
    rival_offer_id: UUID
    budget_line_id: UUID
    market: Market

    @property
    def line(self) -> Wanted:
        return Wanted(self.offer_id, 1, PRICE_FEN)

    @property
    def rival_line(self) -> Wanted:
        return Wanted(self.rival_offer_id, 1, PRICE_FEN)

    def cart(self, *lines: Wanted, **changes: Any) -> Cart:
        return a_cart(*(lines or (self.line,)), **{"budget_line_id": self.budget_line_id, **changes})


PRICE_FEN: Final = 5_800_00


async def a_trade(kernel: Kernel, *, quota: int = 100, budget_fen: int = 1_000_000_00) -> Trade:
    """Set up two suppliers with an offer each, a purchaser with a budget line, a stranger and a supervisor."""
    market = await a_market(kernel)
    school = await register(kernel, 201, Kind.PURCHASER, region=SHANGCHENG)
    other = await register(kernel, 202, Kind.PURCHASER, region="330203")
    bureau = await register(kernel, 203, Kind.SUPERVISOR, region="330100")
    purchaser = await a_user(kernel, "buyer", school, Role.PURCHASER)
    return Trade(
        purchaser=purchaser,
        supplier=await a_user(kernel, "seller", market.suppliers[0], Role.SUPPLIER),
        rival=await a_user(kernel, "rival", market.suppliers[1], Role.SUPPLIER),
        stranger=await a_user(kernel, "stranger", other, Role.PURCHASER),
        supervisor=await a_user(kernel, "bureau", bureau, Role.SUPERVISOR),
        offer_id=await an_offer_of(kernel, market, quota=quota),
        rival_offer_id=await an_offer_of(kernel, market, 1, quota=quota),
        budget_line_id=await a_budget_line(kernel, school, amount_fen=budget_fen),
        market=market,
    )


async def a_budget_line(kernel: Kernel, organisation_id: UUID, **changes: Any) -> UUID:
    """Appropriate a budget line."""
    event = an_appropriation(organisation_id=organisation_id, **changes)
    return await budget_lines.appropriate(kernel, By(OPERATOR, "local", kernel.clock.now()), event)


async def place(
    kernel: Kernel, trade: Trade, *lines: Wanted, key: str | None = None, fingerprint: bytes = b"f", **changes: Any
) -> PlacedOrders:
    """Place a cart of the trade's purchaser."""
    by = By(
        trade.purchaser,
        "192.0.2.1",
        kernel.clock.now(),
        Key(trade.purchaser.journal, key, fingerprint) if key else None,
    )
    return await approvals.check_out(kernel, by, trade.cart(*lines, **changes))


async def an_order_of(kernel: Kernel, trade: Trade, *lines: Wanted) -> UUID:
    """Place a cart of one supplier and return the order's id."""
    (order,) = (await place(kernel, trade, *lines)).orders
    return order.order_id


async def step(kernel: Kernel, actor: Actor, order_id: UUID, what: Step, **said: str) -> Stage:
    """Take a step of an order."""
    details = Details(**{"reason": "原因", **said})
    done = await orders.take_step(kernel, By(actor, "192.0.2.2", kernel.clock.now()), order_id, what, details)
    return done.stage


async def state_of(kernel: Kernel, ref: StreamRef[S, Any]) -> S:
    """Read the state of a stream as the database has it."""
    async with kernel.db.pool.acquire() as connection:
        return (await ref.kind.load(connection, [ref.id]))[ref.id].state
