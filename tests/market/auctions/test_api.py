import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest

from kernel.access.actors import Actor, Role
from kernel.clock import ManualClock
from kernel.db.database import Database
from kernel.runtime import Kernel
from market.auctions.lifecycle import AuctionTerms
from market.auctions.worker import run_due
from portal.app import create_app, load_actor
from registries.organisations.rules import Kind
from tests.builders.market_auctions import MINUTE, some_terms
from tests.builders.registries import a_user, register
from tests.conftest import NOON, KernelMaker

_keys = itertools.count()


class Person:
    """Somebody with an account, asking over HTTP."""

    def __init__(self, client: httpx2.AsyncClient, actor: Actor | None, token: str | None) -> None:
        self.client = client
        self.actor = actor
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, status: int = 200) -> Any:
        response = await self.client.get(path, headers=self.headers)
        assert response.status_code == status, response.text
        return response.json()

    async def send(self, method: str, path: str, body: Any = None, status: int = 200, key: str = "") -> Any:
        headers = {**self.headers, "Idempotency-Key": key or f"key-{next(_keys)}"}
        content = msgspec.json.encode(body) if body is not None else b""
        response = await self.client.request(method, path, content=content, headers=headers)
        assert response.status_code == status, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, status: int = 200, key: str = "") -> Any:
        return await self.send("POST", path, body, status, key)


class Town:
    """A purchaser, three suppliers and the public."""

    def __init__(self, kernel: Kernel, client: httpx2.AsyncClient) -> None:
        self.kernel = kernel
        self.client = client
        self.public = Person(client, None, None)

    async def settle(self) -> "Town":
        self.purchaser = await self._person("buyer", 1, Kind.PURCHASER, Role.PURCHASER)
        self.suppliers = [
            await self._person(f"seller{number}", number, Kind.SUPPLIER, Role.SUPPLIER) for number in (2, 3, 4)
        ]
        return self

    async def _person(self, login: str, number: int, kind: Kind, role: Role) -> Person:
        actor = await a_user(self.kernel, login, await register(self.kernel, number, kind), role)
        assert actor.user_id
        token, _ = await self.kernel.sessions.open(actor.user_id, origin="192.0.2.1", user_agent="test")
        return Person(self.client, actor, token)

    def terms(self, **changes: Any) -> AuctionTerms:
        invited = tuple(each.actor.organisation_id for each in self.suppliers if each.actor)
        return some_terms(**{"invited": invited, "starts_at": self.kernel.clock.now() + MINUTE, **changes})

    async def pass_time(self, minutes: float) -> None:
        assert isinstance(self.kernel.clock, ManualClock)
        self.kernel.clock.advance(MINUTE * minutes)
        await run_due(self.kernel)

    async def live(self) -> str:
        drafted = await self.purchaser.post("/api/auctions", self.terms(), 201)
        await self.purchaser.post(f"/api/auctions/{drafted['auction_id']}/publish")
        await self.pass_time(1)
        return str(drafted["auction_id"])


@pytest.fixture
async def town(kernel: Kernel, client: httpx2.AsyncClient) -> Town:
    return await Town(kernel, client).settle()


async def test_a_whole_auction_over_http(town: Town) -> None:
    drafted = await town.purchaser.post("/api/auctions", town.terms(), 201)
    path = f"/api/auctions/{drafted['auction_id']}"
    await town.purchaser.send("PUT", path, town.terms(title="显示器 20 台", duration_s=1_200))
    assert (await town.purchaser.post(f"{path}/publish"))["stage"] == "published"
    await town.pass_time(1)
    for number, price_fen in enumerate((900_000, 800_000, 850_000)):
        accepted = await town.suppliers[number].post(f"{path}/offers", {"price_fen": price_fen}, 201)
        assert accepted["version"] == 5 + number
    await town.purchaser.post(f"{path}/pause", {"reason": "查询"})
    assert (await town.purchaser.post(f"{path}/resume", {}))["stage"] == "live"
    await town.pass_time(21)
    assert (await town.purchaser.post(f"{path}/award", {"reason": "最低价"}))["stage"] == "awarded"

    detail = await town.public.get(path)
    record = await town.public.get(f"{path}/record")
    listed = await town.public.get("/api/auctions?scope=ended&stage=awarded&q=显示器")

    assert (detail["winner"], detail["awarded_fen"], detail["stage"]) == ("测试单位3", 800_000, "awarded")
    assert [line["kind"] for line in record["items"]][-3:] == ["auction.resumed", "auction.closed", "auction.awarded"]
    assert [row["auction_id"] for row in listed["items"]] == [drafted["auction_id"]]


