"""The edge around an application that is not Starlette's."""

from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.clock import ManualClock
from kernel.web.edge import Edge
from kernel.web.headers import SECURITY_HEADERS
from tests.conftest import NOON


def an_app(*messages: dict[str, Any]) -> ASGIApp:
    """Send the messages, then fail."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["app"] = SimpleNamespace()
        for message in messages:
            await send(message)
        raise ZeroDivisionError

    return Edge(app, clock=ManualClock(NOON))


START = {"type": "http.response.start", "status": 200, "headers": []}
HALF = {"type": "http.response.body", "body": b"ha", "more_body": True}
WHOLE = {"type": "http.response.body", "body": b"whole"}


async def ask(app: ASGIApp) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return await client.get("/api/x")


async def test_what_fails_before_it_answers_is_answered_with_a_problem() -> None:
    answer = await ask(an_app())

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/failed")


@pytest.mark.parametrize(
    "address", ["/api/system", "/healthz", "/", "/api/nowhere", "/problems/refused", "/api/orders"]
)
async def test_every_answer_says_what_a_browser_must_not_do(client: httpx.AsyncClient, address: str) -> None:
    headers = (await client.get(address)).headers

    for name, value in SECURITY_HEADERS:
        assert headers.get_list(name.decode()) == [value.decode()]
    assert "strict-transport-security" not in headers
    over_tls = await client.get(f"https://test{address}")
    assert over_tls.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_failure_says_so_too() -> None:
    headers = (await ask(an_app())).headers

    assert {name.decode() for name, _ in SECURITY_HEADERS} < set(headers)
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_what_fails_in_the_middle_of_its_answer_is_cut_off_and_not_made_to_look_whole() -> None:
    with pytest.raises(ZeroDivisionError):
        await ask(an_app(START, HALF))


async def test_what_fails_behind_its_answer_has_answered() -> None:
    answer = await ask(an_app(START, WHOLE))

    assert (answer.status_code, answer.content) == (200, b"whole")
