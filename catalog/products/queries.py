"""
Every statement about products and their search.

A page is found in two steps, so that the planner cannot go wrong. Sorted by age, the newest ``HEAD`` rows
are looked through first: when they fill the page they are the page. Otherwise at most ``MATCHES_MAX``
matches are gathered by the gram index and then sorted. Offers are read for the rows of the page alone.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.agreements.tables import agreement_suppliers, agreements
from catalog.classification.rules import subtree_prefix
from catalog.offers.tables import offers
from catalog.products.rules import Event, Product, Status, evolve, is_one_gram, product_grams, search_text, terms_of
from catalog.products.tables import products
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from kernel.paging import decode_cursor, encode_cursor
from registries.organisations.tables import organisations

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

HEAD: Final = 3_000
MATCHES_MAX: Final = 20_000
FACETS_MAX: Final = 50
_NO_PRICE: Final = 2**62


def _brand_key(product: Product) -> str:
    return "".join(terms_of(product.brand))


_rows: Final[StateTable[Product, Event]] = StateTable(
    products, Product, {"search_text": search_text, "brand_key": _brand_key, "grams": product_grams}
)
PRODUCT: Final[StreamKind[Product, Event]] = StreamKind("product", Event, evolve, _rows.load, _rows.save)

_p: Final = products.c
_o: Final = offers.c
_a: Final = agreements.c


class Sort(StrEnum):
    """In which order products are listed; ``-price`` is the dearest first."""

    RELEVANCE = "relevance"
    PRICE = "price"
    PRICE_DOWN = "-price"
    NAME = "name"
    NEWEST = "newest"


class Filter(msgspec.Struct, frozen=True):
    """
    What is looked for.

    ``terms`` must all occur. ``regions`` is the purchaser's region and what it lies in: one of them must be
    delivered to. Prices in fen, both ends included. ``day`` is the Beijing day on which agreements must be valid.
    """

    day: date
    terms: tuple[str, ...] = ()
    edition: str = ""
    category: str = ""
    brand: str = ""
    supplier_id: UUID | None = None
    regions: tuple[str, ...] = ()
    price_min_fen: int | None = None
    price_max_fen: int | None = None

    @property
    def about_offers(self) -> bool:
        """Tell whether only products with a fitting offer are wanted."""
        wanted = (self.supplier_id, self.regions or None, self.price_min_fen, self.price_max_fen)
        return any(one is not None for one in wanted)


class ProductRow(msgspec.Struct, frozen=True):
    """A product as lists show it; best price and count are of the offers that can be ordered today."""

    product_id: UUID
    revision: int
    name: str
    brand: str
    model: str
    category_edition: str
    category_code: str
    category_name: str
    picture: str | None
    unit: str
    market_price_fen: int | None
    offers: int = 0
    suppliers: int = 0
    best_price_fen: int | None = None
    best_offer_id: UUID | None = None
    agreement_price_fen: int | None = None
    available: int = 0


class OfferLine(msgspec.Struct, frozen=True):
    """An offer that can be ordered today, as a purchaser sees it."""

    offer_id: UUID
    revision: int
    product_id: UUID
    supplier_id: UUID
    supplier_name: str
    agreement_id: UUID
    agreement_number: str
    agreement_title: str
    package: int
    price_fen: int
    agreement_price_fen: int
    available: int
    regions: tuple[str, ...]
    on_shelf: bool
    valid_from: date
    valid_to: date


class Facet(msgspec.Struct, frozen=True):
    """A value to narrow the list down to, and how many products have it."""

    key: str
    name: str
    count: int


class Facets(msgspec.Struct, frozen=True):
    """``total`` counts matches up to ``MATCHES_MAX``; ``more`` says that there are more."""

    total: int
    more: bool
    categories: tuple[Facet, ...]
    brands: tuple[Facet, ...]
    suppliers: tuple[Facet, ...]


def _live(day: date, regions: Sequence[str] = ()) -> sa.ColumnElement[bool]:
    """
    Tell whether an offer may be ordered on ``day``: agreement valid, supplier admitted and not suspended.

    What may be ordered at all is worked out once (a hashed subplan) and each offer is looked up in it. Written as
    a join the planner, which knows nothing about tables this small, may walk one list for each row of the other;
    inside ``CASE`` it leaves the subquery alone.
    """
    admitted = agreement_suppliers.c
    found = (
        sa.select(admitted.agreement_id, admitted.package, admitted.supplier_id)
        .join(agreements, _a.id == admitted.agreement_id)
        .join(organisations, organisations.c.id == admitted.supplier_id)
        .where(_a.status == "concluded", _a.valid_from <= day, _a.valid_to >= day, organisations.c.status == "active")
    )
    if regions:
        found = found.where(_a.regions.overlap(sa.cast(list(regions), ARRAY(sa.Text))))
    return sa.case((sa.tuple_(_o.agreement_id, _o.package, _o.supplier_id).in_(found), sa.true()), else_=sa.false())


def _fitting(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [_o.on_shelf, _live(wanted.day, wanted.regions)]
    if wanted.supplier_id:
        found.append(_o.supplier_id == wanted.supplier_id)
    if wanted.regions:
        found.append(_o.regions.overlap(sa.cast(list(wanted.regions), ARRAY(sa.Text))))
    if wanted.price_min_fen is not None:
        found.append(_o.price_fen >= wanted.price_min_fen)
    if wanted.price_max_fen is not None:
        found.append(_o.price_fen <= wanted.price_max_fen)
    return found


def _matching(wanted: Filter, p: Any, grams: Sequence[int]) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [p.status == Status.ACTIVE]
    if grams:
        found.append(p.grams.contains(sa.cast(list(grams), ARRAY(sa.Integer))))
    found += [p.search_text.contains(term, autoescape=True) for term in wanted.terms if not is_one_gram(term)]
    if wanted.edition:
        found.append(p.edition == wanted.edition)
    if wanted.category:
        found.append(p.category_code.startswith(subtree_prefix(wanted.category), autoescape=True))
    if wanted.brand:
        found.append(p.brand == wanted.brand)
    if wanted.about_offers:
        some = sa.select(sa.literal(1)).select_from(offers).where(_o.product_id == p.id, *_fitting(wanted))
        found.append(some.exists())
    return found


def _score(terms: Sequence[str], p: Any) -> sa.ColumnElement[int]:
    """Weigh a match: brand or model word for word 4, the name's beginning 2, the name itself 1."""
    name = sa.func.lower(p.name)
    parts: list[sa.ColumnElement[int]] = []
    for term in terms:
        exact = sa.or_(p.brand_key == term, sa.func.lower(p.model) == term)
        parts.append(sa.case((exact, 4), else_=0))
        parts.append(
            sa.case((name.startswith(term, autoescape=True), 3), (name.contains(term, autoescape=True), 1), else_=0)
        )
    total: sa.ColumnElement[int] = sa.literal(0)
    for part in parts:
        total += part
    return total


