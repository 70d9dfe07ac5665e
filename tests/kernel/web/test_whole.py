"""Answers that leave in one piece: over a real server, they are what the long way would have said."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from kernel.access.table import Action
from kernel.runtime import Kernel
from kernel.web import edge
from kernel.web.context import Context
from kernel.web.direct import Direct
from kernel.web.edge import HANDLERS, Edge
from kernel.web.routes import op
from kernel.web.whole import BODY_BYTES_MAX, EXTENSION
from tests.builders.live import served
from tests.builders.logs import captured

Head = dict[str, str]


class Text(msgspec.Struct):
    """How long the answer shall be."""

    size: int


@op("POST", "/api/text", action=Action.SYSTEM_READ, tag="test", summary="text / 文字", status=201, keyless=True)
async def text(_ctx: Context, body: Text) -> str:
    return "采" * body.size


@op("GET", "/api/word", action=Action.SYSTEM_READ, tag="test", summary="word / 词")
async def word(_ctx: Context) -> str:
    return "购"


@op("GET", "/elsewhere", action=Action.SYSTEM_READ, tag="test", summary="outside of the API / 接口之外")
async def elsewhere(_ctx: Context) -> str:
    return "x"


ROUTES = (text, word, elsewhere)


def an_app(kernel: Kernel, taken: list[bool]) -> ASGIApp:
    """Whoever asks with ``?long`` is answered without the extension; ``taken`` notes who was answered as a whole."""
    app = Starlette(routes=list(ROUTES), exception_handlers=HANDLERS)
    app.state.kernel = kernel
    inner = Edge(Direct(app, ROUTES), clock=kernel.clock)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] == b"long":
            del scope["extensions"][EXTENSION]
        await inner(scope, receive, send)
        taken.append("answered" in scope["state"])

    return answer


@pytest.fixture
def taken() -> list[bool]:
    return []


@pytest.fixture
async def port(kernel: Kernel, taken: list[bool]) -> AsyncIterator[int]:
    async with served(kernel, an_app(kernel, taken)) as found:
        yield found


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    structlog.reset_defaults()
    monkeypatch.setattr(edge, "log", structlog.get_logger())
    with captured() as found:
        yield found


def asked(path: str, *, method: str = "GET", body: bytes = b"", version: str = "1.1", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Caller:
    """One connection, read byte by byte as HTTP/1.1 says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self, *, bodiless: bool = False) -> tuple[str, Head, bytes]:
        async with asyncio.timeout(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            size = 0 if bodiless else int(headers["content-length"])
            return head[0], headers, await self._reader.readexactly(size)

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return await self._reader.read() == b""


@pytest.fixture
async def caller(port: int) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Caller(reader, writer)
    writer.close()
    await writer.wait_closed()


async def test_status_headers_and_body_are_those_of_the_long_way(caller: Caller, taken: list[bool]) -> None:
    for path in ("/api/text", "/api/text?long", "/api/word", "/api/word?long"):
        method, body = ("POST", b'{"size": 3}') if "text" in path else ("GET", b"")
        caller.writer.write(asked(path, method=method, body=body))
    made, made_long, read, read_long = [await caller.answer() for _ in range(4)]

    assert taken == [True, False, True, False]
    assert made == (made_long[0], made_long[1] | {"date": made[1]["date"]}, '"采采采"'.encode())
    assert made[0] == "HTTP/1.1 201 Created"
    assert read == (read_long[0], read_long[1] | {"date": read[1]["date"]}, '"购"'.encode())


async def test_the_log_line_has_its_status(caller: Caller, logs: list[Any]) -> None:
    caller.writer.write(asked("/api/text", method="POST", body=b'{"size": 1}'))
    await caller.answer()

    async with asyncio.timeout(20):
        while not logs:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    assert (logs[0]["event"], logs[0]["status"], logs[0]["route"]) == ("request", 201, "/api/text")


async def test_requests_that_come_at_once_are_answered_in_their_order(caller: Caller, taken: list[bool]) -> None:
    sizes = [1, 40_000, 2, 3, 50_000, 4]
    caller.writer.write(
        b"".join(asked("/api/text", method="POST", body=b'{"size": %d}' % size) for size in sizes),
    )

    found = [len((await caller.answer())[2]) for _ in sizes]

    assert found == [size * 3 + 2 for size in sizes]
    assert taken == [size * 3 + 2 <= BODY_BYTES_MAX for size in sizes]


@pytest.mark.parametrize(
    ("request_", "bodiless"),
    [
        (asked("/api/word", Connection="close"), False),
        (asked("/api/word", version="1.0"), False),
        (asked("/api/word", method="HEAD", Connection="close"), True),
    ],
)
async def test_what_is_not_ordinary_goes_the_long_way(
    caller: Caller, taken: list[bool], request_: bytes, *, bodiless: bool
) -> None:
    caller.writer.write(request_)
    status, headers, body = await caller.answer(bodiless=bodiless)

    assert (status, headers["content-length"], body) == ("HTTP/1.1 200 OK", "5", b"" if bodiless else '"购"'.encode())
    assert await caller.ended()
    assert taken == [False]


async def test_outside_of_the_api_the_long_way_is_taken(caller: Caller, taken: list[bool]) -> None:
    caller.writer.write(asked("/elsewhere"))

    assert (await caller.answer())[2] == b'"x"'
    assert taken == [False]


async def test_a_problem_goes_the_long_way(caller: Caller, taken: list[bool]) -> None:
    caller.writer.write(asked("/api/text", method="POST", body=b"{}"))

    assert (await caller.answer())[0].startswith("HTTP/1.1 422 ")
    assert taken == [False]


async def test_whoever_hangs_up_disturbs_nobody(port: int, caller: Caller, taken: list[bool]) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked("/api/word"))
        await asyncio.sleep(0)
        writer.transport.abort()
    caller.writer.write(asked("/api/word"))

    assert (await caller.answer())[2] == '"购"'.encode()
    assert taken.count(True) >= 1


async def test_an_answered_request_needs_no_garbage_collector(caller: Caller) -> None:
    def left() -> int:
        return sum(isinstance(one, RequestResponseCycle) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = left()  # other tests may have left some
        for _ in range(20):
            caller.writer.write(asked("/api/word"))
            await caller.answer()
        after = left()
    finally:
        gc.enable()

    assert after - before <= 1  # the protocol remembers its last
