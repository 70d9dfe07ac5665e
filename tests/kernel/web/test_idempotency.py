"""A write over HTTP, asked more than once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2 as httpx
import msgspec
import pytest
from starlette.applications import Starlette

from kernel.access.table import Action
from kernel.commit.command import Command
from kernel.problems import Refused
from kernel.runtime import Kernel
from kernel.web.context import Context
from kernel.web.edge import HANDLERS, Edge
from kernel.web.routes import op
from tests.builders.stock import DDL, fill, journal, take
from tests.conftest import KernelMaker


class TakeIn(msgspec.Struct, forbid_unknown_fields=True):
    by: str


class LeftOut(msgspec.Struct):
    left: int


@op("POST", "/api/take", action=Action.SYSTEM_READ, tag="test", summary="test", status=201, problems=(Refused,))
async def take_one(ctx: Context, body: TakeIn) -> LeftOut:
    command: Command[Any] = take(body.by, key=ctx.key)
    return LeftOut(await ctx.kernel.committer.submit(command))


def a_client(kernel: Kernel) -> httpx.AsyncClient:
    app = Starlette(routes=[take_one], exception_handlers=HANDLERS)
    app.state.kernel = kernel
    transport = httpx.ASGITransport(app=Edge(app, clock=kernel.clock))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def stocked(kernel: Kernel, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    await kernel.committer.submit(fill(3))
    return kernel


@pytest.fixture
async def client(stocked: Kernel) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(stocked) as found:
        yield found


async def ask(client: httpx.AsyncClient, by: str, key: str) -> httpx.Response:
    return await client.post("/api/take", json={"by": by}, headers={"Idempotency-Key": key})


async def test_the_same_again_gets_the_same_answer_and_happens_once(stocked: Kernel, client: httpx.AsyncClient) -> None:
    first = await ask(client, "a", "k")
    again = await asyncio.gather(*(ask(client, "a", "k") for _ in range(10)))

    assert (first.status_code, first.json()) == (201, {"left": 2})
    assert {(one.status_code, one.content) for one in again} == {(201, first.content)}
    assert (await journal(stocked)).count("stock.taken") == 1


async def test_something_else_under_the_same_key_is_a_conflict_and_does_not_happen(
    stocked: Kernel, client: httpx.AsyncClient
) -> None:
    await ask(client, "a", "k")
    other = await ask(client, "b", "k")

    assert (other.status_code, other.json()["reason"]) == (409, "key-reused")
    assert (await ask(client, "b", "k2")).status_code == 201
    assert (await journal(stocked)).count("stock.taken") == 2


async def test_one_key_at_many_processes_at_once_happens_once(
    stocked: Kernel, client: httpx.AsyncClient, make_kernel: KernelMaker
) -> None:
    async with a_client(await make_kernel()) as second, a_client(await make_kernel()) as third:
        answers = await asyncio.gather(*(ask(one, "a", "k") for one in (client, second, third) * 5))

    assert {(one.status_code, one.content) for one in answers} == {(201, b'{"left":2}')}
    assert (await journal(stocked)).count("stock.taken") == 1


async def test_a_refusal_is_not_kept_so_that_the_same_may_succeed_later(
    stocked: Kernel, client: httpx.AsyncClient
) -> None:
    await stocked.committer.submit(fill(0))
    assert (await ask(client, "a", "k")).json()["reason"] == "none-left"
    await stocked.committer.submit(fill(1))

    assert (await ask(client, "a", "k")).json() == {"left": 0}
    assert (await ask(client, "a", "k")).json() == {"left": 0}
