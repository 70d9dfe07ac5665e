"""
Placing a direct order, decided purely; the steps after it are in ``lifecycle.py``.

A cart becomes one order per supplier, all or nothing. Every line is judged by itself, then what the cart
asks of limits and budget; a preview shows all that is wrong, a placement is refused with the first by the
precedence of :class:`Refusal`, then by line.

Source: 财政部令第110号 第十三条 (price limit), 第十五条 (term), 第十九条 (removal), 第三十二条 and 第三十六条
(direct selection at a fixed price); 预算法 第十三条; 政府采购法实施条例 第二十八条.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from budget.lines import rules as budget
from catalog.agreements.rules import Agreement, admits, serves, valid_on
from catalog.offers import rules as offers
from catalog.offers.rules import Offer, delivers_to
from catalog.products.rules import Product
from catalog.products.rules import Status as ProductStatus
from kernel.clock import beijing_day
from kernel.ids import public_number
from kernel.money import FEN_MAX, format_yuan
from kernel.problems import Scalar
from market.limits import rules as limits
from market.limits.rules import PolicySnapshot, Spending, Standing, category_key
from market.orders.lifecycle import LimitApplied, OrderLine, Placed, Terms, counted_of
from registries.organisations.rules import Organisation, may_trade

LINES_MAX: Final = 100
"""Lines of one cart."""
QUANTITY_MAX: Final = 1_000_000
"""Units of one line."""
NUMBER: Final = "DD"
"""What an order's number begins with (订单)."""


class Refusal(StrEnum):
    """Why a placement is refused, in precedence order."""

    PURCHASER_SUSPENDED = "purchaser-suspended"
    LINE_REPEATED = "line-repeated"
    OFFER_UNKNOWN = "offer-unknown"
    OFF_SHELF = "off-shelf"
    PRICE_CHANGED = "price-changed"
    ABOVE_AGREEMENT_PRICE = "above-agreement-price"
    AGREEMENT_NOT_VALID = "agreement-not-valid"
    AGREEMENT_ELSEWHERE = "agreement-elsewhere"
    NOT_ADMITTED = "supplier-not-admitted"
    SUSPENDED = "supplier-suspended"
    REGION_NOT_SERVED = "region-not-served"
    QUOTA_SHORT = "quota-short"
    AMOUNT_TOO_LARGE = "amount-too-large"
    NO_LIMITS = "no-limits-known"
    ORDER_LIMIT = "order-limit-exceeded"
    YEAR_LIMIT = "year-limit-exceeded"
    BUDGET_NOT_YOURS = "budget-not-yours"
    BUDGET_WRONG_YEAR = "budget-wrong-year"
    BUDGET_TOO_MANY_OPEN = "budget-too-many-open-orders"
    BUDGET_INSUFFICIENT = "budget-insufficient"


