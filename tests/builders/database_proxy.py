"""A proxy in front of PostgreSQL that breaks connections at the worst moment: around COMMIT, as a rule."""

import asyncio
import contextlib
import tempfile
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

_FULL = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"
TOO_MANY = b"E" + (len(_FULL) + 4).to_bytes(4) + _FULL
"""What PostgreSQL says when ``max_connections`` are in use."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Break(Enum):
    """What happens to the next statement that is watched for."""

    NOTHING = "nothing"
    BEFORE = "before"
    """It never reaches the server."""
    AFTER = "after"
    """The server has done it and its answer is lost."""
    DURING = "during"
    """The client loses its connection while the server is still at it."""


class DatabaseProxy:
    """
    Listens where a client takes it for the server of ``url``; ``url`` of the proxy is what to connect to.

    ``next`` breaks one statement that contains ``watched``, then falls back to ``NOTHING``. While it is ``down``
    nobody gets in, and going down throws out who was in. Where it ``says`` something, that is the only answer that
    a newcomer gets; where it is ``mute``, he gets none. ``passed`` tells that a watched statement went through.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._query = {name: values[0] for name, values in parse_qs(self._parts.query).items()}
        self._directory = tempfile.TemporaryDirectory(prefix="zc-")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.watched = b"COMMIT"
        self.next = Break.NOTHING
        self.broken = 0
        self.down = False
        self.says: bytes | None = None
        self.mute = False
        self.passed = asyncio.Event()

    async def __aenter__(self) -> Self:
        path = Path(self._directory.name) / ".s.PGSQL.5432"
        self._server = await asyncio.start_unix_server(self._serve, path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.throw_out()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._directory.cleanup()

    @property
    def url(self) -> str:
        user = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(
            self._parts._replace(netloc=f"{user}@", query=f"host={quote(self._directory.name)}&port=5432")
        )

    def go_down(self) -> None:
        self.down = True
        self.throw_out()

    def throw_out(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self) -> Ends:
        host = self._query.get("host") or self._parts.hostname or ""
        port = int(self._query.get("port") or self._parts.port or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        if self.mute:
            self._writers.add(writer)
            await reader.read()
            return
        if self.says is not None:
            await reader.read(65_536)
            writer.write(self.says)
            await writer.drain()
            writer.close()
            return
        server_reader, server_writer = await self._connect()
        self._writers |= {writer, server_writer}
        ways = [
            asyncio.create_task(self._upwards(reader, writer, server_writer)),
            asyncio.create_task(self._downwards(server_reader, writer)),
        ]
        self._tasks.update(ways)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(ways)
        for one in (writer, server_writer):
            one.transport.abort()

    async def _upwards(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                if self.watched in chunk and self.next is not Break.NOTHING:
                    how, self.next = self.next, Break.NOTHING
                    self.broken += 1
                    if how is not Break.BEFORE:
                        server.write(chunk)
                        await server.drain()
                    if how is Break.AFTER:
                        writer.write = lambda _: None  # type: ignore[method-assign]
                        await asyncio.sleep(0.1)  # the answer comes, and goes nowhere
                    writer.transport.abort()
                    if how is Break.DURING:
                        await asyncio.sleep(2)  # to the server, the client is still there
                    break
                server.write(chunk)
                await server.drain()
                if self.watched in chunk:
                    self.passed.set()
        server.transport.abort()

    async def _downwards(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await server.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()
