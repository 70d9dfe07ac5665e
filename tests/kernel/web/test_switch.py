"""The switch answers as asking every route in turn would."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from kernel.web.switch import Switch


def _says(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse(f"{name} {sorted(request.path_params.items())} {request.url_for('order', id='7')}")

    return endpoint


async def _hall(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.path_params["id"])
    await websocket.close()


async def _elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("elsewhere", 404)(scope, receive, send)


ROUTES: Final = [
    Route("/api/orders", _says("list"), methods=["GET"]),
    Route("/api/orders", _says("place"), methods=["POST"]),
    Route("/api/orders/{id}", _says("order"), methods=["GET"], name="order"),
    Route("/api/orders/preview", _says("behind a parameter"), methods=["GET", "POST"]),
    Route("/api/products/compare", _says("compare"), methods=["GET"]),
    Route("/api/products/{id}", _says("product"), methods=["GET"]),
    Route("/api/{anything}/odd", _says("odd"), methods=["GET"]),
    Route("/{page}", _says("page"), methods=["PUT"]),
    WebSocketRoute("/api/auctions/{id}/hall", _hall),
]
PATHS: Final = [
    *("/", "", "/api", "/api/orders", "/api/orders/", "/api/orders/1", "/api/orders/preview", "/api/orders/1/2"),
    *("/api/products/compare", "/api/products/9", "/api/products", "/api/x/odd", "/api/orders/odd", "/page", "/page/"),
    *("/api//orders", "/API/orders", "/api/orders%2F1", "/api/auctions/5/hall", "/api/orders/odd/"),
]


def _client(router: Router) -> TestClient:
    app = Starlette()
    app.router = router
    return TestClient(app, follow_redirects=False)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_a_path_and_a_method_get_the_answer_that_all_routes_in_turn_would_give(path: str, method: str) -> None:
    each, switched = _client(Router(ROUTES, default=_elsewhere)), _client(Switch(ROUTES, _elsewhere))

    expected, found = each.request(method, path), switched.request(method, path)

    assert (found.status_code, found.text) == (expected.status_code, expected.text)
    assert found.headers.get("location") == expected.headers.get("location")
    assert found.headers.get("allow") == expected.headers.get("allow")


def test_halls_are_found_as_well() -> None:
    client = _client(Switch(ROUTES, _elsewhere))

    with client.websocket_connect("/api/auctions/5/hall") as socket:
        assert socket.receive_text() == "5"


def test_a_path_below_a_prefix_of_a_proxy_is_found() -> None:
    app: ASGIApp = Switch(ROUTES, _elsewhere)
    client = TestClient(app, root_path="/zhecai")

    assert client.get("/zhecai/api/orders/1").text.startswith("order")