# What stands in braces are members of the fault; `x` of a member `x_fen` is the amount in yuan.
TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.PURCHASER_SUSPENDED: (
        "本单位已被暂停交易，请联系监督管理部门。",
        "Your organisation is suspended from trading; ask the supervisor.",
    ),
    Refusal.LINE_REPEATED: (
        "同一报价只能出现一次，请合并数量。",
        "The same offer stands in the cart twice; add the quantities up.",
    ),
    Refusal.OFFER_UNKNOWN: ("该报价不存在，请移除。", "There is no such offer; remove the line."),
    Refusal.OFF_SHELF: ("商品已下架，请移除或另选。", "The product is off the shelf; remove it or choose another."),
    Refusal.PRICE_CHANGED: (
        "单价已由 {expected} 元变为 {price} 元，请确认新价格后重新提交。",
        "The price has changed from {expected} to {price} yuan; confirm the new price and submit again.",
    ),
    Refusal.ABOVE_AGREEMENT_PRICE: (
        "单价 {price} 元高于协议价格 {agreement_price} 元，不得下单（110号令第十三条）。",
        "The price of {price} yuan is above the agreement price of {agreement_price} yuan (Order 110, art. 13).",
    ),
    Refusal.AGREEMENT_NOT_VALID: (
        "框架协议 {agreement} 当日无效（有效期 {valid_from} 至 {valid_to}）。",
        "Framework agreement {agreement} is not valid today (it runs from {valid_from} to {valid_to}).",
    ),
    Refusal.AGREEMENT_ELSEWHERE: (
        "框架协议 {agreement} 不适用于本单位所在区划。",
        "Framework agreement {agreement} does not cover your organisation's region.",
    ),
    Refusal.NOT_ADMITTED: (
        "供应商 {supplier} 未入围该采购包或已被清退。",
        "Supplier {supplier} is not admitted to this package, or no longer.",
    ),
    Refusal.SUSPENDED: ("供应商 {supplier} 已被暂停交易。", "Supplier {supplier} is suspended from trading."),
    Refusal.REGION_NOT_SERVED: (
        "供应商不向该收货区划配送，请另选供应商或收货地址。",
        "The supplier does not deliver to this region; choose another supplier or address.",
    ),
    Refusal.QUOTA_SHORT: (
        "可供数量不足：需要 {quantity}，仅余 {available}。",
        "Not enough is left: {quantity} wanted, {available} available.",
    ),
    Refusal.AMOUNT_TOO_LARGE: (
        "金额超过系统上限，请减少数量。",
        "The amount is above what the system can hold; order less.",
    ),
    Refusal.NO_LIMITS: (
        "本单位所在区划未配置直接订购限额，请联系监督管理部门。",
        "No limits for direct orders are configured for your region; ask the supervisor.",
    ),
    Refusal.ORDER_LIMIT: (
        "品目 {group} 本次下单 {order} 元，超过单次直接订购限额 {order_max} 元。",
        "This cart orders {order} yuan in category {group}; the limit of one direct order is {order_max} yuan.",
    ),
    Refusal.YEAR_LIMIT: (
        "品目 {group} 本年度已下单 {year} 元，加本次 {order} 元超过年度限额 {year_max} 元。",
        "Category {group}: {year} yuan ordered this year and {order} now exceed the yearly limit of {year_max} yuan.",
    ),
    Refusal.BUDGET_NOT_YOURS: budget.TEXTS[budget.Refusal.NOT_YOURS],
    Refusal.BUDGET_WRONG_YEAR: budget.TEXTS[budget.Refusal.WRONG_YEAR],
    Refusal.BUDGET_TOO_MANY_OPEN: budget.TEXTS[budget.Refusal.TOO_MANY_OPEN],
    Refusal.BUDGET_INSUFFICIENT: (
        "预算指标可用余额 {available} 元，不足以支付 {needed} 元，请减少数量或换用其他指标。",
        "The budget line has {available} yuan left, {needed} are needed; order less or choose another line.",
    ),
}

_PRECEDENCE: Final = {refusal: place for place, refusal in enumerate(Refusal)}


class Purchaser(msgspec.Struct, frozen=True, gc=False):
    """Who orders."""

    organisation_id: UUID
    name: str
    region: str


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One line of a cart: ``price_fen`` is the unit price that the purchaser saw."""

    offer_id: UUID
    quantity: int
    price_fen: int


class Cart(msgspec.Struct, frozen=True, gc=False):
    """What somebody wants to order; a preview may leave out the budget line (``None``) and the region (``""``)."""

    lines: tuple[Wanted, ...]
    budget_line_id: UUID | None
    region: str
    address: str = ""
    contact: str = ""
    phone: str = ""
    note: str = ""


class Looked(msgspec.Struct, frozen=True, gc=False):
    """A line of a cart, and what stands behind it at the moment; ``None`` is what there is not."""

    wanted: Wanted
    offer: Offer | None
    product: Product | None
    agreement: Agreement | None
    supplier: Organisation | None


class Shop(msgspec.Struct, frozen=True, gc=False):
    """All that a placement looks at, as it stands; ``lines`` are those of the cart, in its order."""

    lines: Sequence[Looked]
    purchaser: Organisation | None
    line: budget.Line | None
    spending: Spending | None
    policy: PolicySnapshot | None


class Fault(NamedTuple):
    """What is wrong, and where: ``line`` counts from 1, ``None`` for the cart as a whole."""

    line: int | None
    refusal: Refusal
    members: dict[str, Scalar]


class Placement(msgspec.Struct, frozen=True, gc=False):
    """What happens when a cart is placed: events by order and by offer, and those of budget and spending."""

    orders: list[tuple[UUID, Placed]]
    offers: list[tuple[UUID, offers.Reserved]]
    budget: list[budget.Reserved]
    spending: list[limits.Counted]


class PreviewLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a preview, at the price of now; ``line`` is its place in the cart, from 1."""

    line: int
    offer_id: UUID
    product_id: UUID
    name: str
    unit: str
    quantity: int
    price_fen: int
    agreement_price_fen: int
    amount_fen: int


