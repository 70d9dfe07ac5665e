"""The accounts of an organisation over HTTP: who may, what is refused, and that closing one is closing it at once."""

import asyncio
import json
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from kernel.access.actors import Actor, Role
from kernel.commit.by import By
from kernel.problems import NotFound, Refused, TooMany
from kernel.runtime import Kernel
from portal.app import create_app
from registries.members import service
from tests.builders.registries import PASSWORD, a_user, register

NEW = "violet tractor seven"


@pytest.fixture
async def first(kernel: Kernel) -> Actor:
    return await a_user(kernel, "first", await register(kernel, 1), Role.ADMINISTRATOR)


def a_client(kernel: Kernel) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(kernel)), base_url="http://test")


async def logged_in(kernel: Kernel, login: str, password: str = PASSWORD) -> httpx2.AsyncClient:
    client = a_client(kernel)
    answer = await client.post("/api/sessions", json={"login": login, "password": password})
    assert answer.status_code == 201, answer.text
    return client


def by(kernel: Kernel, actor: Actor) -> By:
    return By(actor, "192.0.2.1", kernel.clock.now())


async def send(client: httpx2.AsyncClient, method: str, path: str, body: Any, key: str = "") -> httpx2.Response:
    return await client.request(
        method, path, json=body, headers={"Idempotency-Key": key or sha256(f"{path}{body}".encode()).hexdigest()}
    )


MEMBER = {"login": "li.si", "name": "李四", "password": NEW, "roles": ["supplier"]}


@pytest.mark.usefixtures("first")
async def test_an_administrator_opens_an_account_and_its_owner_logs_in(kernel: Kernel) -> None:
    client = await logged_in(kernel, "first")
    assert (await send(client, "POST", "/api/members", MEMBER)).status_code == 201

    listed = (await client.get("/api/members")).json()
    assert [(one["login"], one["roles"]) for one in listed["items"]] == [
        ("first", ["administrator"]),
        ("li.si", ["supplier"]),
    ]
    assert listed["roles"] == ["supplier", "signatory", "administrator"]
    assert (await logged_in(kernel, "li.si", NEW)) is not None


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"login": "first"}, 409, "login-taken"),
        ({"roles": ["purchaser"]}, 409, "roles-wrong"),
        ({"roles": ["supplier", "public"]}, 409, "roles-wrong"),
        ({"password": "1234567890"}, 409, "password-weak"),
        ({"password": "short"}, 409, "password-length"),
        ({"roles": []}, 422, None),
    ],
)
async def test_an_account_that_does_not_fit_is_refused(
    kernel: Kernel, owner: asyncpg.Connection, changes: dict[str, Any], status: int, reason: str | None
) -> None:
    client = await logged_in(kernel, "first")
    answer = await send(client, "POST", "/api/members", MEMBER | changes)

    assert (answer.status_code, answer.json().get("reason")) == (status, reason)
    assert await owner.fetchval("select count(*) from credentials") == 1


async def test_an_account_opened_twice_with_one_key_is_one(
    kernel: Kernel, owner: asyncpg.Connection, first: Actor
) -> None:
    client = await logged_in(kernel, first.login)
    one, two = [await send(client, "POST", "/api/members", MEMBER) for _ in range(2)]

    assert (one.status_code, one.json()) == (201, two.json())
    assert await owner.fetchval("select count(*) from credentials") == 2


async def test_a_closed_account_is_out_at_once_in_every_process(kernel: Kernel, make_kernel: Any, first: Actor) -> None:
    assert first.organisation_id
    other = await make_kernel(kernel.clock)
    await a_user(kernel, "li.si", first.organisation_id)
    here, there = await logged_in(kernel, "li.si"), await logged_in(other, "li.si")
    client = await logged_in(kernel, "first")
    user_id = (await here.get("/api/sessions/current")).json()["actor"]["user_id"]
    assert (await there.get("/api/sessions/current")).json()["actor"] is not None

    closed = await send(client, "PUT", f"/api/members/{user_id}/status", {"active": False, "reason": "离职"})
    assert closed.status_code == 200
    assert (await here.get("/api/sessions/current")).json() == {"actor": None}
    async with asyncio.timeout(20):  # the clock stands still: only the hint can do it
        while (await there.get("/api/sessions/current")).json()["actor"] is not None:  # noqa: ASYNC110 - a hint sets no event
            await asyncio.sleep(0.01)

    await send(client, "PUT", f"/api/members/{user_id}/status", {"active": True, "reason": "返聘"})
    assert (await here.get("/api/sessions/current")).json() == {"actor": None}
    assert (await logged_in(kernel, "li.si")) is not None


