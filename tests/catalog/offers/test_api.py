"""A supplier's own offers over HTTP, on a real database."""

from typing import Any
from uuid import UUID, uuid5

import asyncpg
import httpx2
import pytest

from catalog.agreements import service as agreements
from catalog.offers import service
from catalog.offers.queries import OFFER
from catalog.offers.rules import Consumed, Released, Reserved
from kernel.commit.command import Command, Decided, Happened
from kernel.problems import Refused
from kernel.runtime import Kernel
from tests.builders.catalog import Market, a_market, an_offer_of
from tests.builders.registries import AT, OPERATOR, PASSWORD, a_user


class Stall:
    """A supplier that is logged in, with one offer."""

    def __init__(self, client: httpx2.AsyncClient, market: Market, offer_id: UUID) -> None:
        self.client, self.market, self.offer_id = client, market, offer_id
        self.keys = 0

    async def post(self, step: str, body: Any = None, *, key: str | None = None, offer: UUID | None = None) -> Any:
        self.keys += 1
        headers = {"Idempotency-Key": key or f"key-{self.keys}"}
        return await self.client.post(f"/api/offers/{offer or self.offer_id}/{step}", json=body or {}, headers=headers)


@pytest.fixture
async def stall(kernel: Kernel, client: httpx2.AsyncClient) -> Stall:
    market = await a_market(kernel)
    offer_id = await an_offer_of(kernel, market)
    await a_user(kernel, "seller", market.suppliers[0])
    await client.post("/api/sessions", json={"login": "seller", "password": PASSWORD})
    return Stall(client, market, offer_id)


async def append(kernel: Kernel, offer_id: UUID, *events: Any) -> None:
    ref = OFFER.ref(offer_id)
    happened = [Happened(ref, event) for event in events]
    await kernel.committer.submit(Command([ref], lambda _: Decided(None, happened), "test", "test", AT))


async def test_a_supplier_lists_and_changes_its_own_offers(stall: Stall) -> None:
    (row,) = (await stall.client.get("/api/offers")).json()["items"]
    assert (row["offer_id"], row["price_fen"], row["available"]) == (str(stall.offer_id), 5_800_00, 10)
    assert (await stall.post("price", {"price_fen": 5_700_00})).json()["price_fen"] == 5_700_00
    assert (await stall.post("quota", {"quota": 5})).json()["available"] == 5
    assert (await stall.post("regions", {"regions": ["330000"]})).json()["regions"] == ["330000"]
    assert (await stall.post("unshelve", {"reason": "缺货"})).json()["on_shelf"] is False
    assert (await stall.client.get("/api/offers?on_shelf=true")).json()["items"] == []
    assert (await stall.post("shelve")).json()["on_shelf"] is True
    row = (await stall.client.get(f"/api/offers/{stall.offer_id}")).json()
    assert (row["revision"], row["quota"], row["regions"]) == (5, 5, ["330000"])
    assert (await stall.client.get("/api/offers?q=昭阳")).json()["items"] == [row]


async def test_a_price_above_the_agreement_price_is_refused(stall: Stall) -> None:
    answer = await stall.post("price", {"price_fen": 6_000_01})
    assert (answer.status_code, answer.json()["reason"]) == (409, "above-agreement-price")
    assert (await stall.post("price", {"price_fen": 6_000_00})).status_code == 200


async def test_a_retry_with_the_same_key_gets_the_same_answer(stall: Stall) -> None:
    first = await stall.post("price", {"price_fen": 5_700_00}, key="same")
    await stall.post("price", {"price_fen": 5_600_00})
    again = await stall.post("price", {"price_fen": 5_700_00}, key="same")
    assert first.json() == again.json()
    other = await stall.post("price", {"price_fen": 5_500_00}, key="same")
    assert (other.status_code, other.json()["reason"]) == (409, "key-reused")


async def test_anothers_offer_is_not_found(kernel: Kernel, stall: Stall) -> None:
    foreign = await an_offer_of(kernel, stall.market, 1)
    for offer in (foreign, UUID(int=9)):
        assert (await stall.client.get(f"/api/offers/{offer}")).status_code == 404
        assert (await stall.post("price", {"price_fen": 1}, offer=offer)).status_code == 404


async def test_nobody_but_a_supplier_sees_offers_this_way(stall: Stall) -> None:
    stall.client.cookies.clear()
    assert (await stall.client.get("/api/offers")).status_code == 401


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("price", {"price_fen": 0}),
        ("price", {"price_fen": 1.5}),
        ("price", {"price_fen": 10**15 + 1}),
        ("price", {}),
        ("quota", {"quota": -1}),
        ("regions", {"regions": []}),
        ("regions", {"regions": ["33"]}),
        ("unshelve", {"reason": ""}),
    ],
)
async def test_bad_input_is_invalid(stall: Stall, step: str, body: Any) -> None:
    assert (await stall.post(step, body)).status_code == 422


async def test_pages_list_every_own_offer_once_the_newest_first(kernel: Kernel, stall: Stall) -> None:
    from catalog.products import service as products  # noqa: PLC0415
    from tests.builders.catalog import some_details  # noqa: PLC0415

    for number in range(4):
        product_id = await products.create_product(kernel, OPERATOR, some_details(name=f"电脑{number}"))
        await an_offer_of(kernel, stall.market, product_id=product_id)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await stall.client.get("/api/offers", params={"limit": 2, "cursor": cursor})).json()
        seen += [item["offer_id"] for item in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 5
    gone = await stall.client.get(
        "/api/offers", params={"cursor": "WyIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ"}
    )
    assert gone.status_code == 422


async def test_orders_move_quantities_and_nothing_else(kernel: Kernel, stall: Stall) -> None:
    order = uuid5(UUID(int=0), "order")
    await append(kernel, stall.offer_id, Reserved(4, order), Released(1, order), Consumed(2, order))
    row = await service.get_own(kernel, await a_user(kernel, "other", stall.market.suppliers[0]), stall.offer_id)
    assert (row.reserved, row.consumed, row.available, row.revision) == (1, 2, 7, 1)


async def test_the_database_itself_refuses_what_the_rules_would(
    kernel: Kernel, owner: asyncpg.Connection, stall: Stall
) -> None:
    for change in ("reserved = 11", "reserved = -1", "price_fen = agreement_price_fen + 1", "price_fen = 0"):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(f"update offers set {change} where id = $1", stall.offer_id)
    with pytest.raises(asyncpg.CheckViolationError):
        await append(kernel, stall.offer_id, Reserved(11, UUID(int=1)))


async def test_a_removed_supplier_lists_nothing_more(kernel: Kernel, stall: Stall) -> None:
    await agreements.remove_supplier(
        kernel, OPERATOR, stall.market.agreement_id, supplier_id=stall.market.suppliers[1], reason="拒不履约"
    )
    with pytest.raises(Refused) as refused:
        await an_offer_of(kernel, stall.market, 1)
    assert refused.value.members["reason"] == "supplier-not-admitted"


async def test_an_actor_without_an_organisation_has_no_offers(kernel: Kernel) -> None:
    assert (await service.own(kernel, OPERATOR)).items == ()
