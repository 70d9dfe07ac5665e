"""The hall through a real server and real WebSockets: what the pure tests cannot see."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from kernel.access.actors import Actor, Role
from kernel.clock import SystemClock
from kernel.runtime import Kernel
from market.auctions import service
from market.auctions.lifecycle import MinimumStep
from portal.server import service_up
from registries.organisations.rules import Kind
from tests.builders.logs import captured
from tests.builders.market_auctions import SECOND, World, a_world
from tests.builders.registries import a_user, register


class Site:
    """A running service with one live auction of two hours."""

    def __init__(self, world: World, url: str, auction_id: Any, tokens: list[str], overseers: list[Actor]) -> None:
        self.overseers = overseers
        self.world = world
        self.url = url
        self.auction_id = auction_id
        self.tokens = tokens

    @asynccontextmanager
    async def hall(
        self, who: int | None = None, *, after: int | None = None, visit: str = ""
    ) -> AsyncIterator["Watcher"]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who is not None else {}
        query = f"?visit={visit}" + (f"&after={after}" if after is not None else "")
        url = f"{self.url.replace('http', 'ws', 1)}/api/auctions/{self.auction_id}/hall{query}"
        async with connect(url, additional_headers=headers, compression=None) as socket_:
            yield Watcher(socket_)

    async def visit(self, who: int) -> str:
        """Begin to oversee, saying why; ``who`` is a supervisor."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Idempotency-Key": f"visit-{who}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers) as client:
            answer = await client.post(f"/api/auctions/{self.auction_id}/visits", json={"purpose": "routine"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["visit_id"])


class Watcher:
    """One open connection."""

    def __init__(self, socket_: ClientConnection) -> None:
        self.socket = socket_

    async def frame(self) -> Any:
        async with asyncio.timeout(10):
            return msgspec.json.decode(await self.socket.recv())

    async def until(self, type_: str) -> Any:
        """Read up to the next frame of a type."""
        while (frame := await self.frame())["type"] != type_:
            pass
        return frame

    async def at_version(self, version: int) -> Any:
        """Read up to the frame that shows a version."""
        while (frame := await self.frame()).get("version", 0) < version or frame["type"] == "accepted":
            pass
        return frame

    async def say(self, **message: Any) -> None:
        await self.socket.send(msgspec.json.encode(message).decode())

    async def offer(self, price_fen: int, key: str, **more: Any) -> Any:
        await self.say(type="offer", key=key, price_fen=price_fen, **more)
        while (frame := await self.frame())["type"] not in ("accepted", "refused"):
            pass
        return frame


@pytest.fixture
async def site(make_kernel: Any) -> AsyncIterator[Site]:
    kernel: Kernel = await make_kernel(SystemClock())
    world = await a_world(kernel)
    host = await a_user(kernel, "host", await register(kernel, 50, Kind.PURCHASER), Role.PURCHASER)
    near = await register(kernel, 51, Kind.SUPERVISOR, region="330100")
    far = await register(kernel, 52, Kind.SUPERVISOR, region="330200")
    overseers = [
        await a_user(kernel, "near", near, Role.SUPERVISOR),
        await a_user(kernel, "far", far, Role.SUPERVISOR),
        await a_user(kernel, "colleague", near, Role.SUPERVISOR),
    ]
    actors = [await a_user(kernel, f"seller{n}", world.suppliers[n].organisation_id) for n in range(2)]  # type: ignore[arg-type]
    world = world._replace(purchaser=host)
    terms = world.terms(
        starts_at=kernel.clock.now() + SECOND, duration_s=7_200, step=MinimumStep(amount_fen=1), bidders_min=1
    )
    drafted = await service.create_draft(kernel, world.by(), terms)
    await service.publish(kernel, world.by(), drafted.auction_id)
    tokens = [
        (await kernel.sessions.open(actor.user_id, origin="", user_agent=""))[0]
        for actor in (host, *actors, *overseers)
        if actor.user_id
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own
    async with service_up(kernel, listener) as url:
        site = Site(world, url, drafted.auction_id, tokens, overseers)
        async with site.hall() as early:
            await early.at_version(3)
        yield site


async def test_a_supervisor_of_the_region_sees_every_price_is_noted_and_cannot_offer(site: Site) -> None:
    visit = await site.visit(3)
    with captured() as logs:
        async with (
            site.hall(3, visit=visit) as near,
            site.hall(4, visit=visit) as far,
            site.hall(1) as bidder,
            site.hall() as public,
        ):
            watchers = (near, far, bidder, public)
            snapshots = [await watcher.until("snapshot") for watcher in watchers]
            assert [one["audience"] for one in snapshots] == ["supervisor", "public", "bidder", "public"]
            before = snapshots[3]["version"]
            refused = await near.offer(900_000, "k0")
            await bidder.offer(900_000, "k1")
            await bidder.offer(800_000, "k2")
            seen = [await watcher.at_version(before + 2) for watcher in (near, far, public)]

    assert refused["reason"] == "not-a-bidder"
    assert [one["audience"] for one in logs if one["event"] == "hall.overseen"] == ["supervisor"]
    assert seen[1] == seen[2]
    assert seen[0]["version"] == before + 2  # that somebody oversees it is no version of the auction


async def test_without_a_visit_of_ones_own_a_supervisor_sees_what_everybody_sees(
    site: Site, owner: asyncpg.Connection
) -> None:
    visit = await site.visit(3)
    doors = (
        site.hall(3),
        site.hall(3, visit="nonsense"),
        site.hall(3, visit=str(UUID(int=1))),
        site.hall(5, visit=visit),
    )
    for door in doors:
        async with door as watcher:
            assert (await watcher.until("snapshot"))["audience"] == "public"
    for _ in range(2):  # the line is lost and found: still one visit
        async with site.hall(3, visit=visit) as watcher:
            assert (await watcher.until("snapshot"))["audience"] == "supervisor"

    rows = await owner.fetch("select stream, actor, body from journal where kind = 'oversight.visited'")
    ((stream, actor, body),) = rows
    assert (stream, actor) == (f"oversight/{visit}", site.overseers[0].journal)
    assert json.loads(body)["auction_id"] == str(site.auction_id)


async def test_an_offer_in_the_hall_is_answered_and_shown_to_all(site: Site) -> None:
    async with site.hall(0) as host, site.hall(1) as bidder, site.hall() as public:
        snapshots = [await watcher.until("snapshot") for watcher in (host, bidder, public)]
        assert [snapshot["audience"] for snapshot in snapshots] == ["host", "bidder", "public"]

        answer = await bidder.offer(900_000, "k1")

        assert (answer["type"], answer["version"], answer["rank"]) == ("accepted", 4, 1)
        for watcher in (host, public):
            delta = await watcher.at_version(4)
            assert delta["scene"]["best_fen"] == 900_000
            assert "you" not in delta
        assert (await bidder.at_version(4))["you"]["label"] == 1


async def test_a_lost_connection_resumes_where_it_was_and_an_unanswered_offer_is_recognised(site: Site) -> None:
    async with site.hall(1) as bidder:
        snapshot = await bidder.until("snapshot")
        await bidder.offer(900_000, "k1")
        await bidder.offer(800_000, "k2")

    async with site.hall(1, after=snapshot["version"]) as bidder:
        delta = await bidder.until("delta")
        again = await bidder.offer(900_000, "k1", resent=True)

    assert (delta["after"], delta["version"]) == (3, 5)
    assert [line["price_fen"] for line in delta["offers"]] == [900_000, 800_000]
    assert (again["type"], again["version"]) == ("accepted", 4)


async def test_who_only_watches_gets_its_time_and_no_offer(site: Site) -> None:
    async with site.hall() as public:
        await public.until("snapshot")
        await public.say(type="ping", sent=1.5)
        pong = await public.until("pong")
        refused = await public.offer(900_000, "k1")

    assert pong["sent"] == 1.5
    assert refused["reason"] == "not-a-bidder"


async def test_an_offer_over_http_reaches_the_hall(site: Site) -> None:
    async with site.hall() as public:
        await public.until("snapshot")
        await site.world.offer(site.auction_id, 0, 900_000)

        assert (await public.at_version(4))["scene"]["best_fen"] == 900_000


async def test_an_offer_decided_by_another_process_reaches_the_hall(site: Site, make_kernel: Any) -> None:
    elsewhere = site.world._replace(kernel=await make_kernel(SystemClock()))
    async with site.hall() as public:
        await public.until("snapshot")
        await elsewhere.offer(site.auction_id, 0, 900_000)

        assert (await public.at_version(4))["scene"]["best_fen"] == 900_000


@pytest.mark.parametrize("auction_id", ["nonsense", "019a0000-0000-7000-8000-000000000000"])
async def test_a_stranger_is_told_at_the_door_that_there_is_nothing(site: Site, auction_id: str) -> None:
    site.auction_id = auction_id
    async with site.hall() as stranger:
        problem = await stranger.frame()
        with pytest.raises(ConnectionClosed):
            await stranger.frame()

    assert (problem["frame"], problem["status"]) == ("problem", 404)
