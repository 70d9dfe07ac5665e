"""Entering products, and finding, reading and comparing them."""

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from catalog.agreements.rules import beijing_day
from catalog.classification import service as classification
from catalog.classification.rules import Category, is_code
from catalog.definitions.rules import Attribute, Definition, Fault, definition_id, write_value
from catalog.definitions.service import DEFINITION, definition_of
from catalog.products import queries
from catalog.products.queries import PRODUCT, Facets, Filter, OfferLine, ProductRow, Sort
from catalog.products.rules import (
    TEXTS,
    Details,
    Event,
    Product,
    Refusal,
    candidate_words,
    decide_create,
    decide_revise,
    decide_withdraw,
    grams_of,
    split_at_words,
    terms_of,
)
from kernel.access.actors import Actor
from kernel.commit.command import Command, Decided, Happened, States
from kernel.ids import uuid7
from kernel.paging import Page
from kernel.problems import Invalid, NotFound, Problem, Refused, Scalar
from kernel.runtime import Kernel
from registries.regions.rules import UnknownRegionError, path_of

__all__ = [
    "PRODUCT",
    "Facets",
    "OfferLine",
    "Offered",
    "ProductRow",
    "Sort",
    "Stated",
    "Wanted",
    "compare",
    "create_product",
    "facets",
    "faulty",
    "find",
    "get",
    "revise_product",
    "withdraw_product",
]

TERMS_MAX: Final = 20
COMPARED: Final = range(2, 5)


class Wanted(msgspec.Struct, frozen=True):
    """What a caller looks for, in their own words; see :class:`~catalog.products.queries.Filter`."""

    text: str = ""
    edition: str = ""
    category: str = ""
    brand: str = ""
    supplier_id: UUID | None = None
    region: str = ""
    price_min_fen: int | None = None
    price_max_fen: int | None = None


class Stated(msgspec.Struct, frozen=True):
    """An attribute with its value as people read it."""

    attribute_id: str
    name: str
    text: str


class Offered(msgspec.Struct, frozen=True):
    """A product with its category, what it states, and the offers that can be ordered today."""

    product: Product
    path: tuple[Category, ...]
    attributes: tuple[Stated, ...]
    offers: tuple[OfferLine, ...]


async def create_product(kernel: Kernel, actor: Actor, details: Details, *, origin: str = "local") -> UUID:
    """
    Enter a product; ``category_name`` is filled in from the classification.

    Raises:
        NotFound: there is no such category.
        Invalid: the details do not fit, all faults named.
    """
    at = kernel.clock.now()
    id_ = uuid7(at)
    return await _enter(
        kernel,
        actor,
        id_,
        details,
        lambda before, complete, definition: decide_create(before, id_, complete, definition),
        origin=origin,
    )


async def revise_product(
    kernel: Kernel, actor: Actor, product_id: UUID, details: Details, *, origin: str = "local"
) -> UUID:
    """Change a product: all its details are given anew; raises ``NotFound``, ``Invalid``, ``Refused``."""
    return await _enter(kernel, actor, product_id, details, decide_revise, origin=origin)


