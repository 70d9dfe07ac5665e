"""The catalogue on a real database: what is found, in which order, and what a page costs."""

from uuid import UUID

import pytest

from catalog.products import service
from catalog.products.queries import Sort
from catalog.products.service import Wanted
from kernel.problems import Invalid, NotFound
from kernel.runtime import Kernel
from tests.builders.catalog import LAPTOP, a_market, an_offer_of, some_details
from tests.builders.registries import OPERATOR


async def names(kernel: Kernel, text: str = "", sort: Sort = Sort.RELEVANCE, **changes: object) -> list[str]:
    page = await service.find(kernel, Wanted(text=text, **changes), sort=sort)  # type: ignore[arg-type]
    return [row.name for row in page.items]


async def test_a_product_shows_the_best_offer_that_can_be_ordered_today(kernel: Kernel) -> None:
    market = await a_market(kernel)
    await an_offer_of(kernel, market, 0, price_fen=5_800_00)
    cheapest = await an_offer_of(kernel, market, 1, price_fen=5_700_00, regions=("330200",))

    page = await service.find(kernel, Wanted(text="联想昭阳"))

    (row,) = page.items
    assert (row.best_price_fen, row.best_offer_id) == (5_700_00, cheapest)
    assert (row.offers, row.suppliers, row.available) == (2, 2, 20)


async def test_sorts(kernel: Kernel) -> None:
    for sort in Sort:
        market = await a_market(kernel) if sort is Sort.RELEVANCE else market
        assert await names(kernel, sort=sort)
        assert await names(kernel, "联想 X5", sort=sort)
    await service.facets(kernel, Wanted(text="联想"))
    print(await service.get(kernel, market.product_id))
