"""
Offers: one supplier's price and quota for one product under one package of an agreement.

The agreement price (协议价格) is the supplier's price of stage one and caps whatever is asked later. The
quota is what the supplier undertakes to deliver: what is reserved and consumed never exceeds it.

Which order reserved how much is the order's own state; an offer keeps the sums, so that reserving costs
the same for the first order and the millionth. An order and its offers change in one command.

Source: 财政部令第110号 第十三条, 第三十二条; 附件1 §二 外网系统·协议定点采购.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID, uuid5

import msgspec

from catalog.agreements.rules import Agreement, Package, package_of
from catalog.agreements.rules import Status as AgreementStatus
from catalog.classification.rules import subtree_prefix
from catalog.products.rules import Product
from catalog.products.rules import Status as ProductStatus
from kernel.money import FEN_MAX
from registries.organisations.rules import Organisation, may_trade
from registries.regions.rules import REGIONS, covered_by_any

QUOTA_MAX: Final = 10**9
"""Units of one offer."""
_NAMESPACE: Final = UUID("0d2b8f9a-6f0e-5a0b-8f55-7f3b4f0b9a31")
"""Fixed for ever: an offer's identifier is derived from product, agreement and supplier."""


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "offer-exists"
    UNKNOWN = "offer-unknown"
    NOT_YOURS = "offer-not-yours"
    PRODUCT_UNKNOWN = "product-unknown"
    PACKAGE_UNKNOWN = "package-unknown"
    NOT_ADMITTED = "supplier-not-admitted"
    CATEGORY_OUTSIDE = "category-outside-package"
    PRICE_OUT_OF_RANGE = "price-out-of-range"
    ABOVE_PACKAGE_LIMIT = "above-package-limit"
    ABOVE_AGREEMENT_PRICE = "above-agreement-price"
    REGION_UNKNOWN = "region-unknown"
    QUOTA_BELOW_USED = "quota-below-used"
    NOT_RESERVED = "not-reserved"
    NOTHING_CHANGES = "nothing-changes"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("报价已存在", "The offer exists already"),
    Refusal.UNKNOWN: ("报价不存在", "There is no such offer"),
    Refusal.NOT_YOURS: ("只能修改本单位的报价", "Only the offer's own supplier may change it"),
    Refusal.PRODUCT_UNKNOWN: ("商品不存在或已撤销", "There is no such product, or it was withdrawn"),
    Refusal.PACKAGE_UNKNOWN: ("框架协议或采购包不存在，或协议已终止", "There is no such agreement or package in force"),
    Refusal.NOT_ADMITTED: (
        "供应商未入围该采购包，或已被暂停、清退",
        "The supplier is not admitted to the package, or suspended or removed",
    ),
    Refusal.CATEGORY_OUTSIDE: (
        "商品品目不在采购包范围内",
        "The product's category is not within the package",
    ),
    Refusal.PRICE_OUT_OF_RANGE: ("单价须大于零且不超过上限", "The price must be above zero and below the limit"),
    Refusal.ABOVE_PACKAGE_LIMIT: (
        "协议价格高于采购包最高限制单价",
        "The agreement price is above the package's maximum unit price",
    ),
    Refusal.ABOVE_AGREEMENT_PRICE: ("单价高于协议价格", "The price is above the agreement price"),
    Refusal.REGION_UNKNOWN: ("配送区划不存在或已撤销", "A delivery region is unknown or abolished"),
    Refusal.QUOTA_BELOW_USED: (
        "供货数量不得少于已预留与已成交数量",
        "The quota cannot be less than what is reserved and sold",
    ),
    Refusal.NOT_RESERVED: ("超出已预留数量", "More than what is reserved"),
    Refusal.NOTHING_CHANGES: ("没有变化", "Nothing would change"),
}


class Offer(msgspec.Struct, frozen=True):
    """
    An offer as it stands.

    ``revision`` counts what a purchaser sees change (price, regions, shelf): an order freezes it. Quantities
    are whole units of the product. Always ``0 <= reserved``, ``0 <= consumed`` and
    ``reserved + consumed <= quota``, and ``0 < price_fen <= agreement_price_fen``.
    """

    id: UUID
    revision: int
    product_id: UUID
    supplier_id: UUID
    agreement_id: UUID
    package: int
    agreement_price_fen: int
    price_fen: int
    quota: int
    reserved: int
    consumed: int
    regions: tuple[str, ...]
    on_shelf: bool
    listed_at: datetime

    @property
    def available(self) -> int:
        """What can still be ordered."""
        return self.quota - self.reserved - self.consumed


