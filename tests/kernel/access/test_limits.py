import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2 as httpx
import pytest
from redis.asyncio import Redis

from kernel.access import limits as limits_module
from kernel.access.limits import Limits
from kernel.clock import ManualClock
from kernel.problems import TooMany
from kernel.runtime import Kernel
from portal.app import create_app
from registries.users.service import ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_ADDRESS, WINDOW_S
from tests.builders.registries import PASSWORD, a_user, register

GUESS = "wrong password"


async def hits(limits: Limits, name: str, times: int, limit: int = 3) -> int:
    """Hit so many times; tell how many were let through."""
    found = await asyncio.gather(*(limits.hit(name, limit, 60) for _ in range(times)), return_exceptions=True)
    assert {type(one) for one in found} <= {type(None), TooMany}
    return found.count(None)


async def test_so_many_are_let_through_and_not_one_more_with_and_without_redis(
    redis: Redis, nowhere: Redis, clock: ManualClock
) -> None:
    for where in (redis, nowhere):
        await check_that_three_are_let_through(Limits(where, clock))


async def check_that_three_are_let_through(limits: Limits) -> None:
    assert await hits(limits, "a", 20) == 3
    assert await hits(limits, "b", 2) == 2
    with pytest.raises(TooMany) as caught:
        await limits.hit("a", 3, 60)
    left_s = caught.value.members["retry_after_s"]
    assert caught.value.headers == {"Retry-After": str(left_s)}
    assert isinstance(left_s, int)
    assert 1 <= left_s <= 60


async def test_processes_count_together(redis: Redis, clock: ManualClock) -> None:
    assert await hits(Limits(redis, clock), "a", 2) + await hits(Limits(redis, clock), "a", 2) == 3


async def test_a_window_ends_in_redis(redis: Redis, clock: ManualClock) -> None:
    limits = Limits(redis, clock)
    await hits(limits, "a", 5)
    assert 0 < await redis.pttl("zhecai:limit:a") <= 60_000
    await redis.pexpire("zhecai:limit:a", 1)
    await asyncio.sleep(0.01)

    assert await hits(limits, "a", 5) == 3


async def test_a_window_ends_on_the_stroke_without_redis(nowhere: Redis, clock: ManualClock) -> None:
    limits = Limits(nowhere, clock)
    await hits(limits, "a", 5)
    clock.advance(timedelta(seconds=60) - timedelta(microseconds=1))
    assert await hits(limits, "a", 1) == 0
    clock.advance(timedelta(microseconds=1))
    assert await hits(limits, "a", 5) == 3


async def test_what_is_counted_without_redis_is_bounded_and_the_latest_still_count(
    nowhere: Redis, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_module, "_REMEMBERED_MAX", 10)
    limits = Limits(nowhere, clock)
    for number in range(50):
        await hits(limits, str(number), 1)
    assert len(limits._local) == 10
    assert await hits(limits, "49", 5) == 2

    clock.advance(timedelta(seconds=61))
    await hits(limits, "later", 1)
    assert set(limits._local) == {"later"}


@pytest.fixture
async def client(kernel: Kernel) -> AsyncIterator[httpx.AsyncClient]:
    await a_user(kernel, "zhang", await register(kernel, 1))
    transport = httpx.ASGITransport(app=create_app(kernel), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


async def log_in(client: httpx.AsyncClient, login: str, password: str = GUESS) -> httpx.Response:
    return await client.post("/api/sessions", json={"login": login, "password": password})


async def test_guessing_at_one_account_is_stopped_even_with_the_right_password_at_last(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(ATTEMPTS_PER_ACCOUNT):
        assert (await log_in(client, "zhang")).status_code == 401

    answer = await log_in(client, "ZHANG ", PASSWORD)

    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= WINDOW_S


async def test_guessing_at_many_accounts_from_one_address_is_stopped(
    kernel: Kernel, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registries.users.service.ATTEMPTS_PER_ADDRESS", 3)
    for number in range(3):
        assert (await log_in(client, f"nobody{number}")).status_code == 401

    assert (await log_in(client, "zhang", PASSWORD)).status_code == 429
    elsewhere = httpx.ASGITransport(app=create_app(kernel), client=("192.0.2.8", 1))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://test") as other:
        assert (await log_in(other, "zhang", PASSWORD)).status_code == 201
    assert ATTEMPTS_PER_ADDRESS > ATTEMPTS_PER_ACCOUNT


async def test_whoever_is_forgotten_may_begin_anew_with_and_without_redis(
    redis: Redis, nowhere: Redis, clock: ManualClock
) -> None:
    for where in (redis, nowhere):
        limits = Limits(where, clock)
        await hits(limits, "a", 5)
        await hits(limits, "b", 5)
        await limits.forget("a")
        await limits.forget("never counted")

        assert await hits(limits, "a", 5) == 3
        assert await hits(limits, "b", 5) == 0
