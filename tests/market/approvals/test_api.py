"""Approvals over HTTP: through a real server, and through a network that loses replies."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from kernel.access.actors import Actor
from kernel.runtime import Kernel
from kernel.settings import Settings
from market.orders import service as orders
from market.orders.queries import Filter
from portal.server import listen, service_up
from registries.organisations.rules import today
from tests.builders.market_approvals import Desk, a_desk, ask
from tests.builders.market_orders import PRICE_FEN, SHANGCHENG
from tests.proxy import Cut, CuttingProxy


@pytest.fixture
async def desk(kernel: Kernel) -> Desk:
    return await a_desk(kernel)


@pytest.fixture
async def proxy(kernel: Kernel) -> AsyncIterator[CuttingProxy]:
    listener = listen(Settings(port=0))
    async with service_up(kernel, listener), CuttingProxy("127.0.0.1", listener.getsockname()[1]) as found:
        yield found


async def as_(kernel: Kernel, proxy: CuttingProxy, actor: Actor, key: str = "k1") -> httpx2.AsyncClient:
    assert actor.user_id
    token, _ = await kernel.sessions.open(actor.user_id, origin="192.0.2.1", user_agent="test")
    return httpx2.AsyncClient(base_url=proxy.url, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key})


def a_body(desk: Desk) -> dict[str, Any]:
    return {
        "budget_line_id": str(desk.trade.budget_line_id),
        "region": SHANGCHENG,
        "address": "上城区解放路1号",
        "contact": "王老师",
        "phone": "0571-87000000",
        "lines": [{"offer_id": str(desk.trade.offer_id), "quantity": 1, "price_fen": PRICE_FEN}],
    }


async def test_an_approval_whose_reply_was_lost_and_its_retry_order_once(
    kernel: Kernel, desk: Desk, proxy: CuttingProxy
) -> None:
    request_id = await ask(kernel, desk)
    path = f"/api/approvals/{request_id}"
    async with await as_(kernel, proxy, desk.approver) as client:
        seen = (await client.get(path)).json()["seen"]
        proxy.cut = Cut.REPLY
        for _ in range(2):
            with pytest.raises(httpx2.TransportError):
                await client.post(f"{path}/approval", json={"seen": seen})
        proxy.cut = Cut.NOTHING
        answer = await client.post(f"{path}/approval", json={"seen": seen})
        under_another_key = await client.post(
            f"{path}/approval", json={"seen": seen}, headers={"Idempotency-Key": "k2"}
        )

    page = await orders.list_orders(kernel, desk.trade.supplier, Filter(), cursor=None, limit=9)
    assert answer.status_code == 200
    assert [str(row.order_id) for row in page.items] == [answer.json()["order_id"]]
    assert (under_another_key.status_code, under_another_key.json()["reason"]) == (409, "not-pending")


async def test_a_handler_asks_by_ordering_and_follows_what_becomes_of_it(
    kernel: Kernel, desk: Desk, proxy: CuttingProxy
) -> None:
    async with await as_(kernel, proxy, desk.handler) as handler, await as_(kernel, proxy, desk.approver) as approver:
        preview = (await handler.post("/api/orders/preview", json=a_body(desk))).json()
        placed = (await handler.post("/api/orders", json=a_body(desk))).json()
        (asked,) = placed["requests"]
        path = f"/api/approvals/{asked['request_id']}"
        mine = (await handler.get(path)).json()
        theirs = (await approver.get(path)).json()
        refused = await handler.post(f"{path}/approval", json={"seen": mine["seen"]})
        count = (await approver.get("/api/approvals/to-decide")).json()
        back = await approver.post(f"{path}/return", json={"reason": "请改用第二条预算指标"})
        after = (await handler.get(path)).json()

    assert preview["approval_from_fen"] == PRICE_FEN
    assert placed["orders"] == []
    assert (mine["own"], mine["may_decide"], mine["may_withdraw"]) == (True, False, True)
    assert (theirs["own"], theirs["may_decide"], theirs["may_withdraw"]) == (False, True, False)
    assert theirs["terms"]["lines"][0]["price_fen"] == PRICE_FEN
    assert refused.status_code == 403  # a handler has no right to decide at all
    assert count == {"count": 1}
    assert back.json()["stage"] == "returned"
    assert (after["stage"], after["reason"], after["problems"]) == ("returned", "请改用第二条预算指标", [])


async def test_the_administrator_sets_the_limit_and_handlers_read_it(
    kernel: Kernel, desk: Desk, proxy: CuttingProxy
) -> None:
    tomorrow = today(kernel.clock.now()) + timedelta(days=1)
    body = {"approval_from_fen": 8000_00, "effective_from": tomorrow.isoformat(), "note": "调高"}
    async with (
        await as_(kernel, proxy, desk.administrator) as administrator,
        await as_(kernel, proxy, desk.handler) as handler,
    ):
        done = await administrator.put("/api/organisation/approval-limit", json=body)
        forbidden = await handler.put("/api/organisation/approval-limit", json=body)
        read = (await handler.get("/api/organisation/approval-limit")).json()

    assert done.json() == {"approval_from_fen": 8000_00, "effective_from": tomorrow.isoformat()}
    assert forbidden.status_code == 403
    assert read["approval_from_fen"] == PRICE_FEN
    assert [one["approval_from_fen"] for one in read["ahead"]] == [8000_00]
    assert [one["note"] for one in read["history"]] == ["调高", "内控制度"]
    assert len(read["approvers"]) == 2


async def test_a_return_needs_a_reason(kernel: Kernel, desk: Desk, proxy: CuttingProxy) -> None:
    request_id = await ask(kernel, desk)
    async with await as_(kernel, proxy, desk.approver) as approver:
        answers = [
            await approver.post(f"/api/approvals/{request_id}/return", json=body)
            for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "不" * 501})
        ]

    assert {answer.status_code for answer in answers} == {422}
