import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2 as httpx
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kernel.access import rates as rates_module
from kernel.access.rates import Pace, Rates, network_of
from kernel.clock import ManualClock, SystemClock
from kernel.engines.locate import redis_program
from kernel.engines.valkey import ValkeyServer
from kernel.metrics import RATE_REFUSALS
from kernel.problems import TooMany
from kernel.runtime import Kernel
from kernel.settings import Settings
from kernel.web.routes import TypedRoute
from portal.app import API, api_document, create_app
from tests.builders.logs import captured
from tests.builders.registries import a_user, register
from tests.conftest import NOON, KernelMaker

SOMEBODY, OTHER = UUID(int=1), UUID(int=2)
FEW = Settings(account_acts_per_min=32, address_acts_per_min=64)
"""A share of the account's budget is one request, that of the address two; one request comes back in 1.875 s."""


def let_through(rates: Rates, times: int, who: UUID = SOMEBODY) -> int:
    """Ask so many times for an account; tell how often it was let through."""
    return sum(rates.accounts[Pace.ACT].spend(who) == 0 for _ in range(times))


async def test_a_budget_may_be_spent_at_once_and_comes_back_evenly(nowhere: Redis, clock: ManualClock) -> None:
    rates = Rates(nowhere, clock, FEW)
    assert let_through(rates, 100) == 32
    assert let_through(rates, 100, OTHER) == 32

    clock.advance(timedelta(seconds=1.875) - timedelta(milliseconds=1))
    assert let_through(rates, 1) == 0
    clock.advance(timedelta(milliseconds=1))
    assert let_through(rates, 5) == 1
    clock.advance(timedelta(seconds=60))
    assert let_through(rates, 100) == 32


async def test_whoever_waits_as_told_is_let_through(nowhere: Redis, clock: ManualClock) -> None:
    rates = Rates(nowhere, clock, FEW)
    let_through(rates, 32)
    with pytest.raises(TooMany) as caught:
        rates.account(Pace.ACT, SOMEBODY)
    assert dict(caught.value.headers) == {
        "Retry-After": "2",
        "RateLimit-Policy": '"account-act";q=32;w=60',
        "RateLimit": '"account-act";r=0;t=2',
    }
    assert caught.value.members == {"retry_after_s": 2, "budget": "account-act"}

    clock.advance(timedelta(seconds=2))
    rates.account(Pace.ACT, SOMEBODY)


async def test_each_kind_has_a_budget_of_its_own_and_the_public_kind_none_of_an_account(
    nowhere: Redis, clock: ManualClock
) -> None:
    rates = Rates(nowhere, clock, FEW)
    let_through(rates, 32)
    for pace in (Pace.READ, Pace.HEAVY, Pace.FRAME):
        rates.account(pace, SOMEBODY)
    for _ in range(100_000):
        rates.account(Pace.PUBLIC, SOMEBODY)
    assert {pace: rate.per_min for pace, rate in rates.accounts.items()} == {
        Pace.READ: 3_000,
        Pace.ACT: 32,
        Pace.HEAVY: 240,
        Pace.FRAME: 6_000,
    }
    assert {pace: rate.per_min for pace, rate in rates.addresses.items()} == {
        Pace.READ: 60_000,
        Pace.ACT: 64,
        Pace.HEAVY: 4_800,
        Pace.PUBLIC: 60_000,
        Pace.FRAME: 120_000,
    }


async def test_processes_spend_one_budget_together_but_for_a_share(redis: Redis, clock: ManualClock) -> None:
    one, other = Rates(redis, clock, FEW), Rates(redis, clock, FEW)
    assert let_through(one, 100) == 32
    await one.tell()

    assert let_through(other, 1) == 1  # a share, before it knows
    await other.tell()
    assert let_through(other, 100) <= 16  # 0, and one more for each 1.875 s that this took

    assert let_through(other, 100, OTHER) == 32
    await other.tell()
    assert let_through(one, 1, OTHER) == 1
    await one.tell()
    assert let_through(one, 100, OTHER) <= 16


