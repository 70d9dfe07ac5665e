"""Registrations over HTTP on a real database: applying, review, corrections, changes, who sees what."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
import pytest

from kernel.access.actors import Actor, Role
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.journal.verify import Difference, verify_kind
from kernel.runtime import Kernel
from portal.app import create_app
from registries.organisations.lifecycle import Kind
from registries.organisations.service import ORGANISATION
from registries.registrations import service
from registries.users.service import USER
from tests.builders.registries import PASSWORD, a_credit_code, a_profile, a_user, register

PHONE = "13800138000"


def a_form(number: int = 1, *, login: str = "", **changes: Any) -> dict[str, Any]:
    """A good application; ``changes`` are of the profile."""
    profile = a_profile()
    said = msgspec.to_builtins(profile.details) | {"name": profile.name, "region": profile.region, "identity": ""}
    del said["identity_tail"]
    return {
        "kind": "supplier",
        "credit_code": a_credit_code(number),
        "profile": said | changes,
        "administrator": {"login": login or f"first{number}", "name": "李敏", "password": PASSWORD},
    }


class Desk:
    """The application with somebody logged in, or nobody."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self._keys = 0

    async def post(self, path: str, body: Any = None, key: str = "") -> httpx2.Response:
        self._keys += 1
        headers = {"Idempotency-Key": key or f"{id(self)}-{self._keys}"}
        return await self.client.post(path, json=body, headers=headers)

    async def delete(self, path: str) -> httpx2.Response:
        self._keys += 1
        return await self.client.delete(path, headers={"Idempotency-Key": f"{id(self)}-{self._keys}"})

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def public(client: httpx2.AsyncClient) -> Desk:
    return Desk(client)


