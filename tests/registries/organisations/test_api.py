"""The register over HTTP, on a real database."""

from uuid import UUID

import httpx2
import pytest

from kernel.problems import Conflict, NotFound, Refused
from kernel.runtime import Kernel
from registries.organisations import service
from registries.organisations.rules import Kind
from tests.builders.registries import OPERATOR, a_credit_code, register


async def test_a_credit_code_is_registered_once(kernel: Kernel) -> None:
    await register(kernel, 1)
    with pytest.raises(Conflict):
        await register(kernel, 1)


async def test_a_wrong_credit_code_is_refused(kernel: Kernel) -> None:
    with pytest.raises(Refused) as refused:
        await service.register_organisation(
            kernel, OPERATOR, kind=Kind.SUPPLIER, name="甲", credit_code="91330000733796106X", region="330000"
        )
    assert refused.value.members["reason"] == "credit-code-wrong"


async def test_pages_list_every_organisation_once(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    for number in range(7):
        await register(kernel, number, Kind.PURCHASER if number % 2 else Kind.SUPPLIER)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/api/organisations", params={"limit": 2, "cursor": cursor})).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert seen == sorted(f"测试单位{number}" for number in range(7))


async def test_organisations_are_found_by_role_name_and_credit_code(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    await register(kernel, 1)
    await register(kernel, 2, Kind.PURCHASER)

    async def found(**params: str) -> list[str]:
        answer = await client.get("/api/organisations", params=params)
        return [item["name"] for item in answer.json()["items"]]

    assert await found(role="purchaser") == ["测试单位2"]
    assert await found(q="单位1") == ["测试单位1"]
    assert await found(q=a_credit_code(2)) == ["测试单位2"]
    assert await found(q="%") == []
    assert (await client.get("/api/organisations", params={"role": "expert"})).status_code == 422
    assert (await client.get("/api/organisations", params={"cursor": "?"})).status_code == 422


async def test_an_organisation_is_renamed_suspended_and_reinstated(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    id_ = await register(kernel, 1)
    await service.rename_organisation(kernel, OPERATOR, id_, "新名")
    await service.suspend_organisation(kernel, OPERATOR, id_, "重大违法记录")
    answer = (await client.get(f"/api/organisations/{id_}")).json()
    assert (answer["name"], answer["status"]) == ("新名", "suspended")
    with pytest.raises(Refused):
        await service.suspend_organisation(kernel, OPERATOR, id_, "再次")
    await service.reinstate_organisation(kernel, OPERATOR, id_, "期满")
    assert (await service.get(kernel, id_)).status == "active"


async def test_what_is_not_registered_is_not_found(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"/api/organisations/{UUID(int=9)}")).status_code == 404
    assert (await client.get("/api/organisations/9")).status_code == 404
    with pytest.raises(NotFound):
        await service.by_credit_code(kernel, a_credit_code(9))
    assert await service.names(kernel, []) == {}


async def test_regions_are_public(client: httpx2.AsyncClient) -> None:
    items = (await client.get("/api/regions")).json()["items"]
    assert len(items) == 112
    assert next(item for item in items if item["code"] == "330103")["successor"] == "330105"


@pytest.mark.parametrize(
    "params",
    [
        {"q": "\x00"},
        {"cursor": "\x00"},
        {"cursor": "WyJcdTAwMDAiLCIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ"},
    ],
)
async def test_what_the_database_cannot_hold_is_invalid(client: httpx2.AsyncClient, params: dict[str, str]) -> None:
    assert (await client.get("/api/organisations", params=params)).status_code == 422