def _matches(wanted: Filter, grams: Sequence[int]) -> sa.CTE:
    """Gather the newest ``MATCHES_MAX`` matches, and one more to know that there are more."""
    newest: Any = _p.created_at.desc()
    if wanted.terms or wanted.category or wanted.brand:
        # Hidden from the planner: it would walk the whole table by age in search of a rare word.
        newest = (_p.created_at + sa.text("interval '0'")).desc()
    return (
        sa.select(products)
        .where(*_matching(wanted, _p, grams))
        .order_by(newest, _p.id.desc())
        .limit(MATCHES_MAX + 1)
        .cte("h")
        .prefix_with("MATERIALIZED")
    )


async def page(
    tx: AsyncConnection, wanted: Filter, grams: Sequence[int], *, sort: Sort, cursor: str | None, limit: int
) -> tuple[list[ProductRow], str | None]:
    """List products; the second value is the cursor of the next page."""
    by_age = sort is Sort.NEWEST or (sort is Sort.RELEVANCE and not wanted.terms)
    rows: Sequence[Any] = ()
    if by_age:
        rows = await _by_age(tx, wanted, grams, cursor=cursor, limit=limit, head=True)
        if len(rows) <= limit:
            rows = await _by_age(tx, wanted, grams, cursor=cursor, limit=limit, head=False)
    else:
        rows = await _sorted(tx, wanted, grams, sort=sort, cursor=cursor, limit=limit)
    shown = rows[:limit]
    following = encode_cursor((shown[-1].key, shown[-1].id)) if len(rows) > limit else None
    summaries = await _summaries(tx, wanted, [row.id for row in shown])
    return [_row(row, summaries.get(row.id)) for row in shown], following


