"""The catalogue on a real database: what is found, and in which order, against a slow and obvious search."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy.dialects import postgresql

from catalog.agreements import service as agreements
from catalog.classification import service as classification
from catalog.definitions import service as definitions
from catalog.products import queries, service
from catalog.products.queries import Filter, Sort
from catalog.products.rules import Product, grams_of, search_text, split_at_words, terms_of
from catalog.products.service import Wanted
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.problems import Invalid, NotFound, Refused
from kernel.runtime import Kernel
from registries.organisations import service as organisations
from tests.builders.catalog import ATTRIBUTES, LAPTOP, Market, a_market, an_offer_of, some_details
from tests.builders.registries import OPERATOR

BRANDS = ("联想", "华为", "𠮷野", "清华同方")
KINDS = (("A02010108", "便携式计算机"), ("A02010105", "台式计算机"), ("A05010301", "办公椅"))
MODELS = ("X5-14", "MT22", "L110")
PRODUCTS = 60


@pytest.fixture
async def market(kernel: Kernel) -> Market:
    return await a_market(kernel)


@pytest.fixture
async def stock(kernel: Kernel) -> AsyncIterator[list[Product]]:
    """Sixty products of four brands, three categories and three models, some of one age."""
    await classification.load_common_codes(kernel, OPERATOR)
    clock = kernel.clock
    assert isinstance(clock, ManualClock)
    ids = []
    for number in range(PRODUCTS):
        code, name = KINDS[number % 3]
        brand, model = BRANDS[number % 4], MODELS[number % 3]
        space = " " if number % 2 else ""
        details = some_details(
            name=f"{brand}{space}{name}{number}号 银河麒麟版", brand=brand, model=model, category_code=code
        )
        ids.append(await service.create_product(kernel, OPERATOR, details))
        if number % 5 == 0:
            clock.advance(timedelta(microseconds=1))
    async with kernel.db.read() as tx:
        yield list((await queries.get_many(tx, ids)).values())


async def everything(kernel: Kernel, text: str = "", *, sort: Sort, limit: int = 19, **wanted: Any) -> list[UUID]:
    found: list[UUID] = []
    cursor = None
    while True:
        page = await service.find(kernel, Wanted(text=text, **wanted), sort=sort, cursor=cursor, limit=limit)
        found += [row.product_id for row in page.items]
        cursor = page.next
        if cursor is None:
            return found


async def names(kernel: Kernel, text: str = "", **wanted: Any) -> list[str]:
    return [row.name for row in (await service.find(kernel, Wanted(text=text, **wanted))).items]


@pytest.mark.parametrize(
    ("sort", "head"), [*((sort, queries.HEAD) for sort in Sort), (Sort.RELEVANCE, 1), (Sort.NEWEST, 1)]
)
async def test_pages_in_every_order_list_exactly_what_a_slow_search_finds(
    kernel: Kernel, stock: list[Product], monkeypatch: pytest.MonkeyPatch, sort: Sort, head: int
) -> None:
    monkeypatch.setattr(queries, "HEAD", head)  # 1: the gram index answers; 3000: the newest rows do
    for text in (
        "",
        "联想",
        "联想笔记本",
        "便携",
        "麒麟",
        "X5",
        "mt22 华为",
        "𠮷野",
        "号",
        "清华同方台式计算机",
        "没有",
    ):
        found = await everything(kernel, text, sort=sort)
        terms = split_at_words(terms_of(text), {*BRANDS, *(name for _, name in KINDS)})
        expected = {one.id for one in stock if all(term in search_text(one) for term in terms)}
        assert len(found) == len(set(found))
        assert set(found) == expected, text
    if sort is Sort.NEWEST:
        order = sorted(stock, key=lambda one: (one.created_at, one.id), reverse=True)
        assert await everything(kernel, sort=sort) == [one.id for one in order]


async def test_an_unspaced_query_is_cut_at_brand_and_category(kernel: Kernel, stock: list[Product]) -> None:
    found = await everything(kernel, "联想便携式计算机", sort=Sort.NEWEST)
    expected = {one.id for one in stock if one.brand == "联想" and one.category_name == "便携式计算机"}
    assert expected
    assert set(found) == expected


async def test_filters_narrow_down(kernel: Kernel, stock: list[Product]) -> None:
    by_brand = await everything(kernel, sort=Sort.NAME, brand="华为")
    assert set(by_brand) == {one.id for one in stock if one.brand == "华为"}
    computers = await everything(kernel, sort=Sort.NAME, category="A02010000")
    assert set(computers) == {one.id for one in stock if one.category_code.startswith("A0201")}
    assert await everything(kernel, sort=Sort.NAME, category="A02010000", edition="2013") == []


async def test_facets_count_what_the_list_holds(kernel: Kernel, stock: list[Product]) -> None:
    facets = await service.facets(kernel, Wanted(text="联想"))
    assert (facets.total, facets.more) == (15, False)
    assert {facet.key: facet.count for facet in facets.brands} == {"联想": 15}
    assert sum(facet.count for facet in facets.categories) == 15
    assert facets.suppliers == ()
    assert len(stock) == PRODUCTS


async def test_more_matches_than_are_looked_at_are_said_to_be_more(
    kernel: Kernel, stock: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MATCHES_MAX", len(stock) - 1)
    facets = await service.facets(kernel, Wanted())
    assert (facets.total, facets.more) == (PRODUCTS - 1, True)


@pytest.mark.usefixtures("stock")
async def test_what_names_the_model_comes_first(kernel: Kernel) -> None:
    details = some_details(name="与 L110 兼容的办公椅", brand="", model="椅", category_code="A05010301")
    await service.create_product(kernel, OPERATOR, details)
    found = await names(kernel, "L110")
    assert "与 L110 兼容的办公椅" not in found[:3]


async def test_a_list_shows_the_best_offer_that_can_be_ordered_today(kernel: Kernel, market: Market) -> None:
    await an_offer_of(kernel, market, 0, price_fen=5_800_00)
    cheapest = await an_offer_of(kernel, market, 1, price_fen=5_700_00, regions=("330200",))

    (row,) = (await service.find(kernel, Wanted(text="联想昭阳"))).items
    assert (row.best_price_fen, row.best_offer_id, row.agreement_price_fen) == (5_700_00, cheapest, 6_000_00)
    assert (row.offers, row.suppliers, row.available) == (2, 2, 20)

    (row,) = (await service.find(kernel, Wanted(region="330102"))).items
    assert (row.best_price_fen, row.offers) == (5_800_00, 1)
    (line, _) = (await service.get(kernel, market.product_id)).offers
    assert (line.offer_id, line.supplier_name, line.valid_to) == (cheapest, "测试单位102", date(2026, 12, 31))


async def test_offers_are_filtered_by_supplier_region_and_price(kernel: Kernel, market: Market) -> None:
    await an_offer_of(kernel, market, 0)

    async def found(**wanted: Any) -> bool:
        rows = [await everything(kernel, sort=sort, **wanted) for sort in Sort]
        assert all(one == rows[0] for one in rows)
        return bool(rows[0])

    assert await found(supplier_id=market.suppliers[0])
    assert not await found(supplier_id=market.suppliers[1])
    assert await found(region="330102")
    assert not await found(region="330203")
    assert await found(price_min_fen=5_800_00, price_max_fen=5_800_00)
    assert not await found(price_min_fen=5_800_01)
    assert not await found(price_max_fen=5_799_99)
    facets = await service.facets(kernel, Wanted(region="330102"))
    assert [facet.key for facet in facets.suppliers] == [str(market.suppliers[0])]


async def _unshelve(kernel: Kernel, market: Market, offer_id: UUID) -> None:
    from catalog.offers import service as offers  # noqa: PLC0415

    actor = msgspec.structs.replace(OPERATOR, organisation_id=market.suppliers[0])
    await offers.unshelve(kernel, By(actor, "test", kernel.clock.now()), offer_id, "缺货")


async def _end(kernel: Kernel, market: Market, _offer_id: UUID) -> None:
    await agreements.terminate_agreement(kernel, OPERATOR, market.agreement_id, reason="x")


async def _remove(kernel: Kernel, market: Market, _offer_id: UUID) -> None:
    await agreements.remove_supplier(kernel, OPERATOR, market.agreement_id, supplier_id=market.suppliers[0], reason="x")


async def _suspend(kernel: Kernel, market: Market, _offer_id: UUID) -> None:
    await organisations.suspend_organisation(kernel, OPERATOR, market.suppliers[0], "x")


async def _new_year(kernel: Kernel, _market: Market, _offer_id: UUID) -> None:
    clock = kernel.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(days=38, hours=15))  # 1 January 2027, midnight in Beijing


@pytest.mark.parametrize("end", [_unshelve, _end, _remove, _suspend, _new_year])
async def test_an_offer_that_cannot_be_ordered_is_not_shown(kernel: Kernel, market: Market, end: Any) -> None:
    offer_id = await an_offer_of(kernel, market, 0)
    await end(kernel, market, offer_id)
    (row,) = (await service.find(kernel, Wanted())).items
    assert (row.offers, row.best_price_fen) == (0, None)
    assert (await service.get(kernel, market.product_id)).offers == ()


async def test_on_the_last_day_in_beijing_an_offer_is_still_shown(kernel: Kernel, market: Market) -> None:
    await an_offer_of(kernel, market, 0)
    clock = kernel.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(days=38, hours=15) - timedelta(microseconds=1))
    assert (await service.find(kernel, Wanted())).items[0].offers == 1


async def test_prices_sort_with_the_unpriced_last(kernel: Kernel, market: Market) -> None:
    await an_offer_of(kernel, market, 0, price_fen=5_000_00)
    dear = await service.create_product(kernel, OPERATOR, some_details(name="贵"))
    await an_offer_of(kernel, market, 0, product_id=dear, price_fen=6_000_00)
    unpriced = await service.create_product(kernel, OPERATOR, some_details(name="无报价"))
    assert await everything(kernel, sort=Sort.PRICE, limit=1) == [market.product_id, dear, unpriced]
    assert await everything(kernel, sort=Sort.PRICE_DOWN, limit=1) == [dear, market.product_id, unpriced]


async def test_a_product_is_checked_by_the_nearest_definition(kernel: Kernel, market: Market) -> None:
    await definitions.define_category(kernel, OPERATOR, code="A02010100", attributes=ATTRIBUTES)
    await definitions.define_category(kernel, OPERATOR, code="A02010100", attributes=ATTRIBUTES)  # a repeat
    with pytest.raises(Invalid) as invalid:
        await service.create_product(kernel, OPERATOR, some_details(attributes={"screen": 1}))
    assert invalid.value.members["faults"] == [
        {"field": "attributes.processor", "zh": "缺少必填属性“处理器”", "en": "Attribute processor is required"},
        {
            "field": "attributes.screen",
            "zh": "“屏幕”须为10.0 英寸至20.0 英寸",
            "en": "screen must be from 10.0 英寸 to 20.0 英寸",
        },
    ]
    details = some_details(attributes={"processor": "龙芯", "screen": 140, "touch": True})
    await service.revise_product(kernel, OPERATOR, market.product_id, details)
    offered = await service.get(kernel, market.product_id)
    assert (offered.product.revision, offered.product.definition_revision) == (2, 1)
    assert [(one.name, one.text) for one in offered.attributes] == [
        ("处理器", "龙芯"),
        ("屏幕", "14.0 英寸"),
        ("触控屏", "是"),
    ]
    await definitions.define_category(kernel, OPERATOR, code=LAPTOP, attributes=ATTRIBUTES[:1])
    offered = await service.get(kernel, market.product_id)
    assert [(one.name, one.text) for one in offered.attributes][:1] == [("处理器", "龙芯")]
    assert {one.attribute_id for one in offered.attributes} == {"processor", "screen", "touch"}


async def test_a_definition_that_makes_no_sense_or_has_no_category_is_refused(kernel: Kernel, market: Market) -> None:
    assert market
    with pytest.raises(Refused):
        await definitions.define_category(kernel, OPERATOR, code=LAPTOP, attributes=(*ATTRIBUTES, *ATTRIBUTES))
    with pytest.raises(NotFound):
        await definitions.define_category(kernel, OPERATOR, code="A02019998", attributes=ATTRIBUTES)


async def test_a_withdrawn_product_is_not_listed(kernel: Kernel, market: Market) -> None:
    await service.withdraw_product(kernel, OPERATOR, market.product_id, "停产")
    assert (await service.find(kernel, Wanted())).items == ()
    assert (await service.get(kernel, market.product_id)).product.status == "withdrawn"
    with pytest.raises(Refused):
        await service.withdraw_product(kernel, OPERATOR, market.product_id, "停产")
    with pytest.raises(Refused):
        await service.revise_product(kernel, OPERATOR, market.product_id, some_details(name="新"))


async def test_what_is_asked_wrongly_is_invalid(kernel: Kernel) -> None:
    for wanted in (Wanted(category="X"), Wanted(region="999999")):
        with pytest.raises(Invalid):
            await service.find(kernel, wanted)
    with pytest.raises(NotFound):
        await service.create_product(kernel, OPERATOR, some_details())
    for cursor in ("x", "WzFd"):
        for sort in Sort:
            with pytest.raises(Invalid):
                await service.find(kernel, Wanted(text="联想"), sort=sort, cursor=cursor)


def test_a_page_by_the_gram_index_does_not_walk_the_table() -> None:
    filter_ = Filter(day=date(2026, 11, 23), terms=("联想",))
    statement = str(queries._matches(filter_, grams_of(["联想"])).compile(dialect=postgresql.dialect()))
    assert "@>" in statement
    assert "interval '0'" in statement
