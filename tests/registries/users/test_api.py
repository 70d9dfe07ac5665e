"""Sessions over HTTP, on real engines."""

from time import process_time
from typing import Any

import asyncpg
import httpx2
import pytest

from kernel.access.actors import Role
from kernel.problems import Conflict, Refused, Unauthenticated
from kernel.runtime import Kernel
from portal.app import create_app
from registries.organisations.rules import Kind
from registries.users import service
from tests.builders.registries import OPERATOR, PASSWORD, a_user, register


async def log_in(client: httpx2.AsyncClient, login: str = "zhang.san", password: str = PASSWORD) -> httpx2.Response:
    return await client.post("/api/sessions", json={"login": login, "password": password})


@pytest.fixture
async def supplier(kernel: Kernel) -> Any:
    return await a_user(kernel, "Zhang.San", await register(kernel, 1))


async def test_a_session_is_opened_seen_and_closed(client: httpx2.AsyncClient, supplier: Any) -> None:
    opened = await log_in(client)

    assert opened.status_code == 201
    assert opened.json()["actor"] == {
        "user_id": str(supplier.user_id),
        "login": "zhang.san",
        "name": "测试员",
        "organisation_id": str(supplier.organisation_id),
        "organisation_name": "测试单位1",
        "region": "330102",
        "roles": ["supplier"],
    }
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert (await client.get("/api/sessions/current")).json()["actor"]["login"] == "zhang.san"

    assert (await client.delete("/api/sessions/current")).status_code == 200
    assert (await client.get("/api/sessions/current")).json() == {"actor": None}