async def test_a_role_that_was_taken_away_is_gone_with_the_next_request(kernel: Kernel, first: Actor) -> None:
    assert first.organisation_id
    second = await a_user(kernel, "second", first.organisation_id, Role.ADMINISTRATOR)
    client = await logged_in(kernel, "second")
    assert (await client.get("/api/members")).status_code == 200

    await service.set_roles(kernel, by(kernel, first), second.user_id, (Role.SUPPLIER,))  # type: ignore[arg-type]
    assert (await client.get("/api/members")).status_code == 403


async def test_a_new_password_ends_the_sessions_under_the_old_one(kernel: Kernel, first: Actor) -> None:
    assert first.organisation_id
    member = await a_user(kernel, "li.si", first.organisation_id)
    old, client = await logged_in(kernel, "li.si"), await logged_in(kernel, "first")
    path = f"/api/members/{member.user_id}/password"

    weak = await send(client, "PUT", path, {"password": "li.si12345"})
    assert (weak.status_code, weak.json()["reason"]) == (409, "password-weak")
    assert (await send(client, "PUT", path, {"password": NEW})).status_code == 200
    assert (await old.get("/api/sessions/current")).json() == {"actor": None}
    assert (await logged_in(kernel, "li.si", NEW)) is not None


async def test_nobody_closes_the_own_account_or_changes_the_own_roles(kernel: Kernel, first: Actor) -> None:
    assert first.user_id
    with pytest.raises(Refused) as closed:
        await service.disable(kernel, by(kernel, first), first.user_id, "x")
    with pytest.raises(Refused) as changed:
        await service.set_roles(kernel, by(kernel, first), first.user_id, (Role.SUPPLIER,))
    assert closed.value.members["reason"] == changed.value.members["reason"] == "not-ones-own"


