"""What the service says of itself: health, readiness, metrics, its API, its problems."""

import asyncio
from datetime import datetime
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from kernel.access.actors import Role
from kernel.access.assurance import Assurance
from kernel.access.table import CONDITIONS, TABLE, Action, Condition, Grant, Nature, Rule, Scope
from kernel.problems import PROBLEMS, NotFound, Problem
from kernel.runtime import Kernel
from kernel.web.context import Context
from kernel.web.edge import Failed
from kernel.web.render import english, problem_response
from kernel.web.routes import op

_READY_LIMIT_S: Final = 2.0


class SystemOut(msgspec.Struct, frozen=True):
    """The server's time and what kind of site this is."""

    version: str
    now: datetime
    demo: bool


class GrantOut(msgspec.Struct, frozen=True):
    """One role's right to an action."""

    role: Role
    scope: Scope
    condition: Condition | None


class RuleOut(msgspec.Struct, frozen=True):
    """One action of the access table."""

    action: Action
    nature: Nature
    zh: str
    en: str
    grants: tuple[GrantOut, ...]
    level: Assurance
    fresh: bool


class ConditionOut(msgspec.Struct, frozen=True):
    """What a condition means, and the function that decides it."""

    condition: Condition
    zh: str
    en: str
    where: str


class AccessTableOut(msgspec.Struct, frozen=True):
    """The access table as it is in force."""

    items: tuple[RuleOut, ...]
    conditions: tuple[ConditionOut, ...]


def _granted(grant: Grant) -> GrantOut:
    return GrantOut(*grant)


def _rule(action: Action, rule: Rule) -> RuleOut:
    return RuleOut(action, rule.nature, *rule.text, tuple(map(_granted, rule.grants)), rule.level, rule.fresh)


_ACCESS: Final = AccessTableOut(
    tuple(_rule(action, rule) for action, rule in TABLE.items()),
    tuple(ConditionOut(condition, *meaning) for condition, meaning in CONDITIONS.items()),
)


def system_routes(version: str) -> list[BaseRoute]:
    """Make the routes that belong to no area."""

    @op("GET", "/api/system", action=Action.SYSTEM_READ, tag="system", summary="Time and version of the server")
    async def get_system(ctx: Context) -> SystemOut:
        return SystemOut(version, ctx.received_at, ctx.kernel.settings.demo)

    @op("GET", "/api/access-table", action=Action.ACCESS_READ, tag="system", summary="Who may do what, and how far")
    async def get_access_table(_ctx: Context) -> AccessTableOut:
        return _ACCESS

    return [
        get_system,
        get_access_table,
        Route("/healthz", _health),
        Route("/readyz", _ready),
        Route("/metrics", _metrics),
        Route("/problems/{code}", _problem),
    ]


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _ready(request: Request) -> Response:
    """Answer 200 when both engines answer and the clock is right, else 503 with what is wrong."""
    kernel: Kernel = request.app.state.kernel
    faults: dict[str, str] = {}
    try:
        async with asyncio.timeout(_READY_LIMIT_S):
            await kernel.db.pool.fetchval("select 1")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        faults["database"] = repr(error)
    try:
        async with asyncio.timeout(_READY_LIMIT_S):
            await kernel.redis.ping()
    except (RedisError, OSError, TimeoutError) as error:
        faults["redis"] = repr(error)
    if kernel.skew.known.is_off:
        faults["clock"] = f"{kernel.skew.known.offset_s:+.3f} s off the database"
    return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _problem(request: Request) -> Response:
    """Explain a problem type to whoever follows the link in a problem document."""
    code = request.path_params["code"]
    known: tuple[type[Problem], ...] = (*PROBLEMS, Failed)
    for problem in known:
        if problem.code == code:
            zh, en = problem.title
            title = f"{en} · {zh}" if english(request) else f"{zh} · {en}"
            meaning = (problem.__doc__ or "").strip()
            return HTMLResponse(
                f"<!doctype html><html lang='zh-CN'><meta charset='utf-8'><title>{title}</title>"
                f"<h1>{title}</h1><p>{problem.status} · {code}</p><p lang='en'>{meaning}</p></html>",
                headers={"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"},
            )
    return problem_response(NotFound("没有这种问题类型。", "There is no such type of problem."), request)
