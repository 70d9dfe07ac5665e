"""Visits to running halls over HTTP: begun with a reason, kept once, and read by the auditors of the region."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx2
import pytest

from kernel.access.actors import OVERSEERS, Actor, Role
from kernel.live.audience import PUBLIC, SUPERVISOR
from kernel.runtime import Kernel
from market.auctions.service import AUCTION
from market.oversight import service
from market.oversight.rules import VISIT
from portal.app import create_app
from registries.organisations.rules import Kind
from tests.builders.market_auctions import a_world
from tests.builders.registries import a_user, register


class Stage(NamedTuple):
    """A published auction in Hangzhou's Shangcheng, and who looks at it."""

    kernel: Kernel
    client: httpx2.AsyncClient
    auction_id: UUID
    near: Actor
    far: Actor
    auditor: Actor
    far_auditor: Actor

    async def ask(self, actor: Actor, method: str, path: str, body: Any = None, key: str = "k") -> httpx2.Response:
        token, _ = await self.kernel.sessions.open(actor.user_id, origin="test", user_agent="test")  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        return await self.client.request(method, path, headers=headers, **({"json": body} if body else {}))

    async def visit(self, actor: Actor, key: str = "k", **body: Any) -> httpx2.Response:
        return await self.ask(
            actor, "POST", f"/api/auctions/{self.auction_id}/visits", {"purpose": "routine"} | body, key
        )


@pytest.fixture
async def stage(kernel: Kernel) -> AsyncIterator[Stage]:
    world = await a_world(kernel)
    auction_id = await world.published()
    people = []
    for number, (kind, role, region) in enumerate(
        (
            (Kind.SUPERVISOR, Role.SUPERVISOR, "330100"),
            (Kind.SUPERVISOR, Role.SUPERVISOR, "330200"),
            (Kind.AUDITOR, Role.AUDITOR, "330000"),
            (Kind.AUDITOR, Role.AUDITOR, "330200"),
        ),
        600,
    ):
        people.append(await a_user(kernel, f"overseer{number}", await register(kernel, number, kind, region), role))
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Stage(kernel, client, auction_id, *people)


async def test_a_visit_is_one_entry_that_the_auditors_of_the_region_read(
    stage: Stage, owner: asyncpg.Connection
) -> None:
    begun, again = [await stage.visit(stage.near, purpose="complaint", note="第12号投诉") for _ in range(2)]
    assert (begun.status_code, begun.json()) == (201, again.json())
    stage.kernel.clock.advance(timedelta(milliseconds=1))  # type: ignore[attr-defined]
    other = await stage.visit(stage.auditor, key="k2")
    assert other.status_code == 201
    assert await owner.fetchval("select count(*) from journal where kind = 'oversight.visited'") == 2

    path = "/api/oversight/visits"
    listed = (await stage.ask(stage.auditor, "GET", path)).json()["items"]
    assert [(one["name"], one["purpose"], one["note"]) for one in listed] == [
        ("测试员", "routine", ""),
        ("测试员", "complaint", "第12号投诉"),
    ]
    assert {one["auction_id"] for one in listed} == {str(stage.auction_id)}
    assert (await stage.ask(stage.far_auditor, "GET", path)).json()["items"] == []
    assert (await stage.ask(stage.near, "GET", path)).status_code == 403
    first = (await stage.ask(stage.auditor, "GET", f"{path}?limit=1")).json()
    second = (await stage.ask(stage.auditor, "GET", f"{path}?limit=1&cursor={first['next']}")).json()
    assert [*first["items"], *second["items"]] == listed
    elsewhere = (await stage.ask(stage.auditor, "GET", f"{path}?auction_id={UUID(int=1)}")).json()
    assert elsewhere["items"] == []
    own = (await stage.ask(stage.auditor, "GET", f"{path}?auction_id={stage.auction_id}")).json()
    assert own["items"] == listed


async def test_the_log_search_of_an_auditor_finds_it(stage: Stage) -> None:
    visit_id = (await stage.visit(stage.near)).json()["visit_id"]
    await stage.kernel.transparency.step()
    found = (await stage.ask(stage.auditor, "GET", "/api/log/entries?kind=oversight")).json()["items"]
    assert [(one["stream"], one["kind"], one["actor"]) for one in found] == [
        (f"oversight/{visit_id}", "oversight.visited", stage.near.journal)
    ]


async def test_an_auction_of_another_region_is_not_there(stage: Stage) -> None:
    assert (await stage.visit(stage.far)).status_code == 404


async def test_a_visit_without_a_reason_is_refused(stage: Stage) -> None:
    refused = await stage.visit(stage.near, purpose="other")
    assert (refused.status_code, refused.json()["reason"]) == (409, "note-needed")
    assert (await stage.visit(stage.near, purpose="curiosity")).status_code == 422


async def test_an_auctions_version_does_not_tell_that_somebody_looks(stage: Stage) -> None:
    before = await AUCTION.load(stage.kernel.db.pool, [stage.auction_id])
    await stage.visit(stage.near)
    assert await AUCTION.load(stage.kernel.db.pool, [stage.auction_id]) == before


async def test_who_visits_too_often_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "VISITS_MAX", 2)
    answers = [(await stage.visit(stage.near, key=f"k{number}")).status_code for number in range(3)]
    assert answers == [201, 201, 429]


async def test_the_door_shows_all_to_who_is_visiting_and_oversees(stage: Stage) -> None:
    visit_id = (await stage.visit(stage.near)).json()["visit_id"]
    auction = (await AUCTION.load(stage.kernel.db.pool, [stage.auction_id]))[stage.auction_id].state

    async def seen_as(actor: Actor, visit: str | None) -> Any:
        return await service.audience_at(stage.kernel, actor, stage.auction_id, auction, visit)

    assert await seen_as(stage.near, visit_id) == SUPERVISOR
    for actor, visit in ((stage.near, None), (stage.near, "x"), (stage.far, visit_id), (stage.auditor, visit_id)):
        assert await seen_as(actor, visit) == PUBLIC
    moved = Actor(stage.near.user_id, "a", "b", stage.near.organisation_id, "c", "330200", OVERSEERS)
    assert await seen_as(moved, visit_id) == PUBLIC  # the region has been taken away since
    stage.kernel.clock.advance(VISIT)  # type: ignore[attr-defined]
    assert await seen_as(stage.near, visit_id) == PUBLIC