@pytest.mark.usefixtures("supplier")
async def test_a_program_sends_its_token(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    opened = await service.log_in(kernel, login="zhang.san", password=PASSWORD, origin="::1", user_agent="")
    headers = {"Authorization": f"Bearer {opened.token}"}
    assert (await client.get("/api/sessions/current", headers=headers)).json()["actor"]["login"] == "zhang.san"


@pytest.mark.usefixtures("supplier")
async def test_an_unknown_login_is_answered_like_a_wrong_password(client: httpx2.AsyncClient) -> None:
    wrong, unknown = await log_in(client, password="wrong password"), await log_in(client, login="li.si")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() | {"instance": ""} == unknown.json() | {"instance": ""}


@pytest.mark.usefixtures("supplier")
async def test_an_unknown_login_costs_as_much_as_a_wrong_password(kernel: Kernel) -> None:
    """Seconds of the processor, the least of several: whatever else runs on the machine, this is the hash's."""

    async def cost(login: str) -> float:
        began = process_time()
        with pytest.raises(Unauthenticated):
            await service.log_in(kernel, login=login, password="wrong password", origin="::1", user_agent="")
        return process_time() - began

    costs = [(await cost("zhang.san"), await cost("li.si")) for _ in range(7)]
    wrong, unknown = map(min, zip(*costs, strict=True))
    assert 0.5 < unknown / wrong < 2


@pytest.mark.usefixtures("supplier")
async def test_an_account_is_guessed_at_ten_times_and_no_more(client: httpx2.AsyncClient) -> None:
    statuses = [(await log_in(client, password="wrong password")).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = await log_in(client)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.usefixtures("supplier")
async def test_guesses_are_counted_from_the_last_right_password_on(client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        assert [(await log_in(client, password="wrong password")).status_code for _ in range(9)] == [401] * 9
        assert (await log_in(client)).status_code == 201


@pytest.mark.usefixtures("supplier")
async def test_an_address_tries_so_often_and_no_more(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ATTEMPTS_PER_ADDRESS", 2)
    assert [(await log_in(client)).status_code for _ in range(3)] == [201, 201, 429]


@pytest.mark.usefixtures("supplier")
async def test_logins_are_counted_while_redis_is_away(
    kernel: Kernel, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(kernel.limits, "_count", away)
    monkeypatch.setattr(kernel.redis, "delete", away)
    assert [(await log_in(client, password="wrong password")).status_code for _ in range(9)] == [401] * 9
    assert (await log_in(client)).status_code == 201
    assert [(await log_in(client, password="wrong password")).status_code for _ in range(11)] == [401] * 10 + [429]


async def test_a_disabled_account_is_told_so_with_the_right_password_alone(
    kernel: Kernel, client: httpx2.AsyncClient, supplier: Any
) -> None:
    await service.disable_user(kernel, OPERATOR, supplier.user_id, "离职")
    assert (await log_in(client, password="wrong password")).status_code == 401
    refused = await log_in(client)
    assert (refused.status_code, refused.json()["reason"]) == (403, "disabled")
    await service.enable_user(kernel, OPERATOR, supplier.user_id, "返聘")
    assert (await log_in(client)).status_code == 201


async def test_a_running_session_of_a_disabled_account_ends_within_seconds(
    kernel: Kernel, client: httpx2.AsyncClient, supplier: Any
) -> None:
    await log_in(client)
    await service.disable_user(kernel, OPERATOR, supplier.user_id, "离职")
    assert (await client.get("/api/sessions/current")).json() == {"actor": None}


async def test_a_changed_password_replaces_the_old_one(
    kernel: Kernel, client: httpx2.AsyncClient, supplier: Any
) -> None:
    await service.set_password(kernel, OPERATOR, supplier.user_id, "another long password")
    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, password="another long password")).status_code == 201


async def test_a_password_is_nowhere_in_the_journal(owner: asyncpg.Connection, supplier: Any) -> None:
    bodies = [row[0] for row in await owner.fetch("select body from journal where stream like 'user/%'")]
    assert bodies
    stored = await owner.fetchval("select password_hash from credentials where user_id = $1", supplier.user_id)
    assert stored.startswith("$argon2id$")
    for secret in (PASSWORD, "argon2", stored[-20:]):
        assert all(secret.encode() not in body for body in bodies)


async def test_a_refused_account_leaves_no_hash(kernel: Kernel, owner: asyncpg.Connection, supplier: Any) -> None:
    with pytest.raises(Conflict):
        await a_user(kernel, "zhang.san", supplier.organisation_id)
    with pytest.raises(Refused) as refused:
        await a_user(kernel, "li.si", supplier.organisation_id, Role.PURCHASER)
    assert refused.value.members["reason"] == "roles-wrong"
    assert await owner.fetchval("select count(*) from credentials") == 1


async def test_a_short_password_is_refused_before_anything_is_stored(kernel: Kernel, owner: asyncpg.Connection) -> None:
    organisation_id = await register(kernel, 1)
    with pytest.raises(Refused):
        await service.create_user(
            kernel,
            OPERATOR,
            login="zhang.san",
            name="张三",
            password="short",
            organisation_id=organisation_id,
            roles=(Role.SUPPLIER,),
        )
    assert await owner.fetchval("select count(*) from credentials") == 0


async def test_demo_accounts_are_one_of_each_organisation_and_role(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    seller, buyer = await register(kernel, 1), await register(kernel, 2, Kind.PURCHASER)
    await a_user(kernel, "seller", seller)
    await a_user(kernel, "seller2", seller)
    await a_user(kernel, "buyer", buyer, Role.PURCHASER)
    await a_user(kernel, "buyer2", buyer, Role.PURCHASER)
    await a_user(kernel, "second-hand", buyer, Role.APPROVER)
    found = (await client.get("/api/demo-accounts")).json()
    assert sorted(item["login"] for item in found["items"]) == ["buyer", "second-hand", "seller"]


async def test_there_are_no_demo_accounts_but_in_a_demonstration(make_kernel: Any) -> None:
    from kernel.problems import NotFound  # noqa: PLC0415

    kernel = await make_kernel(demo=False)
    with pytest.raises(NotFound):
        await service.demo_accounts(kernel)


@pytest.fixture
async def site(make_kernel: Any) -> Any:
    """A kernel as outside a demonstration."""
    return await make_kernel(demo=False)


@pytest.fixture
async def outside(site: Kernel) -> Any:
    transport = httpx2.ASGITransport(app=create_app(site))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


async def test_outside_a_demonstration_a_password_opens_nothing_but_the_way_to_a_second_factor(
    site: Kernel, outside: httpx2.AsyncClient
) -> None:
    await a_user(site, "zhang.san", await register(site, 1))

    state = (await log_in(outside)).json()["session"]
    current = (await outside.get("/api/sessions/current")).json()
    refused = await outside.get("/api/orders")

    assert (state["level"], state["pending"], state["methods"]) == ("password", True, ["password"])
    assert (current["actor"], current["session"]["pending"]) == (None, True)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/step-up-needed")
    assert {name: refused.json()[name] for name in ("level", "methods", "enrol")} == {
        "level": "second-factor",
        "methods": [],
        "enrol": True,
    }
    assert (await outside.get("/api/auctions")).status_code == 200


@pytest.mark.usefixtures("supplier")
async def test_a_login_ends_the_session_that_it_replaces(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    first = (await log_in(client)).json()["token"]
    second = (await log_in(client)).json()["token"]

    assert first != second
    assert await kernel.sessions.find(first) is None
    assert await kernel.sessions.find(second)


@pytest.mark.usefixtures("supplier")
async def test_own_sessions_are_listed_and_ended(client: httpx2.AsyncClient) -> None:
    others = []
    for _ in range(2):
        others.append((await log_in(client)).json()["token"])
        client.cookies.clear()
    await log_in(client)

    listed = (await client.get("/api/sessions")).json()["items"]
    (current,) = (item for item in listed if item["current"])
    other = next(item for item in listed if not item["current"])
    assert len(listed) == 3
    assert (await client.delete(f"/api/sessions/{other['session_id']}")).json() == {"count": 1}
    assert (await client.delete(f"/api/sessions/{other['session_id']}")).status_code == 404
    assert (await client.post("/api/sessions/current/close-others")).json() == {"count": 1}
    assert [item["session_id"] for item in (await client.get("/api/sessions")).json()["items"]] == [
        current["session_id"]
    ]
    for token in others:
        answer = await client.get("/api/sessions", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


@pytest.mark.usefixtures("supplier")
async def test_the_password_once_more_gives_the_session_another_token(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    before = (await log_in(client)).json()
    wrong = await client.post("/api/sessions/current/password", json={"password": "wrong password"})
    right = await client.post("/api/sessions/current/password", json={"password": PASSWORD})

    assert (wrong.status_code, wrong.json()["reason"]) == (409, "wrong-credentials")
    assert right.json()["session"]["session_id"] == before["session"]["session_id"]
    assert right.json()["token"] != before["token"]
    assert await kernel.sessions.find(before["token"]) is None
    assert (await client.get("/api/sessions/current")).json()["actor"]["login"] == "zhang.san"


@pytest.mark.usefixtures("supplier")
async def test_a_password_is_guessed_at_no_more_often_from_within(client: httpx2.AsyncClient) -> None:
    await log_in(client)
    body = {"password": "wrong password"}
    statuses = [(await client.post("/api/sessions/current/password", json=body)).status_code for _ in range(11)]
    assert statuses == [409] * 10 + [429]


async def test_the_own_password_is_changed_with_the_old_one_and_ends_other_sessions(
    kernel: Kernel, client: httpx2.AsyncClient, supplier: Any
) -> None:
    assert supplier.user_id
    elsewhere, _ = await kernel.sessions.open(supplier.user_id, origin="", user_agent="")
    await log_in(client)
    path, new = "/api/account/password", "another long password"

    assert (await client.post(path, json={"old": "wrong", "new": new})).json()["reason"] == "wrong-credentials"
    assert (await client.post(path, json={"old": PASSWORD, "new": "short"})).json()["reason"] == "password-length"
    assert (await client.post(path, json={"old": PASSWORD, "new": new})).json() == {"count": 1}
    assert (await client.get("/api/sessions")).status_code == 200
    assert await kernel.sessions.find(elsewhere) is None
    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, password=new)).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"login": "x"},
        {"login": "", "password": "x"},
        {"login": "x", "password": "x" * 257},
        {"a": 1},
        {"login": "\x00", "password": "x"},
    ],
)
async def test_bad_logins_are_invalid(client: httpx2.AsyncClient, body: dict[str, str]) -> None:
    assert (await client.post("/api/sessions", json=body)).status_code == 422
