"""Entering products, and finding, reading and comparing them."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import chain, groupby
from typing import Any, Final
from uuid import UUID

import msgspec

from catalog.classification import service as classification
from catalog.classification.rules import Category, is_code
from catalog.definitions.rules import Attribute, Definition, Fault, definition_id, write_value
from catalog.definitions.service import DEFINITION, definition_of
from catalog.pictures import service as pictures
from catalog.pictures.rules import Picture
from catalog.pictures.service import PICTURE
from catalog.products import queries
from catalog.products.queries import PRODUCT, Facets, Filter, OfferLine, ProductRow, Sort
from catalog.products.rules import (
    PICTURES_MAX,
    TEXTS,
    Details,
    Event,
    Extent,
    FirstPicture,
    Product,
    Refusal,
    candidate_words,
    decide_create,
    decide_illustrate,
    decide_revise,
    decide_take_down,
    decide_withdraw,
    grams_of,
    split_at_words,
    terms_of,
)
from kernel.access.actors import Actor, Role
from kernel.clock import beijing_day
from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Happened, States
from kernel.ids import uuid7
from kernel.journal import queries as journal
from kernel.journal.streams import StreamRef, decoder
from kernel.paging import Page
from kernel.problems import Invalid, NotFound, Problem, Refused, Scalar
from kernel.runtime import Kernel
from registries.regions.rules import UnknownRegionError, path_of

__all__ = [
    "PRODUCT",
    "Album",
    "AlbumPicture",
    "Extent",
    "Facets",
    "FirstPicture",
    "OfferLine",
    "Offered",
    "ProductRow",
    "Sort",
    "Stated",
    "Wanted",
    "album",
    "compare",
    "create_product",
    "facets",
    "faulty",
    "find",
    "first_pictures",
    "get",
    "illustrate",
    "revise_product",
    "take_down",
    "withdraw_product",
    "withhold",
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


class Right(StrEnum):
    """What somebody may do with a product's pictures."""

    ILLUSTRATE = "illustrate"  # a supplier that offers it: add, arrange, remove what its organisation sent in
    TAKE_DOWN = "take-down"  # the operator: take down, with a reason


class AlbumPicture(msgspec.Struct, frozen=True):
    """A picture of a product; ``own`` says that the caller's organisation sent it in."""

    digest: str
    width: int
    height: int
    own: bool


class Album(msgspec.Struct, frozen=True):
    """A product's pictures for whoever wants to change them; ``right`` is ``None`` for who may not."""

    product_id: UUID
    name: str
    revision: int
    right: Right | None
    pictures: tuple[AlbumPicture, ...]
    pictures_max: int


async def album(kernel: Kernel, actor: Actor, product_id: UUID) -> Album:
    """Read a product's pictures and what the caller may do with them; raises ``NotFound``."""
    product = (await get(kernel, product_id)).product
    right = await _right(kernel, actor, product_id)
    found = await pictures.known(kernel, product.pictures)
    shown = tuple(
        AlbumPicture(row.digest, row.width, row.height, actor.organisation_id in row.organisations)
        for digest in product.pictures
        if (row := found.get(digest))
    )
    return Album(product.id, product.name, product.revision, right, shown, PICTURES_MAX)


async def illustrate(kernel: Kernel, by: By, product_id: UUID, wanted: tuple[str, ...], *, revision: int) -> int:
    """
    Show a product that the caller offers by these pictures, the first one in lists; give its new revision.

    What the decision rests on besides the product never changes: no picture is deleted, nor is an offer.

    Raises:
        NotFound: the caller does not offer the product.
        Refused: see :class:`~catalog.products.rules.Refusal`.
    """
    right = await _right(kernel, by.actor, product_id)
    if right is not Right.ILLUSTRATE:
        raise NotFound(
            "贵单位没有供应这个商品，不能修改它的图片。",
            "Your organisation does not offer this product and cannot change its pictures.",
        )
    async with kernel.db.read() as tx:
        before = (await queries.get_many(tx, [product_id])).get(product_id)
    found = await pictures.known(kernel, (*wanted, *(before.pictures if before else ())))
    own = {digest for digest, row in found.items() if by.actor.organisation_id in row.organisations}
    ref = PRODUCT.ref(product_id)
    files = {digest: [PICTURE.ref(one) for one in row.ids] for digest, row in found.items()}

    def decide(states: States) -> Decided[int] | Problem:
        product = states.get(ref)
        known = {digest for digest, refs in files.items() if not _withheld(states, refs)}
        decision = decide_illustrate(product, wanted, revision=revision, known=known, own=own)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(revision + 1, [Happened(ref, decision)])

    return await kernel.committer.submit(by.command([ref, *chain(*files.values())], decide, int))


