"""
Time of a request with a small document both ways: the short way, the long way, and a bare Starlette route.

    python bench/micro/routes.py

Leaves out: the server, the log line (errors only), sessions, and what an endpoint does. Prints the medians of 5 rounds.
"""

import asyncio
import statistics
import sys
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kernel.access.rates import Rates
from kernel.access.table import Action
from kernel.clock import SystemClock
from kernel.log import configure_logging
from kernel.settings import NAMES, Settings, load_settings
from kernel.web.context import Context
from kernel.web.direct import Direct
from kernel.web.edge import HANDLERS, Edge
from kernel.web.routes import op
from kernel.web.switch import Switch
from portal.app import API

REQUESTS = 20_000
_BODY = msgspec.json.encode({"name": "台式计算机", "quantity": 3, "note": "x" * 200})


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent and comes back."""

    name: str
    quantity: int
    note: str


@op("POST", "/api/echo", action=Action.SYSTEM_READ, tag="bench", summary="echo / 回声", keyless=True)
async def typed(_ctx: Context, body: Thing) -> Thing:
    """Give back what came."""
    return body


async def bare(request: Request) -> Response:
    """Do the same without types."""
    return Response(msgspec.json.encode(msgspec.json.decode(await request.body())), 200, media_type="application/json")


def applications() -> dict[str, ASGIApp]:
    """Compose the three, behind the same edge."""
    clock = SystemClock()
    settings: Settings = load_settings(
        {}, None, {name: "1000000000" for name in NAMES if name.endswith("_per_min")} | {"data_dir": "/nonexistent"}
    )
    routes = [*API, typed]

    async def nowhere(*_: Any) -> None:
        raise AssertionError

    app = Starlette(exception_handlers=HANDLERS)
    app.router = Switch(routes, nowhere)
    app.state.kernel = SimpleNamespace(settings=settings, clock=clock, rates=Rates(Redis(), clock, settings))
    plain = Starlette(routes=[Route("/api/echo", bare, methods=["POST"])])
    return {
        "a bare route": Edge(plain, clock=clock),
        "typed, the short way": Edge(Direct(app, routes), clock=clock),
        "typed, the long way": Edge(app, clock=clock),
    }


async def round_us(app: ASGIApp) -> float:
    """Give the time of a request, in microseconds."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": _BODY, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    began_s = perf_counter()
    for _ in range(REQUESTS):
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/echo",
            "headers": [(b"host", b"x"), (b"content-type", b"application/json")],
            "query_string": b"",
            "client": ("192.0.2.1", 1),
            "server": ("x", 80),
        }
        await app(scope, receive, send)
    return (perf_counter() - began_s) / REQUESTS * 1e6


async def main() -> None:
    """Measure in turn."""
    configure_logging("error", "json")
    found = applications()
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(5):
        for name, app in found.items():
            times[name].append(await round_us(app))
    for name, each in times.items():
        print(f"{name:22} {statistics.median(each):6.1f} µs")


if __name__ == "__main__":
    asyncio.run(main())