class PreviewOrder(msgspec.Struct, frozen=True, gc=False):
    """The order that one supplier would get."""

    supplier_id: UUID
    supplier_name: str
    lines: tuple[PreviewLine, ...]
    total_fen: int


def texts_of(fault: Fault) -> tuple[str, str]:
    """Put a fault into words, Chinese and English, with the line at fault named."""
    words = {name: str(value) for name, value in fault.members.items()}
    words |= {name[:-4]: format_yuan(v) for name, v in fault.members.items() if name[-4:] == "_fen" and type(v) is int}  # type: ignore[arg-type]
    zh, en = (text.format(**words) for text in TEXTS[fault.refusal])
    return (zh, en) if fault.line is None else (f"第{fault.line}行：{zh}", f"Line {fault.line}: {en}")


def amounts_of(shop: Shop) -> dict[str, int]:
    """Sum up the known lines of a cart by category, in fen at the prices of today."""
    amounts: dict[str, int] = {}
    for looked in shop.lines:
        offer, product = looked.offer, looked.product
        if offer and product:
            key = category_key(product.edition, product.category_code)
            amounts[key] = amounts.get(key, 0) + looked.wanted.quantity * offer.price_fen
    return amounts


def standings_of(shop: Shop) -> tuple[Standing, ...] | limits.Refusal:
    """Set a cart against the limits."""
    return limits.standings(shop.policy, shop.spending, amounts_of(shop))


def faults_of(
    purchaser: Purchaser,
    cart: Cart,
    shop: Shop,
    standings: tuple[Standing, ...] | limits.Refusal,
    at: datetime,
) -> list[Fault]:
    """Find everything that is wrong with a cart: line by line, then limits, then budget."""
    found: list[Fault] = []
    seen: set[UUID] = set()
    total = 0
    if not may_trade(shop.purchaser):
        found.append(Fault(None, Refusal.PURCHASER_SUSPENDED, {}))
    for number, looked in enumerate(shop.lines, 1):
        wanted, offer = looked.wanted, looked.offer
        if wanted.offer_id in seen:
            found.append(Fault(number, Refusal.LINE_REPEATED, {"offer_id": str(wanted.offer_id)}))
        seen.add(wanted.offer_id)
        if offer is None:
            found.append(Fault(number, Refusal.OFFER_UNKNOWN, {"offer_id": str(wanted.offer_id)}))
            continue
        total += wanted.quantity * offer.price_fen
        for refusal, members in _line_faults(purchaser, cart, looked, offer, at):
            found.append(Fault(number, refusal, {"offer_id": str(wanted.offer_id), **members}))
    if total > FEN_MAX:
        found.append(Fault(None, Refusal.AMOUNT_TOO_LARGE, {"total_fen": total}))
    found.extend(_limit_faults(standings))
    if cart.budget_line_id is not None and total > 0:
        found.extend(_budget_faults(purchaser, shop.line, total, at))
    return found