async def as_user(kernel: Kernel, login: str) -> Desk:
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(kernel)), base_url="http://test")
    answer = await client.post("/api/sessions", json={"login": login, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return Desk(client)


async def a_supervisor(kernel: Kernel, region: str, number: int) -> Desk:
    organisation_id = await register(kernel, number, Kind.SUPERVISOR, region)
    await a_user(kernel, f"super{number}", organisation_id, Role.SUPERVISOR)
    return await as_user(kernel, f"super{number}")


@pytest.fixture
async def hangzhou(kernel: Kernel) -> Desk:
    return await a_supervisor(kernel, "330100", 901)


async def applied(public: Desk, number: int = 1, **changes: Any) -> dict[str, Any]:
    answer = await public.post("/api/registrations", a_form(number, **changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def verdict(kind: str, revision: int = 1, **said: Any) -> dict[str, Any]:
    return {"verdict": kind, "revision": revision, **said}


async def test_from_the_application_to_the_register(kernel: Kernel, public: Desk, hangzhou: Desk) -> None:
    made = await applied(public)
    id_, path = made["organisation_id"], f"/api/registrations/{made['organisation_id']}"
    assert made["number"].startswith("ZC20261123-")
    assert (await public.get("/api/organisations"))["items"][0]["kind"] == "supervisor"
    assert (await public.client.get(f"/api/organisations/{id_}")).status_code == 404

    first = await as_user(kernel, "first1")
    assert (await first.get("/api/sessions/current"))["actor"]["roles"] == ["administrator"]
    assert (await first.client.get("/api/orders")).status_code == 403

    faults = [{"field": "phone", "reason": "该号码无人接听"}]
    returned = await hangzhou.post(f"{path}/review", verdict("return", faults=faults))
    assert (returned.json()["status"], returned.json()["faults"]) == ("returned", {"phone": "该号码无人接听"})
    profile = a_form(phone="13900139000")["profile"]
    again = await first.post("/api/registration/resubmission", profile)
    assert (again.status_code, again.json()["status"]) == (200, "applied")
    stale = await hangzhou.post(f"{path}/review", verdict("approve", 2))
    assert (stale.status_code, stale.json()["reason"]) == (409, "changed-since")
    approved = await hangzhou.post(f"{path}/review", verdict("approve", 3, note="材料齐全"))
    assert (approved.json()["status"], approved.json()["registered_at"]) == ("active", "2026-11-23T01:00:00Z")

    assert (await public.get(f"/api/organisations/{id_}"))["status"] == "active"
    assert (await first.get("/api/sessions/current"))["actor"]["roles"] == ["supplier", "signatory", "administrator"]
    for kind in (ORGANISATION, USER):
        async with kernel.db.pool.acquire() as connection:
            assert [d async for d in verify_kind(connection, kind) if isinstance(d, Difference)] == []


async def test_all_that_is_wrong_is_said_at_once_by_field(public: Desk) -> None:
    form = a_form(phone="1", region="330103", identity="1")
    form |= {"credit_code": "1", "administrator": {"login": "?", "name": "", "password": "1234567890"}}
    answer = await public.post("/api/registrations", form)

    assert answer.status_code == 422
    assert {fault["field"]: fault["reason"] for fault in answer.json()["faults"]} == {
        "phone": "phone-wrong",
        "region": "region-abolished",
        "credit_code": "credit-code-wrong",
        "identity": "identity-wrong",
        "login": "login-wrong",
        "person": "name-wrong",
        "password": "password-weak",
    }
    assert all(fault["zh"] and fault["en"] for fault in answer.json()["faults"])


async def test_a_refused_application_leaves_no_account_and_no_hash(public: Desk, owner: asyncpg.Connection) -> None:
    await applied(public)
    taken = await public.post("/api/registrations", a_form(2, login="first1"))
    assert (taken.status_code, taken.json()["reason"], taken.json()["field"]) == (409, "login-taken", "login")
    assert (await public.post("/api/registrations", a_form(3, phone="1"))).status_code == 422

    assert await owner.fetchval("select count(*) from credentials") == 1
    assert await owner.fetchval("select count(*) from organisations") == 1


async def test_of_two_applications_with_one_code_at_once_one_wins(public: Desk, owner: asyncpg.Connection) -> None:
    forms = [a_form(1, login=f"one-{number}") for number in range(5)]
    answers = await asyncio.gather(*(public.post("/api/registrations", form) for form in forms))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    lost = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (lost["reason"], lost["field"]) == ("application-in-review", "credit_code")
    for table in ("organisations", "users", "credentials"):
        assert await owner.fetchval(f"select count(*) from {table}") == 1


async def test_of_two_processes_one_wins_as_well(kernel: Kernel, make_kernel: Any, public: Desk) -> None:
    other = await make_kernel(kernel.clock)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(other)), base_url="http://test")
    desks = (public, Desk(client))
    answers = await asyncio.gather(
        *(desk.post("/api/registrations", a_form(1, login=f"p-{n}")) for n, desk in enumerate(desks))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_a_code_that_is_registered_anywhere_in_the_province_is_told_so(kernel: Kernel, public: Desk) -> None:
    await register(kernel, 1, region="330203")
    answer = await public.post("/api/registrations", a_form(1))

    assert (answer.status_code, answer.json()["reason"]) == (409, "organisation-exists")
    assert "全省通用" in answer.json()["detail"]


async def test_a_code_is_free_again_when_its_application_is_withdrawn_or_refused(
    kernel: Kernel, public: Desk, hangzhou: Desk
) -> None:
    await applied(public)
    first = await as_user(kernel, "first1")
    assert (await first.post("/api/registration/withdrawal")).json()["status"] == "withdrawn"
    made = await applied(public, 1, login="second")
    path = f"/api/registrations/{made['organisation_id']}/review"
    assert (await hangzhou.post(path, verdict("refuse"))).status_code == 422
    assert (await hangzhou.post(path, verdict("refuse", note="冒用他人名义"))).json()["status"] == "refused"
    login = await public.client.post("/api/sessions", json={"login": "second", "password": PASSWORD})
    assert login.status_code == 403
    await applied(public, 1, login="third")


async def test_an_application_sent_again_is_the_same_application(public: Desk, owner: asyncpg.Connection) -> None:
    one = await public.post("/api/registrations", a_form(), key="k")
    two = await public.post("/api/registrations", a_form(), key="k")

    assert (one.status_code, two.status_code, one.json()) == (201, 201, two.json())
    assert await owner.fetchval("select count(*) from credentials") == 1


async def test_neither_the_password_nor_the_identity_card_is_kept_anywhere(
    public: Desk, owner: asyncpg.Connection
) -> None:
    card = "11010519491231002X"
    await applied(public, identity=card)

    kept = [row[0] for row in await owner.fetch("select convert_from(body, 'UTF8') from journal")]
    kept += [row[0] for row in await owner.fetch("select details::text from organisations")]
    assert any("002X" in text for text in kept)
    assert not any(card in text or PASSWORD in text for text in kept)


async def test_progress_is_told_to_who_knows_number_and_phone(public: Desk, hangzhou: Desk) -> None:
    made = await applied(public)
    path = f"/api/registrations/{made['organisation_id']}/review"
    await hangzhou.post(path, verdict("return", note="请补充"))

    async def ask(number: str, phone: str) -> httpx2.Response:
        return await public.post("/api/registration-lookups", {"number": number, "phone": phone})

    told = (await ask(made["number"].lower(), PHONE)).json()
    assert (told["status"], told["note"], set(told)) == (
        "returned",
        "请补充",
        {"number", "name", "status", "applied_at", "faults", "note"},
    )
    assert (await ask(made["number"], "13900000000")).status_code == 404
    assert (await ask("", PHONE)).status_code == 422
    statuses = [(await ask(made["number"], "13900000000")).status_code for _ in range(service.LOOKUPS_PER_NUMBER)]
    assert statuses[-1] == 429


async def test_an_address_applies_so_often_and_no_more(public: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "APPLICATIONS_PER_ADDRESS", 1)
    await applied(public)
    assert (await public.post("/api/registrations", a_form(2))).status_code == 429


async def test_a_reviewer_sees_its_region_and_nothing_else(kernel: Kernel, public: Desk, hangzhou: Desk) -> None:
    ningbo = await a_supervisor(kernel, "330200", 902)
    province = await a_supervisor(kernel, "330000", 903)
    made = await applied(public)
    path = f"/api/registrations/{made['organisation_id']}"

    for desk, seen in ((hangzhou, 1), (province, 1), (ningbo, 0)):
        assert (await desk.get("/api/registrations/waiting"))["count"] == seen
        assert len((await desk.get("/api/registrations", desk="waiting"))["items"]) == seen
    for request in (ningbo.client.get(path), ningbo.client.get(f"{path}/history")):
        assert (await request).status_code == 404
    assert (await ningbo.post(f"{path}/review", verdict("approve"))).status_code == 404
    assert (await hangzhou.get(path))["may_review"] is True
    assert (await province.post(f"{path}/review", verdict("approve"))).status_code == 200


async def test_an_administrator_sees_the_own_registration_and_no_other(kernel: Kernel, public: Desk) -> None:
    one, other = await applied(public, 1), await applied(public, 2)
    first = await as_user(kernel, "first1")

    shown = await first.get(f"/api/registrations/{one['organisation_id']}")
    assert (shown["may_review"], shown["steps"]) == (False, ["withdraw"])
    assert [row["organisation_id"] for row in (await first.get("/api/registrations"))["items"]] == [
        one["organisation_id"]
    ]
    assert (await first.client.get(f"/api/registrations/{other['organisation_id']}")).status_code == 404
    assert (
        await first.post(f"/api/registrations/{one['organisation_id']}/review", verdict("approve"))
    ).status_code == 403


async def test_the_desk_is_searched_filtered_and_paged(kernel: Kernel, public: Desk, hangzhou: Desk) -> None:
    made = []
    assert isinstance(kernel.clock, ManualClock)
    for number in range(1, 6):
        made.append(await applied(public, number, name=f"甲{number}公司"))
        kernel.clock.advance(timedelta(milliseconds=1))
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await hangzhou.get("/api/registrations", desk="waiting", limit=2, cursor=cursor)
        seen, cursor = seen + [row["organisation_id"] for row in page["items"]], page["next"]
    assert seen == [one["organisation_id"] for one in made]

    async def found(**params: Any) -> list[str]:
        return [row["name"] for row in (await hangzhou.get("/api/registrations", **params))["items"]]

    assert await found(limit=2) == ["甲5公司", "甲4公司"]
    assert await found(q="甲3") == ["甲3公司"]
    assert await found(q=a_credit_code(2)) == ["甲2公司"]
    assert await found(q=made[0]["number"].lower()) == ["甲1公司"]
    assert await found(status="active") == []
    assert await found(role="agency") == []
    bad = await hangzhou.client.get("/api/registrations", params={"desk": "waiting", "cursor": "?"})
    assert bad.status_code == 422


@pytest.fixture
async def registered(kernel: Kernel, public: Desk, hangzhou: Desk) -> Desk:
    made = await applied(public)
    await hangzhou.post(f"/api/registrations/{made['organisation_id']}/review", verdict("approve"))
    return await as_user(kernel, "first1")


async def own(desk: Desk) -> dict[str, Any]:
    id_ = (await desk.get("/api/sessions/current"))["actor"]["organisation_id"]
    found: dict[str, Any] = await desk.get(f"/api/registrations/{id_}")
    return found


async def test_a_phone_changes_at_once_and_a_name_after_a_review(registered: Desk, hangzhou: Desk) -> None:
    changed = a_form(phone="13900139000", name="杭州新名科技有限公司")["profile"]
    answer = (await registered.post("/api/registration/changes", changed)).json()
    assert (answer["details"]["phone"], answer["name"]) == ("13900139000", a_profile().name)
    assert answer["pending"]["profile"]["name"] == "杭州新名科技有限公司"
    path = f"/api/registrations/{answer['organisation_id']}"
    row = (await hangzhou.get("/api/registrations", desk="waiting"))["items"][0]
    assert (row["status"], row["changing"]) == ("active", True)

    revision = answer["revision"]
    refused = await hangzhou.post(f"{path}/review", verdict("refuse", revision, note="不同意"))
    assert (refused.status_code, refused.json()["reason"]) == (409, "not-of-a-change")
    returned = await hangzhou.post(f"{path}/review", verdict("return", revision, note="与执照不符"))
    assert returned.json()["pending"]["note"] == "与执照不符"
    again = (await registered.post("/api/registration/changes", changed)).json()
    approved = await hangzhou.post(f"{path}/review", verdict("approve", again["revision"]))
    assert (approved.json()["name"], approved.json()["pending"]) == ("杭州新名科技有限公司", None)


async def test_a_change_is_given_up(registered: Desk) -> None:
    assert (await registered.delete("/api/registration/changes")).json()["reason"] == "nothing-waits"
    await registered.post("/api/registration/changes", a_form(name="新名")["profile"])
    assert (await registered.delete("/api/registration/changes")).json()["pending"] is None
    same = await registered.post("/api/registration/changes", a_form()["profile"])
    assert (same.status_code, same.json()["reason"]) == (409, "nothing-changes")


async def test_who_moves_is_reviewed_where_it_goes(kernel: Kernel, registered: Desk, hangzhou: Desk) -> None:
    ningbo = await a_supervisor(kernel, "330200", 902)
    asked = (await registered.post("/api/registration/changes", a_form(region="330203")["profile"])).json()
    path = f"/api/registrations/{asked['organisation_id']}"

    assert (await hangzhou.get(path))["may_review"] is False
    assert (await hangzhou.post(f"{path}/review", verdict("approve", asked["revision"]))).status_code == 404
    assert (await ningbo.post(f"{path}/review", verdict("approve", asked["revision"]))).json()["region"] == "330203"


async def test_the_history_says_who_changed_what_and_when(registered: Desk, hangzhou: Desk) -> None:
    await registered.post("/api/registration/changes", a_form(phone="13900139000")["profile"])
    asked = (
        await registered.post("/api/registration/changes", a_form(phone="13900139000", name="新名")["profile"])
    ).json()
    path = f"/api/registrations/{asked['organisation_id']}/history"
    items = (await hangzhou.get(path))["items"]

    assert [item["kind"] for item in items] == ["change_asked", "changed", "approved", "applied"]
    assert items[0]["changes"] == [{"field": "name", "before": a_profile().name, "after": "新名"}]
    assert items[1]["changes"] == [{"field": "phone", "before": PHONE, "after": "13900139000"}]
    assert (items[1]["person"], items[1]["organisation"]) == ("李敏", a_profile().name)
    assert (items[2]["person"], items[2]["organisation"]) == ("测试员", "测试单位901")
    own_view = (await registered.get(path))["items"]
    assert (own_view[2]["person"], own_view[2]["organisation"]) == ("", "测试单位901")
    assert own_view[1]["person"] == "李敏"


async def test_who_belongs_to_no_organisation_changes_nothing(kernel: Kernel) -> None:
    nobody = Actor(UUID(int=1), "x", "x", None, "", "", (Role.ADMINISTRATOR,))
    by = By(nobody, "::1", kernel.clock.now())
    with pytest.raises(service.NotFound):
        await service.withdraw(kernel, by)


async def test_an_unknown_field_is_no_reason(registered: Desk, hangzhou: Desk) -> None:
    path = f"/api/registrations/{(await own(registered))['organisation_id']}/review"
    strange = [{"field": "colour", "reason": "不好看"}]
    assert (await hangzhou.post(path, verdict("return", faults=strange))).status_code == 422
    assert (await hangzhou.post(path, verdict("return"))).status_code == 422
