"""
Reading goods out of rows, and what each row changes.

A row is known by the seller's goods number, or without one by what it says; so a file can be imported again
after it was stopped, and a changed row revises the product it made. The columns are in :data:`COLUMNS`.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID, uuid5

import msgspec

from catalog.agreements.rules import Agreement, Package
from catalog.classification.rules import is_code, subtree_prefix
from catalog.definitions.rules import Definition, Fault, Value, read_value
from catalog.offers import rules as offers
from catalog.pictures.rules import is_digest
from catalog.products import rules as products
from catalog.products.rules import Details
from kernel.money import parse_yuan
from registries.organisations.rules import Organisation

_NAMESPACE: Final = UUID("3a3e0e83-41c5-5b0c-8d0a-8d2e0d0b7f52")
"""Fixed for ever: the identifier of an imported product is derived from its key."""

ATTRIBUTE_PREFIX: Final = "attr."
"""A column ``attr.screen`` holds the attribute ``screen``."""

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "number": ("商品编号", "编号", "goods_sn", "sku"),
    "name": ("名称", "商品名称"),
    "category": ("品目", "品目编码", "类别", "分类"),
    "brand": ("品牌",),
    "model": ("型号", "规格型号"),
    "unit": ("单位", "计量单位"),
    "description": ("描述", "简介", "brief"),
    "market_price": ("市场价", "counter_price"),
    "agreement_price": ("协议价", "协议价格"),
    "price": ("单价", "价格", "售价", "retail_price"),
    "quota": ("数量", "供货数量"),
    "pictures": ("图片",),
}
"""
Our column names and what else we take for them.

Prices in yuan. Pictures are parted by spaces or semicolons: names of files that are given along, or the SHA-256 of
pictures that were sent in before. A row without pictures leaves those of its product as they are.
"""

_PARTED: Final = re.compile(r"[\s;；]+")

_ABOUT_PRICES: Final = frozenset(
    {
        offers.Refusal.PRICE_OUT_OF_RANGE,
        offers.Refusal.ABOVE_PACKAGE_LIMIT,
        offers.Refusal.ABOVE_AGREEMENT_PRICE,
    }
)
_TEXTS: Final = ("name", "unit", "brand", "model", "number", "description")
_NAMES: Final = {alias.lower(): name for name, aliases in COLUMNS.items() for alias in (name, *aliases)}


class Outcome(StrEnum):
    """What became of a row."""

    IMPORTED = "imported"
    REVISED = "revised"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Offered(msgspec.Struct, frozen=True):
    """The terms of a row's offer; ``quota`` is ``None`` when the file has none."""

    agreement_price_fen: int | None
    price_fen: int
    quota: int | None


class Draft(msgspec.Struct, frozen=True):
    """What a row says: a product, and an offer where the row has a price."""

    details: Details
    offer: Offered | None


class Known(NamedTuple):
    """
    What rows are read against.

    ``names`` maps each code of the edition to its name, ``codes`` each name that only one code has to it.
    ``mapping`` maps the file's own words for categories to codes; ``fallback`` is the code for all others.
    """

    edition: str
    names: Mapping[str, str]
    codes: Mapping[str, str]
    mapping: Mapping[str, str]
    fallback: str


class Plan(NamedTuple):
    """What a row changes."""

    outcome: Outcome
    product: tuple[products.Event, ...] = ()
    offer: tuple[offers.Event, ...] = ()


class Deal(NamedTuple):
    """Where a row's offer goes: an agreement with one of its suppliers; ``quota`` is for rows that have none."""

    agreement: Agreement | None
    supplier: Organisation | None
    supplier_id: UUID
    package: int | None
    quota: int


def column_of(header: str) -> str | None:
    """Tell which of our columns a header means; ``None`` when none."""
    plain = header.strip().lower()
    return plain if plain.startswith(ATTRIBUTE_PREFIX) else _NAMES.get(plain)


