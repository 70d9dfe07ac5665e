"""A live hall over the stock of tests, served by the real server, and a client for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from starlette.applications import Starlette
from starlette.types import ASGIApp
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from kernel.access.actors import Actor
from kernel.access.table import Action
from kernel.commit.batch import Outcome
from kernel.journal.streams import Recorded
from kernel.live.audience import HOST, PUBLIC, Audience
from kernel.live.hall import Hall
from kernel.live.serve import Entrance, hall_route
from kernel.live.session import LiveSession, Send, Submit
from kernel.problems import NotFound
from kernel.runtime import Kernel
from kernel.settings import Settings
from portal.server import Server, _config, listen
from tests.builders.stock import ID, STOCK, Filled, Stock, Taken, evolve, take


class Snapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot"):
    version: int
    left: int
    buyers: tuple[str, ...]
    audience: str


class Delta(msgspec.Struct, frozen=True, tag_field="type", tag="delta"):
    after: int
    version: int
    left: int
    buyers: tuple[str, ...]


class Answered(msgspec.Struct, frozen=True, tag_field="type", tag="answer"):
    left: int | None
    problem: str | None


class Echo(msgspec.Struct, frozen=True, tag_field="type", tag="echo"):
    heard: str


class StockView:
    """Shows who took what; the public learns nothing of who is called ``secret``."""

    def __init__(self) -> None:
        self.version = 0
        self.state: Stock | None = None
        self.taken: list[tuple[int, str]] = []

    def apply(self, run: Sequence[Recorded[Filled | Taken]]) -> None:
        for recorded in run:
            self.version = recorded.version
            self.state = evolve(self.state, recorded.event, recorded.at)
            if isinstance(recorded.event, Taken):
                self.taken.append((recorded.version, recorded.event.by))

    def snapshot(self, audience: Audience) -> Snapshot:
        assert self.state is not None, "nobody is shown an empty hall"
        return Snapshot(self.version, self.state.left, self.state.buyers, audience.kind)

    def delta(self, audience: Audience, after: int) -> Delta | None:
        assert self.state is not None
        buyers = tuple(by for version, by in self.taken if version > after and (audience == HOST or by != "secret"))
        if not buyers and after < self.version and audience == PUBLIC:
            return None
        return Delta(after, self.version, self.state.left, buyers)


class StockSession:
    """``take NAME`` takes a piece; ``flood N`` answers N times; anything else comes back."""

    def __init__(self, id_: UUID) -> None:
        self._id = id_

    def receive(self, raw: bytes, _at: datetime) -> list[Send | Submit]:
        word, _, rest = raw.decode(errors="replace").partition(" ")
        if word == "take":
            return [Submit(take(rest, self._id), _answer)]
        return [Send(Echo(raw.decode(errors="replace")))]


def _answer(outcome: Outcome) -> Answered:
    problem = outcome.problem.code if outcome.problem else repr(outcome.bug) if outcome.bug else None
    return Answered(outcome.answer, problem)


async def _admit(_kernel: Kernel, actor: Actor, _origin: str, websocket: WebSocket) -> Entrance:
    id_ = UUID(websocket.path_params["id"])
    if id_.int == 0:
        raise NotFound("没有", "nothing there")

    def converse(_: Hall) -> LiveSession:
        return StockSession(id_)

    return Entrance(STOCK.ref(id_), StockView, HOST if actor.user_id else PUBLIC, converse)


def a_hall(kernel: Kernel, *, recheck_s: float = 15.0) -> Starlette:
    """An application that is nothing but a hall."""
    route = hall_route("/hall/{id}", _admit, action=Action.AUCTION_READ, name="stock_hall", recheck_s=recheck_s)
    app = Starlette(routes=[route])
    app.state.kernel = kernel
    return app


@asynccontextmanager
async def served(kernel: Kernel, app: ASGIApp) -> AsyncIterator[int]:
    """Serve an application as the product is served; give the port."""
    listener = listen(Settings(port=0))
    server = Server(_config(kernel, app))
    task = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(0.005)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


class Viewer:
    """A client in a hall."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def read(self) -> Any:
        """The next frame."""
        async with asyncio.timeout(10):
            return msgspec.json.decode(await self.socket.recv(decode=False), type=Snapshot | Delta | Answered | Echo)

    async def read_until(self, enough: Callable[[Any], bool]) -> list[Any]:
        frames = [await self.read()]
        while not enough(frames[-1]):
            frames.append(await self.read())
        return frames

    async def send(self, text: str) -> None:
        await self.socket.send(text)


@asynccontextmanager
async def viewing(port: int, id_: UUID = ID, query: str = "", **how: Any) -> AsyncIterator[Viewer]:
    async with connect(f"ws://127.0.0.1:{port}/hall/{id_}{query}", compression=None, **how) as socket:
        yield Viewer(socket)
