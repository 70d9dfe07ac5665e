"""The catalogue over HTTP."""

from uuid import UUID

import httpx2
import pytest

from catalog.products import service
from kernel.paging import encode_cursor
from kernel.runtime import Kernel
from tests.builders.catalog import Market, a_market, an_offer_of, some_details
from tests.builders.registries import OPERATOR

ID = UUID(int=9)


@pytest.fixture
async def market(kernel: Kernel) -> Market:
    market = await a_market(kernel)
    await an_offer_of(kernel, market)
    return market


async def test_anybody_may_look_at_the_catalogue(client: httpx2.AsyncClient, market: Market) -> None:
    (row,) = (await client.get("/api/products", params={"q": "联想", "sort": "price"})).json()["items"]
    assert row["product_id"] == str(market.product_id)
    assert (row["best_price_fen"], row["agreement_price_fen"], row["category_code"]) == (580000, 600000, "A02010108")
    facets = (await client.get("/api/products/facets")).json()
    assert facets == {
        "total": 1,
        "more": False,
        "categories": [{"code": "A02010108", "name": "便携式计算机", "count": 1}],
        "brands": [{"name": "联想", "count": 1}],
        "suppliers": [{"organisation_id": str(market.suppliers[0]), "name": "测试单位101", "count": 1}],
    }


async def test_a_product_is_shown_with_its_offers(client: httpx2.AsyncClient, market: Market) -> None:
    product = (await client.get(f"/api/products/{market.product_id}")).json()
    (offer,) = product["offers"]
    assert (product["revision"], product["category_path"][-1]["name"]) == (1, "便携式计算机")
    assert (offer["supplier_name"], offer["available"], offer["valid_to"]) == ("测试单位101", 10, "2026-12-31")


async def test_two_to_four_products_are_compared_in_the_order_asked_for(
    kernel: Kernel, client: httpx2.AsyncClient, market: Market
) -> None:
    ids = [market.product_id]
    ids += [await service.create_product(kernel, OPERATOR, some_details(name=f"电脑{n}")) for n in range(4)]

    async def compare(*wanted: UUID) -> httpx2.Response:
        return await client.get("/api/products/compare", params={"ids": ",".join(map(str, wanted))})

    found = (await compare(*reversed(ids[:4]))).json()
    assert [item["product_id"] for item in found["items"]] == [str(one) for one in reversed(ids[:4])]
    assert [(await compare(*ids[:count])).status_code for count in (1, 2, 4, 5)] == [422, 200, 200, 422]
    assert (await compare(ids[0], ids[0])).status_code == 422
    assert (await compare(ids[0], UUID(int=9))).status_code == 404
    assert (await client.get("/api/products/compare?ids=x,y")).status_code == 422


@pytest.mark.parametrize(
    "params",
    [
        {"sort": "best"},
        {"limit": "0"},
        {"limit": "201"},
        {"price_min_fen": "-1"},
        {"price_max_fen": "1.5"},
        {"supplier": "x"},
        {"category": "laptops"},
        {"region": "999999"},
        {"q": "x" * 101},
        {"cursor": "x"},
        {"sort": "price", "cursor": encode_cursor((1.5, ID))},
        {"sort": "price", "cursor": encode_cursor((2**63, ID))},
        {"sort": "newest", "cursor": encode_cursor(("2026-11-23T00:00:00", ID))},
    ],
)
async def test_bad_parameters_are_invalid(client: httpx2.AsyncClient, params: dict[str, str]) -> None:
    assert (await client.get("/api/products", params=params)).status_code == 422


@pytest.mark.parametrize("q", ["%", "_", "' or 1=1 --", "\\", "𠮷", "ﷺ", "ß", "İ", "a" * 100])
async def test_any_words_may_be_searched_for(client: httpx2.AsyncClient, q: str) -> None:
    for path in ("/api/products", "/api/products/facets"):
        assert (await client.get(path, params={"q": q})).status_code == 200


async def test_an_unknown_product_is_not_found(client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"/api/products/{UUID(int=9)}")).status_code == 404
    assert (await client.get("/api/products/x")).status_code == 404
