"""
The baselines on the server under test itself: a bare WebSocket echo and a bare JSON POST echo.

Plain Starlette routes that decode a message and encode an answer of the same size as the product's, behind the same
edge, in the same process, on the same port: what is left is what the product does.
"""

from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from kernel.runtime import Kernel
from kernel.web.edge import Edge
from portal.app import create_app

PREFIX: Final = "/bench/"


class EchoOffer(msgspec.Struct):
    """An offer as the hall takes it."""

    type: str
    key: str
    price_fen: int


class EchoAnswer(msgspec.Struct):
    """An answer as the hall gives it."""

    type: str
    key: str
    version: int
    price_fen: int
    closes_at: str
    best_fen: int
    rank: int


_decode_offer: Final = msgspec.json.Decoder(EchoOffer).decode
_encode: Final = msgspec.json.Encoder().encode


async def _echo_socket(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        offer = _decode_offer(message.get("text") or message["bytes"])
        answer = EchoAnswer(
            "accepted", offer.key, 1, offer.price_fen, "2026-11-23T04:30:00.000000Z", offer.price_fen, 1
        )
        await websocket.send({"type": "websocket.send", "text": _encode(answer).decode()})


async def _echo_post(request: Request) -> Response:
    body: Any = msgspec.json.decode(await request.body())
    return Response(_encode(body), 201, media_type="application/json")


def with_echoes(kernel: Kernel) -> ASGIApp:
    """Compose the product's application and the echoes beside it."""
    product = create_app(kernel)
    bare = Starlette(
        routes=[WebSocketRoute("/bench/echo", _echo_socket), Route("/bench/echo", _echo_post, methods=["POST"])]
    )
    echoes = Edge(bare, clock=kernel.clock)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await (echoes if scope["path"].startswith(PREFIX) else product)(scope, receive, send)

    return application
