"""Framework agreements on a real database and over HTTP."""

from datetime import date
from typing import Any
from uuid import UUID

import httpx2
import pytest

from catalog.agreements import service
from catalog.agreements.rules import Package, Subject
from kernel.problems import Conflict, NotFound, Refused
from kernel.runtime import Kernel
from registries.organisations.rules import Kind
from tests.builders.catalog import LAPTOP, a_market
from tests.builders.registries import OPERATOR, register


async def conclude(kernel: Kernel, number: str, **changes: Any) -> UUID:
    terms: dict[str, Any] = {
        "number": number,
        "title": "框架协议",
        "organiser": "浙江省政府采购中心",
        "subject": Subject.GOODS,
        "valid_from": date(2026, 1, 1),
        "valid_to": date(2026, 12, 31),
        "regions": ("330000",),
        "packages": (Package(1, "一包", "2022", LAPTOP, 8_000_00),),
    }
    return await service.conclude_agreement(kernel, OPERATOR, **{**terms, **changes})


async def test_agreements_are_public_with_the_names_of_their_suppliers(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    market = await a_market(kernel)
    shown = (await client.get(f"/api/agreements/{market.agreement_id}")).json()
    assert (shown["number"], shown["valid_to"], shown["status"]) == ("ZJKJ-2026-001", "2026-12-31", "concluded")
    assert [one["name"] for one in shown["packages"][0]["suppliers"]] == ["测试单位101", "测试单位102"]
    assert (await client.get("/api/agreements")).json()["items"] == [shown]


async def test_agreements_are_found_by_day_supplier_and_region(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    supplier = await register(kernel, 1)
    await conclude(kernel, "甲", valid_to=date(2026, 11, 22))
    await conclude(kernel, "乙", regions=("330200",))
    third = await conclude(kernel, "丙")
    await service.admit_supplier(kernel, OPERATOR, third, package=1, supplier_id=supplier)
    ended = await conclude(kernel, "丁")
    await service.terminate_agreement(kernel, OPERATOR, ended, reason="x")

    async def found(**params: Any) -> set[str]:
        return {item["number"] for item in (await client.get("/api/agreements", params=params)).json()["items"]}

    assert await found() == {"甲", "乙", "丙", "丁"}
    assert await found(valid="true") == {"乙", "丙"}
    assert await found(valid="true", region="330102") == {"丙"}
    assert await found(region="330203", valid="true") == {"乙", "丙"}
    assert await found(supplier=str(supplier)) == {"丙"}
    await service.remove_supplier(kernel, OPERATOR, third, supplier_id=supplier, reason="x")
    assert await found(supplier=str(supplier)) == set()
    assert (await client.get("/api/agreements?region=1")).status_code == 422


async def test_pages_list_every_agreement_once(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    numbers = [f"ZJ-{number}" for number in range(5)]
    for number in numbers:
        await conclude(kernel, number)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/api/agreements", params={"limit": 2, "cursor": cursor})).json()
        seen += [item["number"] for item in page["items"]]
        cursor = page["next"]
    assert seen == numbers


async def test_a_number_is_used_once(kernel: Kernel) -> None:
    await conclude(kernel, "甲")
    with pytest.raises(Conflict):
        await conclude(kernel, "甲")


async def test_only_a_registered_supplier_is_admitted(kernel: Kernel) -> None:
    agreement = await conclude(kernel, "甲")
    buyer = await register(kernel, 2, Kind.PURCHASER)
    for stranger in (buyer, UUID(int=9)):
        with pytest.raises(NotFound):
            await service.admit_supplier(kernel, OPERATOR, agreement, package=1, supplier_id=stranger)
    with pytest.raises(Refused):
        await service.admit_supplier(kernel, OPERATOR, agreement, package=2, supplier_id=await register(kernel, 3))


async def test_a_period_that_is_too_long_is_refused_with_its_article(kernel: Kernel) -> None:
    with pytest.raises(Refused) as refused:
        await conclude(kernel, "甲", valid_to=date(2027, 1, 1))
    assert refused.value.members["reason"] == "period-too-long"
    assert "110号令第十五条" in refused.value.detail[0]


async def test_an_unknown_agreement_is_not_found(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"/api/agreements/{UUID(int=9)}")).status_code == 404
    with pytest.raises(NotFound):
        await service.by_number(kernel, "无")
