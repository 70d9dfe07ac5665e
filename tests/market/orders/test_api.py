"""Orders over HTTP: through a real server, and through a network that breaks."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from catalog.offers.service import OFFER
from kernel.access.actors import Actor
from kernel.runtime import Kernel
from kernel.settings import Settings
from market.orders import service
from market.orders.api import csv_of
from market.orders.lifecycle import Stage, Step
from market.orders.queries import Filter
from portal.server import listen, service_up
from tests.builders.budget import MORNING
from tests.builders.market_orders import PRICE_FEN, SHANGCHENG, Trade, a_trade, an_order_of, state_of, step
from tests.proxy import Cut, CuttingProxy

BUYERS = 32
SOME_LINE = {"offer_id": "01900000-0000-7000-8000-000000000001", "quantity": 1, "price_fen": 1}


@pytest.fixture
async def trade(kernel: Kernel) -> Trade:
    return await a_trade(kernel)


@pytest.fixture
async def server(kernel: Kernel) -> AsyncIterator[int]:
    """A real server on a real port."""
    listener = listen(Settings(port=0))
    async with service_up(kernel, listener):
        yield listener.getsockname()[1]


@pytest.fixture
async def proxy(server: int) -> AsyncIterator[CuttingProxy]:
    async with CuttingProxy("127.0.0.1", server) as found:
        yield found


async def as_(kernel: Kernel, actor: Actor, **more: str) -> dict[str, str]:
    """The headers of a session of ``actor``."""
    assert actor.user_id
    token, _ = await kernel.sessions.open(actor.user_id, origin="192.0.2.1", user_agent="test")
    return {"Authorization": f"Bearer {token}", **more}


def a_body(trade: Trade, **changes: Any) -> dict[str, Any]:
    body = {
        "budget_line_id": str(trade.budget_line_id),
        "region": SHANGCHENG,
        "address": "上城区解放路1号",
        "contact": "王老师",
        "phone": "0571-87000000",
        "lines": [{"offer_id": str(trade.offer_id), "quantity": 1, "price_fen": PRICE_FEN}],
    }
    return {**body, **changes}


async def placed_ids(kernel: Kernel, trade: Trade) -> list[str]:
    page = await service.list_orders(kernel, trade.purchaser, Filter(), cursor=None, limit=200)
    return [str(row.order_id) for row in page.items]


async def test_a_reply_that_was_lost_and_a_retry_order_once(kernel: Kernel, trade: Trade, proxy: CuttingProxy) -> None:
    headers = await as_(kernel, trade.purchaser, **{"Idempotency-Key": "k1"})
    async with httpx2.AsyncClient(base_url=proxy.url, headers=headers) as client:
        proxy.cut = Cut.REPLY
        for _ in range(3):
            with pytest.raises(httpx2.TransportError):
                await client.post("/api/orders", json=a_body(trade))
        assert proxy.cuts == 3
        after_the_cuts = await placed_ids(kernel, trade)

        proxy.cut = Cut.NOTHING
        answer = await client.post("/api/orders", json=a_body(trade))

    assert answer.status_code == 201
    assert len(after_the_cuts) == 1  # the first try had done it
    assert [order["order_id"] for order in answer.json()["orders"]] == after_the_cuts
    assert await placed_ids(kernel, trade) == after_the_cuts
    assert (await state_of(kernel, OFFER.ref(trade.offer_id))).reserved == 1


async def test_a_request_that_was_cut_in_the_middle_does_nothing_and_its_retry_orders_once(
    kernel: Kernel, trade: Trade, proxy: CuttingProxy
) -> None:
    headers = await as_(kernel, trade.purchaser, **{"Idempotency-Key": "k1"})
    async with httpx2.AsyncClient(base_url=proxy.url, headers=headers) as client:
        proxy.cut = Cut.REQUEST
        with pytest.raises(httpx2.TransportError):
            await client.post("/api/orders", json=a_body(trade))
        assert await placed_ids(kernel, trade) == []

        proxy.cut = Cut.NOTHING
        answer = await client.post("/api/orders", json=a_body(trade))

    assert answer.status_code == 201
    assert len(await placed_ids(kernel, trade)) == 1


async def test_retries_that_overtake_each_other_order_once(kernel: Kernel, trade: Trade, proxy: CuttingProxy) -> None:
    headers = await as_(kernel, trade.purchaser, **{"Idempotency-Key": "k1"})
    async with httpx2.AsyncClient(base_url=proxy.url, headers=headers) as client:
        answers = await asyncio.gather(*(client.post("/api/orders", json=a_body(trade)) for _ in range(BUYERS)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(await placed_ids(kernel, trade)) == 1


async def test_of_32_buyers_of_the_last_item_over_http_one_gets_201_and_the_others_a_clear_409(
    kernel: Kernel, server: int
) -> None:
    trade = await a_trade(kernel, quota=1)
    headers = await as_(kernel, trade.purchaser)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server}", headers=headers) as client:
        answers = await asyncio.gather(
            *(
                client.post("/api/orders", json=a_body(trade), headers={"Idempotency-Key": f"k{number}"})
                for number in range(BUYERS)
            )
        )

    losers = [answer for answer in answers if answer.status_code != 201]
    assert len(losers) == BUYERS - 1
    for loser in losers:
        problem = loser.json()
        assert loser.status_code == 409
        assert loser.headers["content-type"].startswith("application/problem+json")
        assert (problem["reason"], problem["line"], problem["available"]) == ("quota-short", 1, 0)


async def test_the_same_key_with_another_body_is_a_409(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    headers = await as_(kernel, trade.purchaser, **{"Idempotency-Key": "k1"})
    first = await client.post("/api/orders", json=a_body(trade), headers=headers)

    other = await client.post("/api/orders", json=a_body(trade, address="别处"), headers=headers)

    assert (first.status_code, other.status_code) == (201, 409)
    assert other.json()["type"].endswith("conflict")
    assert len(await placed_ids(kernel, trade)) == 1


async def test_a_refusal_speaks_the_language_that_was_asked_for(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    body = a_body(trade, lines=[{"offer_id": str(trade.offer_id), "quantity": 1, "price_fen": PRICE_FEN - 1}])
    details = []
    for language in ("zh", "en"):
        headers = await as_(
            kernel, trade.purchaser, **{"Idempotency-Key": f"k-{language}", "Accept-Language": language}
        )
        details.append((await client.post("/api/orders", json=body, headers=headers)).json()["detail"])

    assert details == [
        "第1行：单价已由 5799.99 元变为 5800.00 元，请确认新价格后重新提交。",
        "Line 1: The price has changed from 5799.99 to 5800.00 yuan; confirm the new price and submit again.",
    ]


async def test_an_order_goes_from_cart_to_closed_over_http(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    buyer, seller = await as_(kernel, trade.purchaser), await as_(kernel, trade.supplier)
    preview = await client.post(
        "/api/orders/preview",
        json={key: value for key, value in a_body(trade).items() if key == "lines"},
        headers=buyer,
    )
    placed = await client.post("/api/orders", json=a_body(trade), headers={**buyer, "Idempotency-Key": "place"})
    order_id = placed.json()["orders"][0]["order_id"]
    stages = []
    for who, what, body in (
        (seller, "accept", {}),
        (seller, "ship", {"carrier": "顺丰", "tracking": "SF1"}),
        (buyer, "receive", {"note": "完好"}),
        (buyer, "close", {}),
    ):
        done = await client.post(f"/api/orders/{order_id}/{what}", json=body, headers={**who, "Idempotency-Key": what})
        stages.append(done.json()["stage"])
    detail = (await client.get(f"/api/orders/{order_id}", headers=seller)).json()

    assert preview.json()["ok"]
    assert stages == ["accepted", "shipped", "received", "closed"]
    assert [moment["what"] for moment in detail["timeline"]] == ["placed", *stages]
    assert detail["terms"]["lines"][0]["price_fen"] == PRICE_FEN
    assert (detail["carrier"], detail["steps"]) == ("顺丰", [])


async def test_a_step_without_a_reason_that_needs_one_is_a_422(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    order_id = await an_order_of(kernel, trade)
    headers = await as_(kernel, trade.supplier, **{"Idempotency-Key": "k"})

    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "无货", "more": 1}):
        answer = await client.post(f"/api/orders/{order_id}/refuse", json=body, headers=headers)
        assert answer.status_code == 422, body


async def test_a_stranger_gets_404_and_the_other_side_403(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    order_id = await an_order_of(kernel, trade)
    key = {"Idempotency-Key": "k"}
    stranger, rival, buyer = [await as_(kernel, who) for who in (trade.stranger, trade.rival, trade.purchaser)]

    seen = await client.get(f"/api/orders/{order_id}", headers=stranger)
    taken = await client.post(f"/api/orders/{order_id}/accept", json={}, headers={**rival, **key})
    wrong_role = await client.post(f"/api/orders/{order_id}/accept", json={}, headers={**buyer, **key})
    public = await client.get("/api/orders")

    assert (seen.status_code, taken.status_code) == (404, 404)
    assert (wrong_role.status_code, public.status_code) == (403, 401)


@pytest.mark.parametrize(
    ("_case", "changes"),
    [
        ("no lines", {"lines": []}),
        ("too many", {"lines": [SOME_LINE] * 101}),
        ("quantity 0", {"lines": [{**SOME_LINE, "quantity": 0}]}),
        ("price 0", {"lines": [{**SOME_LINE, "price_fen": 0}]}),
        ("a fraction of a fen", {"lines": [{**SOME_LINE, "price_fen": 1.5}]}),
        ("no region", {"region": "3301"}),
        ("an empty address", {"address": " "}),
        ("letters in the telephone", {"phone": "call me"}),
        ("a field unknown", {"colour": "red"}),
    ],
)
async def test_a_cart_that_makes_no_sense_is_a_422_and_nothing_happens(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient, _case: str, changes: dict[str, Any]
) -> None:
    headers = await as_(kernel, trade.purchaser, **{"Idempotency-Key": "k"})

    answer = await client.post("/api/orders", json=a_body(trade, **changes), headers=headers)

    assert answer.status_code == 422
    assert await placed_ids(kernel, trade) == []


async def test_the_lists_filter_by_side_stage_and_text(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    order_id = await an_order_of(kernel, trade)
    buyer, seller = await as_(kernel, trade.purchaser), await as_(kernel, trade.supplier)

    async def listed(headers: dict[str, str], **query: str) -> list[str]:
        answer = await client.get("/api/orders", params=query, headers=headers)
        assert answer.status_code == 200
        return [row["order_id"] for row in answer.json()["items"]]

    assert await listed(buyer, side="purchaser") == [str(order_id)]
    assert await listed(seller, side="supplier", stage="placed") == [str(order_id)]
    assert await listed(seller, side="purchaser") == []
    assert await listed(seller, stage="closed") == []
    assert await listed(buyer, q="没有这个") == []
    assert (await client.get("/api/orders", params={"cursor": "x"}, headers=buyer)).status_code == 422


async def test_the_budget_shows_what_is_left_and_every_posting(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    order_id = await an_order_of(kernel, trade)
    buyer, stranger = await as_(kernel, trade.purchaser), await as_(kernel, trade.stranger)

    (line,) = (await client.get("/api/budget-lines", headers=buyer)).json()["items"]
    postings = await client.get(f"/api/budget-lines/{trade.budget_line_id}/postings?limit=1", headers=buyer)
    hidden = await client.get(f"/api/budget-lines/{trade.budget_line_id}/postings", headers=stranger)

    assert (line["reserved_fen"], line["available_fen"]) == (PRICE_FEN, 1_000_000_00 - PRICE_FEN)
    assert postings.json()["items"][0]["order_id"] == str(order_id)
    assert postings.json()["next"]
    assert hidden.status_code == 404
    assert (await client.get("/api/budget-lines", headers=stranger)).json()["items"] == []


async def test_the_export_opens_in_a_spreadsheet_and_holds_only_ones_own(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient
) -> None:
    order_id = await an_order_of(kernel, trade)
    await step(kernel, trade.supplier, order_id, Step.REFUSE, reason="=1+1")

    answer = await client.get("/api/orders/export", headers=await as_(kernel, trade.purchaser))
    other = await client.get("/api/orders/export", headers=await as_(kernel, trade.stranger))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    head, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    found = dict(zip(head, row, strict=True))
    assert (found["单价（元）"], found["状态"]) == ("5800.00", "已拒单")
    assert found["下单时间（北京时间）"] == "2026-11-23 09:00:00"
    assert found["拒单或取消原因"] == "'=1+1"
    assert len(list(csv.reader(io.StringIO(other.content.decode("utf-8-sig"))))) == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "  =1", "＝1", "\n=1"])
def test_no_text_becomes_a_formula_in_a_spreadsheet(text: str) -> None:
    parties = ("number", "purchaser_name", "supplier_name", "budget_line_number", "agreement_number", "reason")
    row = dict.fromkeys([*parties, "category_code", "name", "brand", "model", "unit"], text)
    figures = {"line": 1, "quantity": 2, "price_fen": 3, "amount_fen": 6, "total_fen": 6}

    content = csv_of([{**row, **figures, "stage": Stage.PLACED, "placed_at": MORNING}])

    _, cells = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert cells.count(f"'{text}") == len(row)


@pytest.mark.parametrize("text", ["a\x00b", "\x00"])
async def test_a_character_that_no_database_holds_is_a_4xx(
    kernel: Kernel, trade: Trade, client: httpx2.AsyncClient, text: str
) -> None:
    headers = await as_(kernel, trade.purchaser, **{"Idempotency-Key": "k"})

    placed = await client.post("/api/orders", json=a_body(trade, note=text), headers=headers)
    found = await client.get("/api/orders", params={"q": text}, headers=headers)

    assert placed.status_code in {400, 422}
    assert found.status_code in {400, 422}
