"""Which requests take the short way: those that Starlette would lead to the same route."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from kernel.access.table import Action
from kernel.web.context import Context
from kernel.web.direct import Direct
from kernel.web.routes import TypedRoute, op
from portal.app import API


@op("GET", "/api/things/list", action=Action.SYSTEM_READ, tag="test", summary="shadowed / 被遮住")
async def shadowed(_ctx: Context) -> str:
    return ""


@op("GET", "/api/things/{name}", action=Action.SYSTEM_READ, tag="test", summary="by name / 按名")
async def by_name(_ctx: Context, name: str) -> str:
    return name


@op("GET", "/api/things", action=Action.SYSTEM_READ, tag="test", summary="all / 全部")
async def every(_ctx: Context) -> str:
    return ""


def short(*routes: Any) -> set[tuple[str, str]]:
    return set(Direct(Starlette(), routes)._routes)


def test_a_path_without_parameters_is_short_unless_a_route_before_it_takes_it() -> None:
    assert short(shadowed, by_name, every) == {("GET", "/api/things/list"), ("GET", "/api/things")}
    assert short(by_name, shadowed, every) == {("GET", "/api/things")}


def test_a_route_that_is_no_operation_takes_its_path_from_those_behind_it() -> None:
    async def answer(_: Any) -> Any:
        raise AssertionError

    assert short(Route("/api/things", answer), every) == set()
    assert short(Route("/api/things", answer, methods=["PUT"]), every) == {("GET", "/api/things")}


async def test_all_else_goes_the_long_way() -> None:
    seen: list[str] = []

    class Long(Starlette):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - as every application
            seen.append(f"{scope['type']} {scope.get('method', '')} {scope['path']}")

    direct: ASGIApp = Direct(Long(), (every,))
    nothing: Any = None
    for type_, method, path in (
        ("http", "POST", "/api/things"),
        ("http", "HEAD", "/api/things"),
        ("http", "GET", "/api/things/"),
        ("websocket", "", "/api/things"),
    ):
        scope = {"type": type_, "path": path} | ({"method": method} if method else {})
        await direct(scope, nothing, nothing)

    assert seen == ["http POST /api/things", "http HEAD /api/things", "http GET /api/things/", "websocket  /api/things"]


def test_most_operations_of_the_platform_without_parameters_are_short() -> None:
    plain = {(r.operation.method, r.path) for r in API if isinstance(r, TypedRoute) and "{" not in r.path}

    assert short(*API) == plain