async def test_turn_by_turn_processes_let_through_what_one_would(redis: Redis, clock: ManualClock) -> None:
    both = [Rates(redis, clock, FEW), Rates(redis, clock, FEW)]
    through = 0
    for _ in range(64):
        for rates in both:
            through += let_through(rates, 1)
            await rates.tell()

    assert 32 <= through <= 32 + 16  # apart they would let 64 through


async def test_what_a_process_let_through_since_it_told_still_counts(redis: Redis, clock: ManualClock) -> None:
    rate = Rates(redis, clock, FEW).accounts[Pace.ACT]
    for _ in range(5):
        rate.spend(SOMEBODY)
    spent = rate._lately[SOMEBODY]
    assert rate.take(spent) == 5 * 1_875_000
    rate.spend(SOMEBODY)
    rate.learn(spent, 10 * 1_875_000)

    assert spent.until_s == pytest.approx(11 * 1.875)


async def test_a_valkey_that_lost_its_memory_forgives_nothing(redis: Redis, clock: ManualClock) -> None:
    rates = Rates(redis, clock, FEW)
    let_through(rates, 31)
    await rates.tell()
    await redis.flushdb()
    let_through(rates, 1)
    await rates.tell()

    assert let_through(rates, 10) == 0


async def test_what_valkey_keeps_goes_by_itself(redis: Redis, clock: ManualClock) -> None:
    rates = Rates(redis, clock, FEW)
    let_through(rates, 32)
    await rates.tell()

    assert await redis.keys("*") == [f"zhecai:rate:account-act:{SOMEBODY}".encode()]
    assert 0 < await redis.pttl(f"zhecai:rate:account-act:{SOMEBODY}") <= 60_000


async def test_little_is_not_told_at_all(redis: Redis, clock: ManualClock) -> None:
    rates = Rates(redis, clock, FEW)
    rates.address(Pace.ACT, "192.0.2.1")
    await rates.tell()
    assert await redis.keys("*") == []

    rates.address(Pace.ACT, "192.0.2.1")
    await rates.tell()
    assert await redis.keys("*") == [b"zhecai:rate:address-act:192.0.2.1"]


async def test_more_is_told_than_goes_into_one_message(
    redis: Redis, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates_module, "TOLD_AT_ONCE_MAX", 3)
    rates = Rates(redis, clock, FEW)
    for number in range(10):
        let_through(rates, 1, UUID(int=number))
    await rates.tell()

    assert len(await redis.keys("*")) == 10


async def test_without_valkey_each_process_decides_by_itself(nowhere: Redis, clock: ManualClock) -> None:
    rates = Rates(nowhere, clock, FEW)
    through = 0
    for _ in range(40):
        through += let_through(rates, 1)
        if rates._waiting:
            with pytest.raises(RedisError):
                await rates.tell()

    assert through == 32


async def test_it_tells_by_itself_and_again_when_valkey_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates_module, "RETRY_S", 0.001)
    with ValkeyServer(redis_program(), tmp_path / "valkey") as server:
        url = server.url
        server.stop()
        async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as redis:
            rates = Rates(redis, SystemClock(), Settings(address_acts_per_min=10_000_000))
            await rates.open()
            with captured() as logs:
                for number in range(3):
                    await spend_a_share(rates, f"192.0.2.{number}")
            server.start()
            async with asyncio.timeout(30):
                while not await redis.keys("*"):
                    await spend_a_share(rates, "192.0.2.9")
            await rates.close()
    assert [entry["event"] for entry in logs] == ["rates.redis_away"]


async def spend_a_share(rates: Rates, origin: str) -> None:
    """Let a share through and wait until the teller has taken it."""
    for _ in range(rates.addresses[Pace.ACT].per_min // rates_module.SHARES):
        rates.address(Pace.ACT, origin)
    while rates._waiting:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)