class Listed(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.listed"):
    """The offer was made; it is on the shelf (上架)."""

    id: UUID
    product_id: UUID
    supplier_id: UUID
    agreement_id: UUID
    package: int
    agreement_price_fen: int
    price_fen: int
    quota: int
    regions: tuple[str, ...]


class Repriced(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.repriced"):
    """The price was changed (调价); the agreement price stays."""

    price_fen: int


class RegionsSet(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.regions_set"):
    """The supplier delivers to these regions from now on."""

    regions: tuple[str, ...]


class QuotaSet(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.quota_set"):
    """The quota was set to a new total."""

    quota: int


class Reserved(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.reserved"):
    """An order was placed: the quantity is held for it."""

    quantity: int
    order_id: UUID


class Released(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.released"):
    """The order came to nothing: the quantity is free again."""

    quantity: int
    order_id: UUID


class Consumed(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.consumed"):
    """The goods were received: the quantity is used up."""

    quantity: int
    order_id: UUID


class Shelved(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.shelved"):
    """Back on the shelf (上架)."""


class Unshelved(msgspec.Struct, frozen=True, tag_field="kind", tag="offer.unshelved"):
    """Off the shelf (下架): no new orders, running ones go on."""

    reason: str


Event = Listed | Repriced | RegionsSet | QuotaSet | Reserved | Released | Consumed | Shelved | Unshelved


def offer_id_of(product_id: UUID, agreement_id: UUID, supplier_id: UUID) -> UUID:
    """Name the one stream in which a supplier offers a product under an agreement."""
    return uuid5(_NAMESPACE, f"{product_id}/{agreement_id}/{supplier_id}")


def delivers_to(offer: Offer, region: str) -> bool:
    """Tell whether the supplier delivers this offer to ``region`` (GB/T 2260)."""
    return covered_by_any(offer.regions, region)


def decide_list(
    offer: Offer | None,
    listed: Listed,
    *,
    product: Product | None,
    agreement: Agreement | None,
    supplier: Organisation | None,
) -> Listed | Refusal:
    """
    Decide a new offer: an admitted supplier's, of a product that belongs in the package, within its price limit.

    Source: 财政部令第110号 第十三条 (最高限制单价, 协议价格).
    """
    assert 0 <= listed.quota <= QUOTA_MAX
    if offer is not None:
        return Refusal.EXISTS
    if product is None or product.status is not ProductStatus.ACTIVE:
        return Refusal.PRODUCT_UNKNOWN
    package = package_of(agreement, listed.package) if agreement else None
    if agreement is None or package is None or agreement.status is not AgreementStatus.CONCLUDED:
        return Refusal.PACKAGE_UNKNOWN
    if listed.supplier_id not in package.suppliers or not may_trade(supplier):
        return Refusal.NOT_ADMITTED
    if not _belongs(product, package):
        return Refusal.CATEGORY_OUTSIDE
    return _price_refusal(listed, package) or (listed if _all_current(listed.regions) else Refusal.REGION_UNKNOWN)


def _belongs(product: Product, package: Package) -> bool:
    within = product.category_code.startswith(subtree_prefix(package.category_code))
    return within and product.edition == package.edition


def _price_refusal(listed: Listed, package: Package) -> Refusal | None:
    if not 0 < listed.price_fen <= FEN_MAX or not 0 < listed.agreement_price_fen <= FEN_MAX:
        return Refusal.PRICE_OUT_OF_RANGE
    if listed.agreement_price_fen > package.max_unit_price_fen:
        return Refusal.ABOVE_PACKAGE_LIMIT
    if listed.price_fen > listed.agreement_price_fen:
        return Refusal.ABOVE_AGREEMENT_PRICE
    return None


def decide_reprice(offer: Offer | None, *, supplier_id: UUID | None, price_fen: int) -> Repriced | Refusal:
    """
    Decide a new price: never above the agreement price.

    Source: 财政部令第110号 第十三条, 第十六条(四).
    """
    if offer is None:
        return Refusal.UNKNOWN
    if offer.supplier_id != supplier_id:
        return Refusal.NOT_YOURS
    if price_fen <= 0:
        return Refusal.PRICE_OUT_OF_RANGE
    if price_fen > offer.agreement_price_fen:
        return Refusal.ABOVE_AGREEMENT_PRICE
    if price_fen == offer.price_fen:
        return Refusal.NOTHING_CHANGES
    return Repriced(price_fen)


def decide_quota(offer: Offer | None, *, supplier_id: UUID | None, quota: int) -> QuotaSet | Refusal:
    """Decide a new quota: never less than what is reserved and sold."""
    assert 0 <= quota <= QUOTA_MAX
    if offer is None:
        return Refusal.UNKNOWN
    if offer.supplier_id != supplier_id:
        return Refusal.NOT_YOURS
    if quota < offer.reserved + offer.consumed:
        return Refusal.QUOTA_BELOW_USED
    if quota == offer.quota:
        return Refusal.NOTHING_CHANGES
    return QuotaSet(quota)


def decide_regions(offer: Offer | None, *, supplier_id: UUID | None, regions: tuple[str, ...]) -> RegionsSet | Refusal:
    """Decide where the supplier delivers to."""
    if offer is None:
        return Refusal.UNKNOWN
    if offer.supplier_id != supplier_id:
        return Refusal.NOT_YOURS
    if not _all_current(regions):
        return Refusal.REGION_UNKNOWN
    if regions == offer.regions:
        return Refusal.NOTHING_CHANGES
    return RegionsSet(regions)


def decide_shelve(offer: Offer | None, *, supplier_id: UUID | None) -> Shelved | Refusal:
    """Decide to put the offer back on the shelf."""
    if offer is None:
        return Refusal.UNKNOWN
    if offer.supplier_id != supplier_id:
        return Refusal.NOT_YOURS
    if offer.on_shelf:
        return Refusal.NOTHING_CHANGES
    return Shelved()


def decide_unshelve(offer: Offer | None, *, supplier_id: UUID | None, reason: str) -> Unshelved | Refusal:
    """Decide to take the offer off the shelf; running orders go on."""
    if offer is None:
        return Refusal.UNKNOWN
    if offer.supplier_id != supplier_id:
        return Refusal.NOT_YOURS
    if not offer.on_shelf:
        return Refusal.NOTHING_CHANGES
    return Unshelved(reason)


def decide_release(offer: Offer | None, *, quantity: int, order_id: UUID) -> Released | Refusal:
    """Decide to free what an order held."""
    assert quantity > 0
    if offer is None:
        return Refusal.UNKNOWN
    if quantity > offer.reserved:
        return Refusal.NOT_RESERVED
    return Released(quantity, order_id)


def decide_consume(offer: Offer | None, *, quantity: int, order_id: UUID) -> Consumed | Refusal:
    """Decide to use up what an order held."""
    assert quantity > 0
    if offer is None:
        return Refusal.UNKNOWN
    if quantity > offer.reserved:
        return Refusal.NOT_RESERVED
    return Consumed(quantity, order_id)


def evolve(offer: Offer | None, event: Event, at: datetime) -> Offer:  # noqa: PLR0911  one an event
    """Apply what was decided."""
    if isinstance(event, Listed):
        return Offer(**msgspec.structs.asdict(event), revision=1, reserved=0, consumed=0, on_shelf=True, listed_at=at)
    assert offer is not None
    replace = msgspec.structs.replace
    match event:
        case Reserved():
            return replace(offer, reserved=offer.reserved + event.quantity)
        case Released():
            return replace(offer, reserved=offer.reserved - event.quantity)
        case Consumed():
            used = event.quantity
            return replace(offer, reserved=offer.reserved - used, consumed=offer.consumed + used)
        case Repriced():
            return replace(offer, price_fen=event.price_fen, revision=offer.revision + 1)
        case RegionsSet():
            return replace(offer, regions=event.regions, revision=offer.revision + 1)
        case QuotaSet():
            return replace(offer, quota=event.quota)
        case Shelved():
            return replace(offer, on_shelf=True, revision=offer.revision + 1)
        case Unshelved():
            return replace(offer, on_shelf=False, revision=offer.revision + 1)
        case _:
            assert_never(event)


def _all_current(regions: tuple[str, ...]) -> bool:
    return bool(regions) and all(code in REGIONS and REGIONS[code].status == "current" for code in regions)