async def withdraw_product(
    kernel: Kernel, actor: Actor, product_id: UUID, reason: str, *, origin: str = "local"
) -> UUID:
    """Let a product not be offered any more; raises ``Refused``."""
    ref = PRODUCT.ref(product_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_withdraw(states.get(ref), reason=reason)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(product_id, [Happened(ref, decision)])

    return await kernel.committer.submit(Command([ref], decide, actor.journal, origin, kernel.clock.now()))


async def _enter(
    kernel: Kernel,
    actor: Actor,
    product_id: UUID,
    details: Details,
    decide: Callable[[Product | None, Details, Definition | None], Event | Refusal | tuple[Fault, ...]],
    *,
    origin: str,
) -> UUID:
    category, _ = await classification.get_category(kernel, details.edition, details.category_code)
    complete = msgspec.structs.replace(details, category_name=category.name)
    found = await definition_of(kernel, details.edition, details.category_code)
    code = found.code if found else details.category_code
    ref, defined = PRODUCT.ref(product_id), DEFINITION.ref(definition_id(details.edition, code))

    def decided(states: States) -> Decided[UUID] | Problem:
        decision = decide(states.get(ref), complete, states.get(defined))
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        if isinstance(decision, tuple):
            return faulty(decision)
        return Decided(product_id, [Happened(ref, decision)])

    command = Command([ref, defined], decided, actor.journal, origin, kernel.clock.now())
    return await kernel.committer.submit(command)


def faulty(faults: Sequence[Fault]) -> Invalid:
    """Say everything that is wrong with a product's details."""
    members: list[dict[str, Scalar]] = [{"field": fault.field, "zh": fault.zh, "en": fault.en} for fault in faults]
    return Invalid(
        "；".join(f"{fault.field}：{fault.zh}" for fault in faults),
        "; ".join(f"{fault.field}: {fault.en}" for fault in faults),
        field=faults[0].field,
        faults=members,
    )


async def find(
    kernel: Kernel, wanted: Wanted, *, sort: Sort = Sort.RELEVANCE, cursor: str | None = None, limit: int = 20
) -> Page[ProductRow]:
    """List products; best price and count are of the offers that fit and can be ordered today."""
    filter_ = await _filter(kernel, wanted)
    async with kernel.db.read() as tx:
        rows, following = await queries.page(
            tx, filter_, grams_of(filter_.terms), sort=sort, cursor=cursor, limit=limit
        )
    return Page(tuple(rows), following)


async def facets(kernel: Kernel, wanted: Wanted) -> Facets:
    """Count what a list holds by category, brand and supplier."""
    filter_ = await _filter(kernel, wanted)
    async with kernel.db.read() as tx:
        return await queries.facets(tx, filter_, grams_of(filter_.terms))


async def get(kernel: Kernel, product_id: UUID) -> Offered:
    """Read a product with its offers; raises ``NotFound``."""
    found = await _offered(kernel, (product_id,))
    if not found:
        raise NotFound("没有这个商品。", "There is no such product.")
    return found[0]


async def compare(kernel: Kernel, ids: Sequence[UUID]) -> tuple[Offered, ...]:
    """Read two to four products side by side, in the order asked for; raises ``Invalid``, ``NotFound``."""
    if len(ids) not in COMPARED or len(set(ids)) != len(ids):
        raise Invalid("请选择2至4个不同的商品进行比较", "Choose two to four different products", field="ids")
    found = await _offered(kernel, ids)
    if len(found) != len(ids):
        raise NotFound("要比较的商品有的不存在。", "One of the products does not exist.")
    return found


async def _offered(kernel: Kernel, ids: Sequence[UUID]) -> tuple[Offered, ...]:
    async with kernel.db.read() as tx:
        products = await queries.get_many(tx, ids)
        lines = await queries.offers_of(tx, ids, beijing_day(kernel.clock.now()))
    found = []
    for product in (products[id_] for id_ in ids if id_ in products):
        path = await classification.path_of(kernel, product.edition, product.category_code)
        definition = await definition_of(kernel, product.edition, product.category_code)
        own = tuple(line for line in lines if line.product_id == product.id)
        found.append(Offered(product, path[::-1], _stated(product, definition), own))
    return tuple(found)


def _stated(product: Product, definition: Definition | None) -> tuple[Stated, ...]:
    known: dict[str, Attribute] = {one.id: one for one in definition.attributes} if definition else {}
    stated = [
        Stated(id_, attribute.name, write_value(attribute, product.attributes[id_]))
        for id_, attribute in known.items()
        if id_ in product.attributes
    ]
    stated += [Stated(id_, id_, str(value)) for id_, value in product.attributes.items() if id_ not in known]
    return tuple(stated)


async def _filter(kernel: Kernel, wanted: Wanted) -> Filter:
    terms = terms_of(wanted.text)[:TERMS_MAX]
    if terms:
        candidates = candidate_words(terms)
        async with kernel.db.read() as tx:
            words = await queries.brand_words(tx, candidates)
        words |= await classification.name_words(kernel, candidates)
        terms = split_at_words(terms, words)
    if wanted.category and not is_code(wanted.category):
        raise Invalid("品目编码格式不正确", "Not a classification code", field="category")
    try:
        regions = path_of(wanted.region) if wanted.region else ()
    except UnknownRegionError as error:
        raise Invalid("区划代码不存在", "There is no such region", field="region") from error
    return Filter(
        day=beijing_day(kernel.clock.now()),
        terms=terms,
        edition=wanted.edition or (classification.EDITION if wanted.category else ""),
        category=wanted.category,
        brand=wanted.brand,
        supplier_id=wanted.supplier_id,
        regions=regions,
        price_min_fen=wanted.price_min_fen,
        price_max_fen=wanted.price_max_fen,
    )