async def test_two_administrators_who_close_each_other_leave_one(kernel: Kernel, first: Actor) -> None:
    assert first.organisation_id
    second = await a_user(kernel, "second", first.organisation_id, Role.ADMINISTRATOR)
    tries = await asyncio.gather(
        service.disable(kernel, by(kernel, first), second.user_id, "x"),  # type: ignore[arg-type]
        service.disable(kernel, by(kernel, second), first.user_id, "x"),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    (refused,) = [one for one in tries if isinstance(one, Refused)]
    assert refused.members["reason"] == "last-administrator"


async def test_the_accounts_of_another_organisation_are_not_there(kernel: Kernel, first: Actor) -> None:
    stranger = await a_user(kernel, "stranger", await register(kernel, 2))
    for act in (
        service.disable(kernel, by(kernel, first), stranger.user_id, "x"),  # type: ignore[arg-type]
        service.set_roles(kernel, by(kernel, first), stranger.user_id, (Role.SUPPLIER,)),  # type: ignore[arg-type]
    ):
        with pytest.raises(NotFound):
            await act
    nobody = Actor(first.user_id, "x", "x", None, "", "", (Role.ADMINISTRATOR,))
    with pytest.raises(NotFound):
        await service.members(kernel, nobody)


async def reset(kernel: Kernel, administrator: Actor, user_id: UUID | None, reason: str = "手机遗失") -> None:
    assert user_id
    await service.reset_factors(kernel, by(kernel, administrator), user_id, reason)


async def test_a_reset_is_in_the_journal_and_in_the_list(
    kernel: Kernel, owner: asyncpg.Connection, first: Actor
) -> None:
    assert first.organisation_id
    member = await a_user(kernel, "li.si", first.organisation_id)
    client = await logged_in(kernel, "first")
    path = f"/api/members/{member.user_id}/factor-reset"

    assert (await send(client, "POST", path, {"reason": " "})).status_code == 422
    answers = [await send(client, "POST", path, {"reason": "手机遗失"}) for _ in range(2)]  # with one key
    assert [answer.status_code for answer in answers] == [200, 200]

    listed = {one["login"]: one["must_enrol"] for one in (await client.get("/api/members")).json()["items"]}
    assert listed == {"first": False, "li.si": True}
    rows = await owner.fetch("select actor, body from journal where kind = 'user.factors_reset'")
    assert [(row["actor"], json.loads(row["body"])["reason"]) for row in rows] == [(first.journal, "手机遗失")]


async def test_nobody_resets_the_own_factors_or_a_strangers(kernel: Kernel, first: Actor) -> None:
    stranger = await a_user(kernel, "stranger", await register(kernel, 2))
    with pytest.raises(Refused) as own:
        await reset(kernel, first, first.user_id)
    assert own.value.members["reason"] == "own-factors"
    with pytest.raises(NotFound):
        await reset(kernel, first, stranger.user_id)


async def test_who_gives_a_password_does_not_reset_the_factors_and_the_other_way_round(
    kernel: Kernel, first: Actor
) -> None:
    assert first.organisation_id
    second = await a_user(kernel, "second", first.organisation_id, Role.ADMINISTRATOR)
    member = await a_user(kernel, "li.si", first.organisation_id)
    assert member.user_id
    await service.set_password(kernel, by(kernel, first), member.user_id, NEW)
    with pytest.raises(Refused) as given:
        await reset(kernel, first, member.user_id)
    await reset(kernel, second, member.user_id)
    with pytest.raises(Refused) as taken:
        await service.set_password(kernel, by(kernel, second), member.user_id, "another tractor eight")
    assert given.value.members["reason"] == taken.value.members["reason"] == "same-hand"
    assert (await logged_in(kernel, "li.si", NEW)) is not None


async def test_an_account_that_an_administrator_opened_is_reset_by_another(kernel: Kernel, first: Actor) -> None:
    second = await a_user(kernel, "second", first.organisation_id, Role.ADMINISTRATOR)  # type: ignore[arg-type]
    client = await logged_in(kernel, "first")
    opened = UUID((await send(client, "POST", "/api/members", MEMBER)).json()["user_id"])
    with pytest.raises(Refused) as refused:
        await reset(kernel, first, opened)
    assert refused.value.members["reason"] == "same-hand"
    await reset(kernel, second, opened)


async def test_one_colleagues_factors_are_reset_so_often_and_no_more(kernel: Kernel, first: Actor) -> None:
    assert first.organisation_id
    one, other = [await a_user(kernel, login, first.organisation_id) for login in ("li.si", "wang.wu")]
    for _ in range(service.RESETS_OF_ONE_MAX):
        await reset(kernel, first, one.user_id)
    with pytest.raises(TooMany):
        await reset(kernel, first, one.user_id)
    await reset(kernel, first, other.user_id)


async def test_a_stranger_does_not_use_up_a_colleagues_resets(kernel: Kernel, first: Actor) -> None:
    assert first.organisation_id
    stranger = await a_user(kernel, "stranger", await register(kernel, 2), Role.ADMINISTRATOR)
    member = await a_user(kernel, "li.si", first.organisation_id)
    for _ in range(service.RESETS_OF_ONE_MAX):
        with pytest.raises(NotFound):
            await reset(kernel, stranger, member.user_id)
    await reset(kernel, first, member.user_id)


async def test_one_administrator_resets_so_often_and_no_more(kernel: Kernel, first: Actor) -> None:
    assert first.organisation_id
    members = [await a_user(kernel, f"member{number}", first.organisation_id) for number in range(5)]
    for number in range(service.RESETS_BY_ONE_MAX):
        await reset(kernel, first, members[number % 5].user_id)
    last = await a_user(kernel, "last", first.organisation_id)
    with pytest.raises(TooMany):
        await reset(kernel, first, last.user_id)