async def _by_age(
    tx: AsyncConnection, wanted: Filter, grams: Sequence[int], *, cursor: str | None, limit: int, head: bool
) -> Sequence[Any]:
    behind: list[sa.ColumnElement[bool]] = []
    if cursor:
        created_at, last = decode_cursor(cursor, (Moment, UUID))
        behind = [sa.tuple_(_p.created_at, _p.id) < sa.tuple_(created_at, last)]
    if head:
        newest = (
            sa.select(products).where(*behind).order_by(_p.created_at.desc(), _p.id.desc()).limit(HEAD).subquery("h")
        )
        statement = sa.select(newest, newest.c.created_at.label("key")).where(*_matching(wanted, newest.c, grams))
        order = (newest.c.created_at.desc(), newest.c.id.desc())
    else:
        plain = not (wanted.terms or wanted.category or wanted.brand or wanted.about_offers)
        oldness: Any = _p.created_at if plain else _p.created_at + sa.text("interval '0'")
        statement = sa.select(products, _p.created_at.label("key")).where(*behind, *_matching(wanted, _p, grams))
        order = (oldness.desc(), _p.id.desc())
    return (await tx.execute(statement.order_by(*order).limit(limit + 1))).all()


async def _sorted(
    tx: AsyncConnection, wanted: Filter, grams: Sequence[int], *, sort: Sort, cursor: str | None, limit: int
) -> Sequence[Any]:
    h = _matches(wanted, grams)
    key: sa.ColumnElement[Any]
    type_: Any = Whole
    descending = sort in {Sort.RELEVANCE, Sort.PRICE_DOWN}
    if sort in {Sort.PRICE, Sort.PRICE_DOWN}:
        best = sa.select(sa.func.min(_o.price_fen)).where(_o.product_id == h.c.id, *_fitting(wanted))
        unpriced = sa.cast(-1 if descending else _NO_PRICE, sa.BigInteger)
        key = sa.func.coalesce(best.scalar_subquery(), unpriced)
    elif sort is Sort.NAME:
        key, type_ = h.c.name, str
    else:
        key = _score(wanted.terms, h.c)
    k = sa.select(h, key.label("key")).cte("k").prefix_with("MATERIALIZED")
    statement = sa.select(k)
    if cursor:
        value, last = decode_cursor(cursor, (type_, UUID))
        here, there = sa.tuple_(k.c.key, k.c.id), sa.tuple_(sa.cast(value, key.type), last)
        statement = statement.where(here < there if descending else here > there)
    order = (k.c.key.desc(), k.c.id.desc()) if descending else (k.c.key, k.c.id)
    return (await tx.execute(statement.order_by(*order).limit(limit + 1))).all()


