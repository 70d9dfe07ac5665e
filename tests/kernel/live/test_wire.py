"""The wire against a real client of the protocol."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from kernel.live import wire as wire_module
from kernel.live.wire import EXTENSION, UNREAD_BYTES_MAX, Wire, text_frame
from kernel.runtime import Kernel
from portal.server import FRAME_BYTES_MAX
from tests.builders.live import served


async def say(websocket: WebSocket) -> None:
    """Send as many letters as the path says, then echo; ``close`` closes, ``late`` listens after a while."""
    await websocket.accept()
    wire: Wire = websocket.scope["extensions"][EXTENSION]
    if websocket.path_params["word"] == "late":
        await asyncio.sleep(0.2)
    if websocket.path_params["word"].isdigit():
        wire.write(text_frame(b"x" * int(websocket.path_params["word"])))

    def sink(raw: bytes) -> None:
        if raw == b"close":
            wire.close(4321, "as you wish")
            wire.close(1000, "twice is harmless")
        wire.write(text_frame(raw))

    wire.listen(sink)
    await websocket.receive()
    wire.write(text_frame(b"nobody is there"))


@pytest.fixture
async def url(kernel: Kernel) -> AsyncIterator[str]:
    app = Starlette(routes=[WebSocketRoute("/{word}", say)])
    app.state.kernel = kernel
    async with served(kernel, app) as port:
        yield f"ws://127.0.0.1:{port}"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
async def test_a_frame_of_any_size_is_read_as_what_was_written(url: str, size: int) -> None:
    async with connect(f"{url}/{size}", compression=None) as socket:
        assert await socket.recv() == "x" * size


@pytest.mark.parametrize("message", ["text", "采购", b"bytes", ""])
async def test_text_and_bytes_come_to_the_listener_as_they_were_sent(url: str, message: str | bytes) -> None:
    async with connect(f"{url}/echo") as socket:
        await socket.send(message)
        assert await socket.recv(decode=False) == (message.encode() if isinstance(message, str) else message)


async def test_a_message_in_fragments_is_one_message(url: str) -> None:
    async with connect(f"{url}/echo") as socket:
        await socket.send(["one ", "采", "购 ", "three"])
        assert await socket.recv() == "one 采购 three"


async def test_what_was_sent_before_anybody_listened_is_heard_first_and_in_order(url: str) -> None:
    async with connect(f"{url}/late") as socket:
        for message in ("one", b"two", ["thr", "ee"]):
            await socket.send(message)
        await asyncio.sleep(0.3)
        await socket.send("four")
        assert [await socket.recv() for _ in range(4)] == ["one", "two", "three", "four"]


async def test_a_ping_is_answered_while_listening(url: str) -> None:
    async with connect(f"{url}/echo") as socket:
        for _ in range(3):
            assert await asyncio.wait_for(await socket.ping(), 20) >= 0
        await socket.send("still here")
        assert await socket.recv() == "still here"


async def test_a_close_says_its_code_and_reason_once(url: str) -> None:
    async with connect(f"{url}/echo") as socket:
        await socket.send("close")
        with pytest.raises(ConnectionClosedError):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4321, "as you wish")


@pytest.mark.parametrize(("size", "code"), [(FRAME_BYTES_MAX, None), (FRAME_BYTES_MAX + 1, 1009)])
async def test_a_message_over_the_limit_ends_the_connection(url: str, size: int, code: int | None) -> None:
    async with connect(f"{url}/echo") as socket:
        await socket.send("x" * size)
        if code is None:
            assert len(await socket.recv()) == size
        else:
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
            assert socket.close_code == code


@pytest.mark.parametrize("opcode", [0x81, 0x89])  # a message, a ping
async def test_whoever_floods_and_does_not_read_is_cut_off_and_others_do_not_notice(
    url: str, opcode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "LINGER_S", 0.2)
    payload = b"x" * 100
    masked = bytes([opcode, 0x80 | len(payload)]) + bytes(4) + payload
    host, port = url.removeprefix("ws://").split(":")
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.settimeout(0)
    await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=1_000)
    writer.write(
        b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    sent = 0
    async with connect(f"{url}/echo") as other:
        with pytest.raises(ConnectionError):  # noqa: PT012 - it ends whenever it ends
            async with asyncio.timeout(60):
                while True:
                    writer.write(masked * 200)
                    await writer.drain()
                    sent += 200 * len(masked)
        await other.send("well")
        assert await other.recv() == "well"
    assert sent > UNREAD_BYTES_MAX
    writer.close()


def masked_frame(payload: bytes, opcode: int = 0x81) -> bytes:
    mask = b"\x01\x02\x03\x04"
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return bytes([opcode]) + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


async def raw_connection(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    writer.write(masked_frame(b"first"))
    assert await reader.readexactly(7) == text_frame(b"first")  # from now on somebody listens
    return reader, writer


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 7, 131, 1_000])
async def test_messages_that_arrive_in_pieces_or_together_come_out_whole(url: str, at_once: int) -> None:
    reader, writer = await raw_connection(url)
    messages = [b"a", b"", b"b" * 125, b"c" * 126, b"d" * 300]
    data = masked_frame(b"ping", 0x89).join(masked_frame(message) for message in messages)
    for start in range(0, len(data), at_once):
        writer.write(data[start : start + at_once])
        await asyncio.sleep(0)
    expected = [text_frame(message) for message in messages]
    pong = b"\x8a\x04ping"

    assert await reader.readexactly(len(pong.join(expected))) == pong.join(expected)
    writer.close()


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x81\x02hi",  # not masked
        masked_frame(b"one", 0x01) + masked_frame(b"two"),  # a message inside of another's fragments
        masked_frame(b"x", 0xC1),  # a reserved bit
        b"\x81\xff" + (1 << 40).to_bytes(8) + b"mask",  # far too long
        masked_frame(b"x", 0x83),  # no such opcode
    ],
)
async def test_a_frame_against_the_protocol_ends_the_connection(url: str, wrong: bytes) -> None:
    reader, writer = await raw_connection(url)
    writer.write(masked_frame(b"good") + wrong)

    rest = await asyncio.wait_for(reader.read(), 10)

    assert rest.startswith(text_frame(b"good"))
    assert rest[6] == 0x88  # a close frame, and nothing that was wrong came out
    assert rest[8:10] in {(1002).to_bytes(2), (1009).to_bytes(2)}
    writer.close()


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """Write a frame as a client does: masked."""
    mask = b"\x37\xfa\x21\x3d"
    head = bytes([opcode | (0x80 if final else 0)])
    size = len(payload)
    head += bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


TEXT, BINARY, CONTINUED, PING = 1, 2, 0, 9
SAID = (
    frame(TEXT, b"one")
    + frame(TEXT, b"")
    + frame(BINARY, b"\x00\xff")
    + frame(TEXT, b"x" * 125)
    + frame(TEXT, b"y" * 126)
    + frame(PING, b"p")
    + frame(TEXT, b"in ", final=False)
    + frame(PING, b"q")
    + frame(CONTINUED, b"three ", final=False)
    + frame(CONTINUED, b"parts")
    + frame(TEXT, "采购".encode() * 300)
    + frame(TEXT, b"last")
)
HEARD = [b"one", b"", b"\x00\xff", b"x" * 125, b"y" * 126, b"in three parts", "采购".encode() * 300, b"last"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 131, 4_096])
@pytest.mark.parametrize("word", ["echo", "late"])
async def test_however_the_network_cuts_the_bytes_the_messages_are_the_same(url: str, chunk: int, word: str) -> None:
    host, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.get_extra_info("socket").setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
    writer.write(
        f"GET /{word} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    for start in range(0, len(SAID), chunk):
        writer.write(SAID[start : start + chunk])
        await asyncio.sleep(0)
    heard: list[bytes] = []
    async with asyncio.timeout(20):
        while len(heard) < len(HEARD):
            opcode, size = await reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2))
            payload = await reader.readexactly(size)
            if opcode == 0x81:
                heard.append(payload)
            else:
                assert (opcode, payload) in {(0x8A, b"p"), (0x8A, b"q")}
    writer.close()

    assert heard == HEARD
