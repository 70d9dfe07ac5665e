"""An outside authority's web server: lists and OCSP answers over real HTTP, and everything that can go wrong there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Outside:
    """
    Answers with what ``files`` has for the path; ``asked`` remembers what was asked, method and path.

    ``stall`` keeps the answer back until the one who asks has gone.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    stall: bool = False

    def url(self, path: str, host: str = HOST) -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            lengths = [line[16:] for line in head.lower().split("\r\n") if line.startswith("content-length: ")]
            self.questions.append(await reader.readexactly(int(lengths[0])) if lengths else b"")
            self.asked.append(f"{method} {path}")
            body = self.files.get(path)
            status = self.status if body is not None else "404 Not Found"
            lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body or b'')}", "Connection: close", *self.headers]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            if self.stall:
                writer.write((body or b"")[:1])
                await writer.drain()
                await reader.read()
            writer.write(body or b"")
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def an_outside() -> AsyncIterator[Outside]:
    """Run one on a port of its own."""
    made = Outside()
    server = await asyncio.start_server(made.serve, HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