def unique_codes(names: Mapping[str, str]) -> dict[str, str]:
    """Map each name that only one code has to that code: 其他 says nothing."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for code, name in names.items():
        if name in found:
            twice.add(name)
        found[name] = code
    return {name: code for name, code in found.items() if name not in twice}


def category_of(text: str, known: Known) -> str | Fault:
    """Find the category that a cell means: a code, a mapped word, a name that only one code has, or the fallback."""
    word = text.strip()
    if is_code(word):
        if word in known.names:
            return word
        return Fault(
            "category", f"{known.edition}版目录中没有品目 {word}", f"The {known.edition} edition has no {word}"
        )
    code = known.mapping.get(word) or known.codes.get(word) or known.fallback
    if code:
        return code
    return Fault(
        "category",
        f"品目“{word}”无法识别：请填编码，或指定 --category 或品目对照表",
        f"Unknown category {word!r}: give a code, --category or a mapping",
    )


def read_row(cells: Mapping[str, str], known: Known, definition: Definition | None) -> Draft | tuple[Fault, ...]:
    """
    Read a row whose cells are under our column names; all faults at once.

    ``definition`` is the one that counts for the row's category (see :func:`category_of`).
    """
    faults: list[Fault] = []
    code = category_of(cells.get("category", ""), known)
    if isinstance(code, Fault):
        faults.append(code)
        code = ""
    prices = {column: _price(cells, column, faults) for column in ("market_price", "agreement_price", "price")}
    quota = _quota(cells, faults)
    attributes = _attributes(cells, definition, faults)
    name, unit, brand, model, number, description = (cells.get(column, "").strip() for column in _TEXTS)
    details = Details(
        edition=known.edition,
        category_code=code,
        category_name=known.names.get(code, ""),
        attributes=attributes,
        pictures=picture_names(cells),
        market_price_fen=prices["market_price"],
        name=name,
        unit=unit,
        brand=brand,
        model=model,
        number=number,
        description=description,
    )
    # What could not be read was said already: that a value is missing or wrong besides would be said twice.
    said = {fault.field for fault in faults}
    faults += [fault for fault in products.faults_of(details, definition if code else None) if fault.field not in said]
    if faults:
        return tuple(faults)
    price = prices["price"] if prices["price"] is not None else prices["agreement_price"]
    return Draft(details, None if price is None else Offered(prices["agreement_price"], price, quota))


def picture_names(cells: Mapping[str, str]) -> tuple[str, ...]:
    """List the pictures that a row names, in order; a digest in lower case."""
    names = [name for name in _PARTED.split(cells.get("pictures", "")) if name]
    return tuple(name.lower() if is_digest(name.lower()) else name for name in names)


def key_of(draft: Draft) -> str:
    """Say what a row is known by: the goods number, or else what it is called."""
    details = draft.details
    if details.number:
        return f"number/{details.number}"
    parts = (details.category_code, details.brand, details.model, details.name)
    return "/".join(("text", *(" ".join(products.terms_of(part)) for part in parts)))


def product_id_of(scope: str, draft: Draft) -> UUID:
    """Name the product of a row; ``scope`` (the supplier's credit code) keeps sellers' goods numbers apart."""
    return uuid5(_NAMESPACE, f"{scope}/{key_of(draft)}")


def digest_of(draft: Draft) -> bytes:
    """Hash all that a row says: exact duplicates have one digest."""
    return hashlib.sha256(msgspec.json.encode(draft, order="deterministic")).digest()


def package_for(agreement: Agreement, supplier_id: UUID, code: str, edition: str) -> Package | None:
    """Pick the narrowest package that the category belongs to and the supplier is admitted to."""
    fitting = [
        package
        for package in agreement.packages
        if supplier_id in package.suppliers
        and package.edition == edition
        and code.startswith(subtree_prefix(package.category_code))
    ]
    return max(fitting, key=lambda package: (len(subtree_prefix(package.category_code)), -package.number), default=None)


def decide_row(
    draft: Draft,
    *,
    product_id: UUID,
    product: products.Product | None,
    offer: offers.Offer | None,
    definition: Definition | None,
    deal: Deal | None,
    at: datetime,
) -> Plan | tuple[Fault, ...]:
    """
    Decide what a row changes: create or revise its product, list or change its offer, or nothing.

    With a ``deal`` every row must have a price; without one offers are left alone. The product and its offer
    change together or not at all.
    """
    details = draft.details
    if product is not None and not details.pictures:
        details = msgspec.structs.replace(details, pictures=product.pictures)
    if product is None:
        made: products.Event | products.Refusal | tuple[Fault, ...] = products.decide_create(
            None, product_id, details, definition
        )
    else:
        made = products.decide_revise(product, details, definition)
    if isinstance(made, tuple):
        return made
    if isinstance(made, products.Refusal) and made is not products.Refusal.NOTHING_CHANGES:
        return (Fault("name", *products.TEXTS[made]),)
    product_events = () if isinstance(made, products.Refusal) else (made,)
    after = product if isinstance(made, products.Refusal) else products.evolve(product, made, at)
    assert after is not None
    offer_events: tuple[offers.Event, ...] = ()
    if deal:
        decided = _decide_offer(draft, after, offer, deal)
        if isinstance(decided, Fault):
            return (decided,)
        offer_events = decided
    if product is None:
        return Plan(Outcome.IMPORTED, product_events, offer_events)
    changed = product_events or offer_events
    return Plan(Outcome.REVISED if changed else Outcome.UNCHANGED, product_events, offer_events)


def _decide_offer(
    draft: Draft, product: products.Product, offer: offers.Offer | None, deal: Deal
) -> tuple[offers.Event, ...] | Fault:
    terms = draft.offer
    if terms is None:
        return Fault("price", "缺少单价或协议价", "The price or the agreement price is missing")
    if offer is None:
        return _decide_new_offer(terms, product, deal)
    if terms.agreement_price_fen not in {None, offer.agreement_price_fen}:
        return Fault(
            "agreement_price",
            "协议价格在协议期内不得改变（110号令第十三条）",
            "The agreement price stays for the term of the agreement (Order 110, art. 13)",
        )
    decisions: list[offers.Event | offers.Refusal] = []
    if terms.price_fen != offer.price_fen:
        decisions.append(offers.decide_reprice(offer, supplier_id=offer.supplier_id, price_fen=terms.price_fen))
    if terms.quota is not None and terms.quota != offer.quota:
        decisions.append(offers.decide_quota(offer, supplier_id=offer.supplier_id, quota=terms.quota))
    events: list[offers.Event] = []
    for decision in decisions:
        if isinstance(decision, offers.Refusal):
            return Fault("quota" if "quota" in decision else "price", *offers.TEXTS[decision])
        events.append(decision)
    return tuple(events)


def _decide_new_offer(terms: Offered, product: products.Product, deal: Deal) -> tuple[offers.Event, ...] | Fault:
    agreement = deal.agreement
    number = deal.package
    if agreement and number is None:
        package = package_for(agreement, deal.supplier_id, product.category_code, product.edition)
        number = package.number if package else None
    if agreement is None or number is None:
        return Fault(
            "category",
            "框架协议中没有该供应商入围且包含本品目的采购包",
            "The agreement has no package for this category to which the supplier is admitted",
        )
    listed = offers.Listed(
        offers.offer_id_of(product.id, agreement.id, deal.supplier_id),
        product.id,
        deal.supplier_id,
        agreement.id,
        number,
        terms.price_fen if terms.agreement_price_fen is None else terms.agreement_price_fen,
        terms.price_fen,
        deal.quota if terms.quota is None else terms.quota,
        agreement.regions,
    )
    decision = offers.decide_list(None, listed, product=product, agreement=agreement, supplier=deal.supplier)
    if isinstance(decision, offers.Refusal):
        return Fault("price" if decision in _ABOUT_PRICES else "category", *offers.TEXTS[decision])
    return (decision,)


def _price(cells: Mapping[str, str], name: str, faults: list[Fault]) -> int | None:
    text = cells.get(name, "").strip().removeprefix("¥").removeprefix("￥").removesuffix("元")
    if not text:
        return None
    try:
        return parse_yuan(text)
    except ValueError:
        field = "market_price_fen" if name == "market_price" else name
        faults.append(
            Fault(
                field, f"“{text}”不是金额（元，最多两位小数）", f"{text!r} is no amount in yuan, two decimals at most"
            )
        )
        return None


def _quota(cells: Mapping[str, str], faults: list[Fault]) -> int | None:
    text = cells.get("quota", "").strip().replace(",", "")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= offers.QUOTA_MAX:  # noqa: PLR2004
        return int(text)
    faults.append(Fault("quota", f"“{text}”不是数量", f"{text!r} is no quantity"))
    return None


def _attributes(cells: Mapping[str, str], definition: Definition | None, faults: list[Fault]) -> dict[str, Value]:
    known = {attribute.id: attribute for attribute in definition.attributes} if definition else {}
    found: dict[str, Value] = {}
    for column, text in cells.items():
        if not column.startswith(ATTRIBUTE_PREFIX) or not text.strip():
            continue
        name = column.removeprefix(ATTRIBUTE_PREFIX)
        if name not in known:
            faults.append(
                Fault(f"attributes.{name}", f"本品目没有属性 {name}", f"The category has no attribute {name}")
            )
            continue
        value = read_value(known[name], text)
        if isinstance(value, Fault):
            faults.append(value)
        else:
            found[name] = value
    return found