async def _summaries(tx: AsyncConnection, wanted: Filter, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Sum up the offers of some products that can be ordered today."""
    if not ids:
        return {}
    cheapest = sa.func.array_agg(aggregate_order_by(_o.id, _o.price_fen, _o.id))[1]
    capped = sa.func.array_agg(aggregate_order_by(_o.agreement_price_fen, _o.price_fen, _o.id))[1]
    statement = (
        sa.select(
            _o.product_id,
            sa.func.count().label("offers"),
            sa.func.count(_o.supplier_id.distinct()).label("suppliers"),
            sa.func.min(_o.price_fen).label("best_price_fen"),
            cheapest.label("best_offer_id"),
            capped.label("agreement_price_fen"),
            sa.cast(sa.func.sum(_o.quota - _o.reserved - _o.consumed), sa.BigInteger).label("available"),
        )
        .where(_o.product_id.in_(ids), *_fitting(wanted))
        .group_by(_o.product_id)
    )
    return {row.product_id: row for row in (await tx.execute(statement)).all()}


def _row(row: Any, summary: Any) -> ProductRow:
    return ProductRow(
        product_id=row.id,
        revision=row.revision,
        name=row.name,
        brand=row.brand,
        model=row.model,
        category_edition=row.edition,
        category_code=row.category_code,
        category_name=row.category_name,
        picture=row.pictures[0] if row.pictures else None,
        unit=row.unit,
        market_price_fen=row.market_price_fen,
        offers=summary.offers if summary else 0,
        suppliers=summary.suppliers if summary else 0,
        best_price_fen=summary.best_price_fen if summary else None,
        best_offer_id=summary.best_offer_id if summary else None,
        agreement_price_fen=summary.agreement_price_fen if summary else None,
        available=summary.available if summary else 0,
    )


async def facets(tx: AsyncConnection, wanted: Filter, grams: Sequence[int]) -> Facets:
    """Count matches by category, brand and supplier; the largest ``FACETS_MAX`` of each."""
    h = _matches(wanted, grams)
    count = sa.func.count()
    by_category = (
        sa.select(sa.literal("category").label("facet"), h.c.category_code, sa.func.max(h.c.category_name), count)
        .group_by(h.c.category_code)
        .order_by(count.desc(), h.c.category_code)
        .limit(FACETS_MAX)
    )
    by_brand = (
        sa.select(sa.literal("brand"), h.c.brand, h.c.brand, count)
        .where(h.c.brand != "")
        .group_by(h.c.brand)
        .order_by(count.desc(), h.c.brand)
        .limit(FACETS_MAX)
    )
    sold = sa.func.count(_o.product_id.distinct())
    by_supplier = (
        sa.select(sa.literal("supplier"), sa.cast(organisations.c.id, sa.Text), sa.func.max(organisations.c.name), sold)
        .select_from(h.join(offers, _o.product_id == h.c.id).join(organisations, organisations.c.id == _o.supplier_id))
        .where(*_fitting(wanted))
        .group_by(organisations.c.id)
        .order_by(sold.desc(), organisations.c.id)
        .limit(FACETS_MAX)
    )
    total = sa.select(sa.literal("total"), sa.literal(""), sa.literal(""), count).select_from(h)
    parts = [sa.select(part.subquery()) for part in (by_category, by_brand, by_supplier, total)]
    rows = [tuple(row) for row in (await tx.execute(sa.union_all(*parts))).all()]

    def of(facet: str) -> tuple[Facet, ...]:
        return tuple(Facet(key, name, found) for kind, key, name, found in rows if kind == facet)

    matches = of("total")[0].count
    return Facets(
        total=min(matches, MATCHES_MAX),
        more=matches > MATCHES_MAX,
        categories=of("category"),
        brands=of("brand"),
        suppliers=of("supplier"),
    )


async def get_many(tx: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Product]:
    """Read products as they stand."""
    rows = await tx.execute(sa.select(products).where(_p.id.in_(tuple(ids))))
    return {row.id: _rows.state(row._mapping) for row in rows.all()}  # noqa: SLF001  its public name


async def offers_of(tx: AsyncConnection, ids: Iterable[UUID], day: date) -> list[OfferLine]:
    """List the offers of some products that can be ordered on ``day``, the cheapest first."""
    statement = (
        sa.select(
            _o.id.label("offer_id"),
            *(_o.revision, _o.product_id, _o.supplier_id),
            organisations.c.name.label("supplier_name"),
            _o.agreement_id,
            _a.number.label("agreement_number"),
            _a.title.label("agreement_title"),
            *(_o.package, _o.price_fen, _o.agreement_price_fen),
            (_o.quota - _o.reserved - _o.consumed).label("available"),
            *(_o.regions, _o.on_shelf, _a.valid_from, _a.valid_to),
        )
        .select_from(
            offers.join(agreements, _a.id == _o.agreement_id).join(organisations, organisations.c.id == _o.supplier_id)
        )
        .where(_o.product_id.in_(tuple(ids)), _o.on_shelf, _live(day))
        .order_by(_o.price_fen, _o.id)
    )
    rows = (await tx.execute(statement)).all()
    return [msgspec.convert(row, OfferLine, from_attributes=True) for row in rows]


async def is_offered_by(tx: AsyncConnection, product_id: UUID, supplier_id: UUID) -> bool:
    """Tell whether a supplier has an offer of a product, on the shelf or not; offers are never deleted."""
    some = sa.select(sa.literal(1)).where(_o.product_id == product_id, _o.supplier_id == supplier_id).exists()
    return bool((await tx.execute(sa.select(some))).scalar_one())


async def brand_words(tx: AsyncConnection, candidates: Sequence[str]) -> set[str]:
    """Tell which of some words are brands."""
    rows = await tx.execute(sa.select(_p.brand_key).distinct().where(_p.brand_key.in_(tuple(candidates))))
    return set(rows.scalars().all())


async def showing(tx: AsyncConnection, picture: str) -> list[UUID]:
    """List the products that a picture shows."""
    statement = sa.select(products.c.id).where(products.c.pictures.contains([picture])).order_by(products.c.id)
    return list((await tx.execute(statement)).scalars())