def _line_faults(
    purchaser: Purchaser, cart: Cart, looked: Looked, offer: Offer, at: datetime
) -> Iterator[tuple[Refusal, dict[str, Scalar]]]:
    wanted, product = looked.wanted, looked.product
    if not offer.on_shelf or product is None or product.status is ProductStatus.WITHDRAWN:
        yield Refusal.OFF_SHELF, {}
    if wanted.price_fen != offer.price_fen:
        yield Refusal.PRICE_CHANGED, {"expected_fen": wanted.price_fen, "price_fen": offer.price_fen}
    if offer.price_fen > offer.agreement_price_fen:
        yield (
            Refusal.ABOVE_AGREEMENT_PRICE,
            {"price_fen": offer.price_fen, "agreement_price_fen": offer.agreement_price_fen},
        )
    yield from _partner_faults(purchaser, offer, looked.agreement, looked.supplier, at)
    if cart.region and not delivers_to(offer, cart.region):
        yield Refusal.REGION_NOT_SERVED, {"region": cart.region}
    if wanted.quantity > offer.available:
        yield Refusal.QUOTA_SHORT, {"quantity": wanted.quantity, "available": offer.available}


def _partner_faults(
    purchaser: Purchaser, offer: Offer, agreement: Agreement | None, supplier: Organisation | None, at: datetime
) -> Iterator[tuple[Refusal, dict[str, Scalar]]]:
    name = supplier.name if supplier else str(offer.supplier_id)
    if agreement is None or not valid_on(agreement, beijing_day(at)):
        yield Refusal.AGREEMENT_NOT_VALID, _agreement_members(agreement)
    if agreement is not None:
        if not serves(agreement, purchaser.region):
            yield Refusal.AGREEMENT_ELSEWHERE, {"agreement": agreement.number}
        if not admits(agreement, offer.package, offer.supplier_id):
            yield Refusal.NOT_ADMITTED, {"supplier": name}
    if not may_trade(supplier):
        yield Refusal.SUSPENDED, {"supplier": name}


def _agreement_members(agreement: Agreement | None) -> dict[str, Scalar]:
    if agreement is None:
        return {"agreement": "", "valid_from": "", "valid_to": ""}
    return {
        "agreement": agreement.number,
        "valid_from": agreement.valid_from.isoformat(),
        "valid_to": agreement.valid_to.isoformat(),
    }


def _limit_faults(standings: tuple[Standing, ...] | limits.Refusal) -> Iterator[Fault]:
    if isinstance(standings, limits.Refusal):
        yield Fault(None, Refusal(standings), {})
        return
    for standing in standings:
        if refusal := limits.refusal_of(standing):
            members: dict[str, Scalar] = {
                "group": standing.group,
                "order_fen": standing.order_fen,
                "order_max_fen": standing.order_max_fen,
                "year_fen": standing.year_fen,
                "year_max_fen": standing.year_max_fen,
            }
            yield Fault(None, Refusal(refusal), members)


def _budget_faults(purchaser: Purchaser, line: budget.Line | None, total: int, at: datetime) -> Iterator[Fault]:
    if line is None or line.organisation_id != purchaser.organisation_id:
        yield Fault(None, Refusal.BUDGET_NOT_YOURS, {})  # absent and another's are one answer: nothing leaks
        return
    refusal = budget.refusal_to_reserve(line, organisation_id=purchaser.organisation_id, amount_fen=total, at=at)
    if refusal is not None:
        yield Fault(None, Refusal(refusal), {"available_fen": line.available_fen, "needed_fen": total})


def preview_orders(shop: Shop) -> tuple[PreviewOrder, ...]:
    """Group the known lines of a cart by supplier, at the prices of now."""
    by_supplier: dict[UUID, list[PreviewLine]] = {}
    names: dict[UUID, str] = {}
    for number, looked in enumerate(shop.lines, 1):
        wanted, offer, product = looked.wanted, looked.offer, looked.product
        if offer is None or product is None:
            continue
        names[offer.supplier_id] = looked.supplier.name if looked.supplier else ""
        line = PreviewLine(
            line=number,
            offer_id=offer.id,
            product_id=product.id,
            name=product.name,
            unit=product.unit,
            quantity=wanted.quantity,
            price_fen=offer.price_fen,
            agreement_price_fen=offer.agreement_price_fen,
            amount_fen=wanted.quantity * offer.price_fen,
        )
        by_supplier.setdefault(offer.supplier_id, []).append(line)
    return tuple(
        PreviewOrder(
            supplier_id,
            names[supplier_id],
            tuple(lines),
            sum(line.amount_fen for line in lines),
        )
        for supplier_id, lines in by_supplier.items()
    )


