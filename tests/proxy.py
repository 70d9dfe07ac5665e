"""A real TCP proxy that cuts connections on command: for what a network does and a test client never would."""

import asyncio
import contextlib
from enum import Enum
from types import TracebackType
from typing import Self


class Cut(Enum):
    """What the proxy does to the next connections."""

    NOTHING = "nothing"
    REPLY = "reply"
    """The request arrives whole; of the reply not one byte comes back, the connection breaks instead."""
    REQUEST = "request"
    """The connection breaks in the middle of the request: the server never sees its end."""


class CuttingProxy:
    """
    Forwards TCP to ``host:port`` and breaks connections as ``cut`` says at that moment.

    ``cuts`` counts the connections that it broke. Both ends see a reset or an early end, as with a cable
    pulled or a gateway restarted.
    """

    def __init__(self, host: str, port: int, *, request_bytes: int = 100) -> None:
        self._target = (host, port)
        self._request_bytes = request_bytes
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut = Cut.NOTHING
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
            try:
                await self._forward(reader, writer, up_reader, up_writer)
            finally:
                up_writer.transport.abort()
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        """Pass bytes both ways until an end closes or the connection is cut."""
        ways = [
            asyncio.create_task(self._upwards(reader, up_writer)),
            asyncio.create_task(self._downwards(up_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _upwards(self, reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            if self.cut is Cut.REQUEST:
                up_writer.write(chunk[: self._request_bytes])
                with contextlib.suppress(ConnectionError):
                    await up_writer.drain()
                self.cuts += 1
                return
            up_writer.write(chunk)
            await up_writer.drain()

    async def _downwards(self, up_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await up_reader.read(65_536):
            if self.cut is Cut.REPLY:
                self.cuts += 1
                return
            writer.write(chunk)
            await writer.drain()