async def test_what_is_remembered_is_bounded_and_whoever_keeps_coming_is_not_forgotten(
    nowhere: Redis, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates_module, "REMEMBERED_MAX", 10)
    rate = Rates(nowhere, clock, FEW).accounts[Pace.ACT]
    through = 0
    for number in range(500):
        rate.spend(UUID(int=1_000 + number))
        through += rate.spend(SOMEBODY) == 0
        assert rate.remembered <= 20

    assert through == 32


async def test_whoever_stays_away_for_two_windows_is_forgotten(nowhere: Redis, clock: ManualClock) -> None:
    rate = Rates(nowhere, clock, FEW).accounts[Pace.ACT]
    for number in range(100):
        rate.spend(UUID(int=number))
    for _ in range(2):
        clock.advance(timedelta(seconds=60))
        rate.spend(UUID(int=1_000 + _))

    assert rate.remembered == 2


async def test_what_waits_to_be_told_is_bounded_too(
    nowhere: Redis, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates_module, "WAITING_MAX", 10)
    rates = Rates(nowhere, clock, FEW)
    for number in range(50):
        let_through(rates, 2, UUID(int=number))

    assert len(rates._waiting) == 10
    assert let_through(rates, 100, UUID(int=49)) == 30


@pytest.mark.parametrize(
    ("origin", "network"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("local", "local"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(origin: str, network: str) -> None:
    assert network_of(origin) == network


async def test_addresses_of_one_ipv6_network_share_a_budget(nowhere: Redis, clock: ManualClock) -> None:
    rates = Rates(nowhere, clock, FEW)
    for number in range(64):
        rates.address(Pace.ACT, f"2001:db8::{number:x}")
    with pytest.raises(TooMany):
        rates.address(Pace.ACT, "2001:db8::ffff")
    rates.address(Pace.ACT, "2001:db8:0:1::1")
    rates.address(Pace.ACT, "192.0.2.1")


SMALL = {
    "account_reads_per_min": 3,
    "address_reads_per_min": 5,
    "address_acts_per_min": 2,
    "address_public_per_min": 2,
    "address_heavy_per_min": 1,
}


def a_client(kernel: Kernel, address: str = "192.0.2.7") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(kernel), client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def token_of(kernel: Kernel, number: int) -> dict[str, str]:
    user = await a_user(kernel, f"zhang{number}", await register(kernel, number))
    token, _ = await kernel.sessions.open(user.user_id, origin="test", user_agent="test")
    return {"Authorization": f"Bearer {token}"}


async def test_an_account_that_asks_too_often_is_told_how_long_to_wait(make_kernel: KernelMaker) -> None:
    kernel = await make_kernel(**SMALL)
    one, other = await token_of(kernel, 1), await token_of(kernel, 2)
    refused = RATE_REFUSALS.labels("account-read")._value.get()
    async with a_client(kernel) as client, a_client(kernel, "192.0.2.8") as elsewhere:
        for _ in range(3):
            assert (await client.get("/api/regions", headers=one)).status_code == 200
        answer = await client.get("/api/regions", headers=one)
        english = await elsewhere.get("/api/regions", headers={**one, "Accept-Language": "en"})
        assert (await elsewhere.get("/api/regions", headers=other)).status_code == 200

    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
    assert answer.headers["retry-after"] == "20"
    problem = answer.json()
    assert (problem["type"], problem["budget"], problem["retry_after_s"]) == ("/problems/too-many", "account-read", 20)
    assert problem["detail"] == "您的操作过于频繁，请在 20 秒后再试。"
    assert english.json()["detail"] == "Too many requests of your account; try again in 20 seconds."
    assert RATE_REFUSALS.labels("account-read")._value.get() == refused + 2


async def test_an_address_that_asks_too_often_is_refused_whoever_asks_and_others_are_not(
    make_kernel: KernelMaker,
) -> None:
    kernel = await make_kernel(**SMALL)
    somebody = await token_of(kernel, 1)
    async with a_client(kernel) as client, a_client(kernel, "192.0.2.8") as elsewhere:
        for _ in range(5):
            assert (await client.get("/api/regions")).status_code == 200
        for headers in ({}, somebody):
            assert (await client.get("/api/regions", headers=headers)).json()["budget"] == "address-read"
        assert (await elsewhere.get("/api/regions", headers=somebody)).status_code == 200
        heavy = [(await client.get("/api/products")).status_code for _ in range(2)]
        wrong = [(await client.post("/api/sessions", json={})).status_code for _ in range(3)]

    assert heavy == [200, 429]
    assert wrong == [422, 422, 429]


async def test_pages_and_tiles_count_as_public_and_health_not_at_all(make_kernel: KernelMaker) -> None:
    kernel = await make_kernel(**SMALL)
    async with a_client(kernel) as client:
        paths = ["/problems/invalid", "/checkpoint", "/api/openapi.json", "/orders", "/nothing.js", "/tile/0/000"]
        answers = [await client.get(path) for path in paths]
        assert (await client.get("/api/regions")).status_code == 200
        health = [(await client.get(path)).status_code for path in ("/healthz", "/metrics") * 5]

    assert [answer.status_code for answer in answers[2:]] == [429] * 4
    assert {answer.json()["budget"] for answer in answers[2:]} == {"address-public"}
    assert 429 not in {answer.status_code for answer in answers[:2]}
    assert set(health) == {200}


async def test_a_write_that_was_refused_for_coming_too_often_may_be_sent_again_with_its_key(
    make_kernel: KernelMaker,
) -> None:
    clock = ManualClock(NOON)
    kernel = await make_kernel(clock, account_acts_per_min=1)
    await kernel.rates.close()  # Valkey goes by its own clock, which nobody turns
    headers = {**await token_of(kernel, 1), "Idempotency-Key": "one"}
    path = f"/api/offers/{SOMEBODY}/shelve"
    async with a_client(kernel) as client:
        codes = [(await client.post(path, json={}, headers=headers)).status_code for _ in range(2)]
        clock.advance(timedelta(seconds=60))
        codes.append((await client.post(path, json={}, headers=headers)).status_code)

    assert codes == [404, 429, 404]


async def test_an_upload_too_many_is_refused_before_it_is_read(make_kernel: KernelMaker) -> None:
    kernel = await make_kernel(account_heavy_per_min=1)
    headers = {**await token_of(kernel, 1), "Idempotency-Key": "one"}
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1_000

    async with a_client(kernel) as client:
        assert (await client.post("/api/pictures", content=b"nothing", headers=headers)).status_code == 422
        answer = await client.post("/api/pictures", content=endless(), headers=headers)

    assert (answer.status_code, answer.json()["budget"]) == (429, "account-heavy")
    assert read <= 1


def test_every_operation_documents_that_it_may_be_asked_too_often() -> None:
    found = [responses["responses"]["429"] for path in api_document()["paths"].values() for responses in path.values()]

    assert len(found) == sum(isinstance(route, TypedRoute) for route in API)
    assert all("too-many" in one["description"] and "Retry-After" in one["headers"] for one in found)


def test_what_takes_long_counts_as_heavy() -> None:
    paces = {(o.method, o.path): o.pace for o in (route.operation for route in API if isinstance(route, TypedRoute))}

    heavy = {path for (_, path), pace in paces.items() if pace is Pace.HEAVY}
    assert heavy >= {
        "/api/auctions/{auction_id}/record.pdf",
        "/api/auctions/{auction_id}/signings",
        "/api/log/entries",
        "/api/log/entries.csv",
        "/api/orders/export",
        "/api/pictures",
        "/api/products",
        "/api/products/facets",
        "/api/signings/{signing_id}/document.pdf",
        "/api/signings/{signing_id}/preparation",
        "/api/signings/{signing_id}/signature",
    }
    assert paces["POST", "/api/auctions/{auction_id}/offers"] is Pace.ACT
    assert paces["GET", "/api/pictures/{digest}"] is Pace.PUBLIC
    assert {pace for (method, _), pace in paces.items() if method == "GET"} == {Pace.READ, Pace.HEAVY, Pace.PUBLIC}
