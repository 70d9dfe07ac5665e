"""
The wire: a WebSocket connection that takes finished frames and hands messages on without a queue.

ASGI frames and wakes a task for every message of every connection. A hall shows one frame to thousands and answers
tens of thousands of offers a second, so this subclass of uvicorn's sans-I/O protocol adds an ASGI extension,
``zhecai.wire``: frames are built once and written to each transport, and incoming messages are handed to a function.
Handshake, pings, closing and limits stay uvicorn's.

Cost of a message that comes in: 2.5 µs, where the general parser and its events take 9; see ``bench/micro/wire.py``.
"""

from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C, where there is one
from websockets.protocol import State

EXTENSION: Final = "zhecai.wire"
_TEXT_FINAL: Final = 0x81
_MASKED: Final = 0x80
_LEN_7_BITS: Final = 126
_LEN_16_BITS: Final = 1 << 16

UNREAD_BYTES_MAX: Final = 1 << 20
"""Whoever sends and never reads what it is answered is cut off when so much waits for it."""
LINGER_S: Final = 5.0
"""How long a connection that we have ended may take to read the rest, before it is torn down."""
TRY_AGAIN_LATER: Final = 1013
"""Close code for somebody who reads too slowly (IANA's WebSocket close codes)."""

Sink = Callable[[bytes], None]


def text_frame(payload: bytes) -> bytes:
    """Frame a text message as a server sends it: final, not masked, not compressed (RFC 6455 section 5.2)."""
    size = len(payload)
    return (_HEADS[size] if size < _SHORT else _head(size)) + payload


def _head(size: int) -> bytes:
    if size < _LEN_7_BITS:
        return b"%c%c" % (_TEXT_FINAL, size)
    if size < _LEN_16_BITS:
        return b"%c%c%b" % (_TEXT_FINAL, 126, size.to_bytes(2))
    return b"%c%c%b" % (_TEXT_FINAL, 127, size.to_bytes(8))


_SHORT: Final = 1024
_HEADS: Final = tuple(_head(size) for size in range(_SHORT))
"""The heads of short frames: an answer is put behind one of them ten thousand times a second."""


class Wire:
    """One connection, as a hall sees it."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: "WireProtocol") -> None:
        self._protocol = protocol

    def listen(self, sink: Sink) -> None:
        """Hand every message to ``sink``, those first that came while nobody listened. It must not raise."""
        self._protocol.listen(sink)

    def write(self, frame: bytes) -> None:
        """Send a finished frame; nothing happens where the connection is closing."""
        protocol = self._protocol
        if not (protocol.close_sent or protocol.disconnected or protocol.transport.is_closing()):
            protocol.transport.write(frame)

    def buffered(self) -> int:
        """Tell how many bytes the other side has not read yet."""
        return self._protocol.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Say why and end the connection, without waiting for a peer that may not read."""
        protocol = self._protocol
        if protocol.close_sent or protocol.disconnected or protocol.transport.is_closing():
            return
        protocol.conn.send_close(code, reason)
        protocol.transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        protocol.transport.close()
        protocol.loop.call_later(LINGER_S, protocol.transport.abort)


class WireProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol with a :class:`Wire` in the scope's extensions."""

    sink: Sink | None = None
    _rest: bytes | None = None
    """The beginning of a frame whose end has not come yet; ``None`` while the general parser gets everything."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            self.scope["extensions"][EXTENSION] = Wire(self)  # type: ignore[assignment]

    def listen(self, sink: Sink) -> None:
        """Hand over what has been queued, in order, and everything from now on."""
        self.sink = sink
        queued = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        for event in queued:
            if event["type"] == "websocket.receive":
                sink(event.get("bytes") or (event.get("text") or "").encode())
            else:
                self.queue.put_nowait(event)
        if not self.conn.reader.buffer:  # else the parser is inside of a frame
            self._rest = b""
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._rest is None:
            super().data_received(data)
        elif not self._rest and self.sink and self._is_one_short_text(data):
            self.sink(apply_mask(data[6:], data[2:6]))
        else:
            self._split(self._rest + data)
        if self.sink is not None and self.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            Wire(self).close(TRY_AGAIN_LATER, "you send more than you read")

    def send_receive_event_to_app(self) -> None:
        if self.sink is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if not self.close_sent:
            self.sink(bytes(data))

    def _is_one_short_text(self, data: bytes) -> bool:
        """Tell whether this is nothing but one text message with the shortest head: what an offer is."""
        size = len(data) - 6
        return (
            0 < size < _LEN_7_BITS
            and data[0] == _TEXT_FINAL
            and data[1] == _MASKED | size
            and self.conn.current_size is None
            and self.conn.state is State.OPEN
        )

    def _split(self, data: bytes) -> None:
        """
        Hand whole text messages to the sink, and every other frame, whole, to the general parser.

        What is longer than the limit or not masked is left to the parser from there on: it knows how to refuse it.

        Source: RFC 6455 section 5.2.
        """
        assert self.sink is not None
        start, end = 0, len(data)
        while end - start >= 2:  # noqa: PLR2004 - the shortest head
            size, body = data[start + 1] ^ _MASKED, start + 6
            if size == _LEN_7_BITS:
                if end - start < 4:  # noqa: PLR2004 - the head with a length of 16 bits
                    break
                size, body = int.from_bytes(data[start + 2 : start + 4]), start + 8
            elif size > _LEN_7_BITS:
                size = _LEN_16_BITS
            if size > self.config.ws_max_size:
                self._rest = None
                super().data_received(data[start:])
                return
            stop = body + size
            if stop > end:
                break
            if data[start] == _TEXT_FINAL and self.conn.current_size is None and self.conn.state is State.OPEN:
                self.sink(apply_mask(data[body:stop], data[body - 4 : body]))
            else:
                super().data_received(data[start:stop])
            start = stop
        self._rest = data[start:]