def decide_placement(
    purchaser: Purchaser, cart: Cart, shop: Shop, order_ids: Sequence[UUID], *, at: datetime
) -> Placement | list[Fault]:
    """
    Decide a cart: one order per supplier, or what is wrong; ``order_ids`` has one for each, as the cart names them.

    Faults come sorted by precedence, then by line. The price is the offer's of this moment, which the
    purchaser saw; nothing is rounded.
    """
    assert cart.lines
    standings = standings_of(shop)
    if faults := faults_of(purchaser, cart, shop, standings, at):
        return sorted(faults, key=lambda fault: (_PRECEDENCE[fault.refusal], fault.line or 0))
    assert not isinstance(standings, limits.Refusal)
    by_supplier: dict[UUID, list[OrderLine]] = {}
    suppliers: list[Organisation] = []
    for looked in shop.lines:
        assert looked.supplier is not None
        own = by_supplier.get(looked.supplier.id)
        if own is None:
            own = by_supplier[looked.supplier.id] = []
            suppliers.append(looked.supplier)
        own.append(_frozen(looked))
    found = Placement([], [], [], [])
    for supplier, lines, order_id in zip(suppliers, by_supplier.values(), order_ids, strict=True):
        terms = _terms(purchaser, cart, shop, standings, supplier, tuple(lines), order_id, at)
        found.orders.append((order_id, Placed(terms)))
        found.offers.extend([(line.offer_id, offers.Reserved(line.quantity, order_id)) for line in lines])
        found.budget.append(budget.Reserved(order_id, terms.total_fen))
        found.spending.append(counted_of(order_id, terms))
    return found


def _frozen(looked: Looked) -> OrderLine:
    wanted, offer, product, agreement = looked.wanted, looked.offer, looked.product, looked.agreement
    assert offer is not None
    assert product is not None
    assert agreement is not None
    return OrderLine(
        offer_id=offer.id,
        offer_revision=offer.revision,
        product_id=product.id,
        product_revision=product.revision,
        definition_revision=product.definition_revision,
        agreement_id=agreement.id,
        agreement_number=agreement.number,
        package=offer.package,
        edition=product.edition,
        category_code=product.category_code,
        category_name=product.category_name,
        name=product.name,
        brand=product.brand,
        model=product.model,
        unit=product.unit,
        specs=product.attributes,
        quantity=wanted.quantity,
        price_fen=offer.price_fen,
        agreement_price_fen=offer.agreement_price_fen,
        amount_fen=wanted.quantity * offer.price_fen,
    )


def _terms(
    purchaser: Purchaser,
    cart: Cart,
    shop: Shop,
    standings: tuple[Standing, ...],
    supplier: Organisation,
    lines: tuple[OrderLine, ...],
    order_id: UUID,
    at: datetime,
) -> Terms:
    assert shop.line is not None
    assert cart.budget_line_id is not None
    keys = [category_key(line.edition, line.category_code) for line in lines]
    return Terms(
        number=public_number(NUMBER, at, order_id),
        purchaser_id=purchaser.organisation_id,
        purchaser_name=purchaser.name,
        purchaser_region=purchaser.region,
        supplier_id=supplier.id,
        supplier_name=supplier.name,
        budget_line_id=cart.budget_line_id,
        budget_line_number=shop.line.number,
        year=budget.fiscal_year(at),
        region=cart.region,
        address=cart.address,
        contact=cart.contact,
        phone=cart.phone,
        note=cart.note,
        total_fen=sum(line.amount_fen for line in lines),
        lines=lines,
        limits=tuple(
            LimitApplied(
                group=standing.group,
                order_max_fen=standing.order_max_fen,
                year_max_fen=standing.year_max_fen,
                year_fen=standing.year_fen,
                effective_from=standing.effective_from,
                verified=standing.verified,
                source=standing.source,
            )
            for standing in standings
            if any(key.startswith(standing.group) for key in keys)
        ),
    )