async def test_each_side_may_do_its_own_and_no_more(town: Town) -> None:
    auction_id = await town.live()
    path = f"/api/auctions/{auction_id}"

    await town.purchaser.post(f"{path}/offers", {"price_fen": 900_000}, 403)
    await town.suppliers[0].post("/api/auctions", town.terms(), 403)
    await town.suppliers[0].post(f"{path}/pause", {"reason": "查询"}, 403)
    await town.public.post(f"{path}/offers", {"price_fen": 900_000}, 401)
    assert (await town.suppliers[0].get(path))["you"]["highest_allowed_fen"] == 1_000_000
    assert (await town.public.get(path))["you"] is None


async def test_a_refusal_is_a_problem_with_its_reason(town: Town) -> None:
    auction_id = await town.live()
    path = f"/api/auctions/{auction_id}"

    above = await town.suppliers[0].post(f"{path}/offers", {"price_fen": 1_000_001}, 409)
    early = await town.purchaser.post(f"{path}/award", {}, 409)
    closed = await town.public.get(f"{path}/record", 409)

    assert (above["reason"], above["highest_allowed_fen"]) == ("above-ceiling", 1_000_000)
    assert (early["reason"], early["stage"]) == ("wrong-stage", "live")
    assert closed["reason"] == "not-closed"
    await town.purchaser.post(f"{path}/fail", {"reason": "不再采购"}, 409)
    await town.purchaser.post(f"{path}/withdraw", {"reason": "不再采购"}, 409)


async def test_the_same_key_is_one_offer_and_another_body_under_it_is_a_conflict(town: Town) -> None:
    auction_id = await town.live()
    path = f"/api/auctions/{auction_id}/offers"

    first = await town.suppliers[0].post(path, {"price_fen": 900_000}, 201, "k1")
    await town.suppliers[0].post(path, {"price_fen": 800_000}, 201, "k2")

    assert await town.suppliers[0].post(path, {"price_fen": 900_000}, 201, "k1") == first
    await town.suppliers[0].post(path, {"price_fen": 700_000}, 409, "k2")
    await town.suppliers[0].post(path, {"price_fen": 700_000}, 422, "k" * 65)
    assert (await town.public.get(f"/api/auctions/{auction_id}"))["offers"] == 2


async def test_a_punctual_offer_stays_punctual_however_long_its_session_is_looked_up(
    make_kernel: KernelMaker,
) -> None:
    clock = ManualClock(NOON)
    slow = timedelta(0)

    async def slowly(database: Database, user_id: UUID) -> Actor | None:
        clock.advance(slow)
        return await load_actor(database, user_id)

    kernel = await make_kernel(clock, actors=slowly, session_idle_s=7_200)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=create_app(kernel)), base_url="http://test"
    ) as client:
        town = await Town(kernel, client).settle()
        path = f"/api/auctions/{await town.live()}"
        closes_at = datetime.fromisoformat((await town.public.get(path))["closes_at"])
        clock.advance(closes_at - clock.now() - timedelta(milliseconds=1))
        slow = timedelta(seconds=1)  # longer than is left
        accepted = await town.suppliers[0].post(f"{path}/offers", {"price_fen": 900_000}, 201)
        clock.advance(datetime.fromisoformat(accepted["closes_at"]) - clock.now())
        late = await town.suppliers[1].post(f"{path}/offers", {"price_fen": 890_000}, 409)

    assert clock.now() > closes_at
    assert accepted["rank"] == 1
    assert late["reason"] == "closed"


async def test_what_is_not_there_is_not_found(town: Town) -> None:
    await town.public.get("/api/auctions/019a0000-0000-7000-8000-000000000000", 404)
    await town.public.get("/api/auctions/nonsense", 404)
    drafted = await town.purchaser.post("/api/auctions", town.terms(), 201)
    await town.public.get(f"/api/auctions/{drafted['auction_id']}", 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ceiling_fen": 0}, "ceiling_fen"),
        ({"duration_s": 9}, "duration_s"),
        ({"duration_s": 604_801}, "duration_s"),
        ({"items": []}, "items"),
        ({"title": "x"}, "title"),
        ({"starts_at": "2026-11-23T12:00:00"}, "starts_at"),
        ({"step": {"ratio_bp": 5_001}}, "step.ratio_bp"),
        ({"visibility": "all"}, "visibility"),
        ({"surprise": 1}, "body"),
        ({"step": {}}, "terms"),
    ],
)
async def test_terms_out_of_range_are_invalid_and_name_the_field(
    town: Town, change: dict[str, Any], field: str
) -> None:
    body = {**msgspec.to_builtins(town.terms()), **change}

    problem = await town.purchaser.post("/api/auctions", body, 422)

    assert problem["field"] == field
