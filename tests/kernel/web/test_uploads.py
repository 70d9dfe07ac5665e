"""Bodies that are no JSON, answers that never change, and the moment at which a request was received."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2 as httpx
import msgspec
import pytest
from starlette.applications import Starlette

from kernel.access.actors import Actor, Role
from kernel.access.table import Action
from kernel.clock import ManualClock
from kernel.db.database import Database
from kernel.runtime import Kernel
from kernel.web.context import Context
from kernel.web.edge import HANDLERS, Edge
from kernel.web.openapi import document
from kernel.web.routes import Asset, Upload, op
from tests.conftest import NOON, KernelMaker

HOW: dict[str, Any] = {"action": Action.SYSTEM_READ, "tag": "test", "summary": "test"}
LIMIT = 2_000
DAY_AND_TIME = "2026-11-23T01:00:0{}Z"


class In(msgspec.Struct):
    name: str


class Out(msgspec.Struct):
    said: Any


@op("POST", "/api/typed", keyless=True, **HOW)
async def typed(ctx: Context, body: In) -> Out:
    return Out([body.name, ctx.received_at])


@op("POST", "/api/upload", keyless=True, body_bytes_max=LIMIT, takes=("image/png",), **HOW)
async def upload(ctx: Context, body: Upload) -> Out:
    return Out([body.hex(), ctx.received_at])


@op("POST", "/api/own", keyless=True, **{**HOW, "action": Action.ORDER_PLACE})
async def own_upload(_ctx: Context, body: Upload) -> Out:
    return Out(len(body))


@op("GET", "/api/asset", **HOW)
async def asset(_ctx: Context) -> Asset:
    return Asset(b"\x00\x01", "image/webp", "abc")


ROUTES = [typed, upload, own_upload, asset]


async def somebody(_: Database, user_id: UUID) -> Actor | None:
    return Actor(user_id, "somebody", "某人", None, "", "", (Role.PURCHASER,))


def client_of(kernel: Kernel) -> httpx.AsyncClient:
    app = Starlette(routes=ROUTES, exception_handlers=HANDLERS)
    app.state.kernel = kernel
    transport = httpx.ASGITransport(app=Edge(app, clock=kernel.clock))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def client(make_kernel: KernelMaker) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(await make_kernel(actors=somebody)) as found:
        yield found


async def test_an_upload_is_taken_as_the_bytes_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/upload", content=b"\x00\xff{", headers={"Content-Type": "image/png"})

    assert answer.json()["said"] == ["00ff7b", DAY_AND_TIME.format(0)]
    assert (await client.post("/api/upload", content=b"")).json()["said"][0] == ""


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
async def test_an_upload_has_a_limit_of_its_own(client: httpx.AsyncClient, size: int, status: int) -> None:
    assert (await client.post("/api/upload", content=b"x" * size)).status_code == status


async def test_who_may_not_send_an_upload_is_told_so_before_it_is_read(client: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1_000

    assert (await client.post("/api/own", content=endless())).status_code == 401
    assert read <= 1


async def test_an_asset_is_kept_for_a_year_and_anything_else_not_at_all(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/asset")

    assert (answer.content, answer.headers["content-type"]) == (b"\x00\x01", "image/webp")
    assert answer.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    other = await client.post("/api/typed", json={"name": "a"})
    assert other.headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize(("known", "status"), [('"abc"', 304), ('"x", W/"abc"', 304), ('"ab"', 200), ("", 200)])
async def test_an_asset_that_the_caller_has_is_not_sent_again(
    client: httpx.AsyncClient, known: str, status: int
) -> None:
    answer = await client.get("/api/asset", headers={"If-None-Match": known})

    assert (answer.status_code, answer.headers["etag"]) == (status, '"abc"')
    assert bool(answer.content) == (status == 200)


def test_uploads_and_assets_are_described_as_files() -> None:
    paths = document(ROUTES, title="t", version="1")["paths"]

    assert paths["/api/upload"]["post"]["requestBody"] == {"required": True, "content": {"image/png": {}}}
    assert paths["/api/asset"]["get"]["responses"]["200"]["content"] == {"application/octet-stream": {}}


async def test_finding_out_whose_a_request_is_makes_it_no_later(make_kernel: KernelMaker) -> None:
    clock = ManualClock(NOON)

    async def slowly(database: Database, user_id: UUID) -> Actor | None:
        clock.advance(timedelta(seconds=3))
        return await somebody(database, user_id)

    kernel = await make_kernel(clock, actors=slowly)
    token, _ = await kernel.sessions.open(UUID(int=1), origin="test", user_agent="test")
    async with client_of(kernel) as client:
        answer = await client.post("/api/typed", json={"name": "a"}, headers={"Authorization": f"Bearer {token}"})

    assert clock.now() == NOON + timedelta(seconds=3)
    assert answer.json()["said"][1] == DAY_AND_TIME.format(0)


@pytest.mark.parametrize("path", ["/api/typed", "/api/upload"])
async def test_a_request_was_received_when_its_last_byte_was(make_kernel: KernelMaker, path: str) -> None:
    clock = ManualClock(NOON)
    kernel = await make_kernel(clock, actors=somebody)

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"name": '
        clock.advance(timedelta(seconds=2))
        yield b'"a"}'

    async with client_of(kernel) as client:
        answer = await client.post(path, content=slowly())

    assert answer.json()["said"][1] == DAY_AND_TIME.format(2)