async def take_down(
    kernel: Kernel, by: By, product_id: UUID, picture: str, reason: str, extent: Extent = Extent.PRODUCT
) -> int:
    """
    Take an improper picture of a product down; give the product's new revision.

    Everywhere means that nobody gets it any more, from the moment of the commit on: other products' pages and orders
    neither. What else it shows has it taken down behind that commit, each product in an entry of its own.

    Raises:
        Refused: there is no such product, or the picture does not show it.
    """
    everywhere = extent is Extent.EVERYWHERE
    ref, files = PRODUCT.ref(product_id), await pictures.refs_of(kernel, picture) if everywhere else []

    def decide(states: States) -> Decided[int] | Problem:
        product = states.get(ref)
        decision = decide_take_down(product, picture, reason=reason)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        assert product is not None
        events = [Happened(ref, decision), *pictures.withhold(states, files, reason)]
        return Decided(product.revision + 1, events)

    revision = await kernel.committer.submit(by.command([ref, *files], decide, int))
    if everywhere:
        await _clear(kernel, msgspec.structs.replace(by, key=None), picture, reason)
    return revision


async def withhold(kernel: Kernel, by: By, picture: str, reason: str) -> None:
    """
    Take an improper picture down everywhere, also one that only orders still show.

    Asked again it takes down what is left of it.

    Raises:
        NotFound: no picture has this digest.
    """
    files = await pictures.refs_of(kernel, picture)
    if not files:
        raise NotFound(f"没有编号为 {picture} 的图片。", f"No picture has the digest {picture}.")
    command = by.command(files, lambda states: Decided(None, pictures.withhold(states, files, reason)), type(None))
    await kernel.committer.submit(command)
    await _clear(kernel, msgspec.structs.replace(by, key=None), picture, reason)


async def _clear(kernel: Kernel, by: By, picture: str, reason: str) -> None:
    """Take a picture that nobody gets any more down from every product; what is not shown by then is well."""
    async with kernel.db.read() as tx:
        shown = await queries.showing(tx, picture)
    for product_id in shown:
        ref = PRODUCT.ref(product_id)

        def decide(states: States, ref: StreamRef[Product, Event] = ref) -> Decided[None]:
            decision = decide_take_down(states.get(ref), picture, reason=reason)
            return Decided(None, [] if isinstance(decision, Refusal) else [Happened(ref, decision)])

        await kernel.committer.submit(by.command([ref], decide, type(None)))


def _withheld(states: States, refs: Sequence[StreamRef[Picture, Any]]) -> bool:
    """Tell whether a picture of several streams is withheld in any of them; they are compared at commit."""
    return any(state.withheld for ref in refs if (state := states.get(ref)))


async def _right(kernel: Kernel, actor: Actor, product_id: UUID) -> Right | None:
    if actor.has(Role.OPERATOR):
        return Right.TAKE_DOWN
    if not actor.has(Role.SUPPLIER) or actor.organisation_id is None:
        return None
    async with kernel.db.read() as tx:
        return Right.ILLUSTRATE if await queries.is_offered_by(tx, product_id, actor.organisation_id) else None


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


async def first_pictures(kernel: Kernel, revisions: Sequence[tuple[UUID, int]]) -> tuple[FirstPicture | None, ...]:
    """
    Tell for revisions of products which picture came first then; ``None`` where there was none.

    Two statements, and what the journal holds of these products.
    """
    streams = {str(PRODUCT.ref(product_id)): product_id for product_id, _ in revisions}
    async with kernel.db.pool.acquire() as connection:
        entries = await journal.read_many(connection, [(stream, 0) for stream in streams])
    found: dict[tuple[UUID, int], str | None] = {}
    for stream, own in groupby(entries, key=lambda entry: entry.stream):
        product: Product | None = None
        for entry in own:
            product = PRODUCT.evolve(product, decoder(PRODUCT)(entry.body), entry.at)
            found[streams[stream], product.revision] = next(iter(product.pictures), None)
    first = [found.get(revision) for revision in revisions]
    gone = await pictures.withheld(kernel, [digest for digest in first if digest])
    return tuple(FirstPicture(digest, digest in gone) if digest else None for digest in first)


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
