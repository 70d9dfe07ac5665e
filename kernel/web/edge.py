"""The ASGI edge: a request's id, its one log line, its metrics, security headers, and the last catch."""

from typing import Any, Final
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from kernel.clock import Clock
from kernel.db.database import is_away, is_full
from kernel.ids import uuid7
from kernel.metrics import REQUEST_SECONDS, REQUESTS
from kernel.problems import Problem, Unavailable, storage_full
from kernel.web.headers import API_HEADERS, OVER_TLS, SECURITY_HEADERS, UNCACHED
from kernel.web.render import problem_response

_HUNG_UP: Final = 499
"""For the log: the caller was gone before the request was read."""

log = structlog.get_logger()


class Failed(Problem):
    """A bug of ours; the request's id finds it in the log."""

    code, status, title = "failed", 500, ("系统内部错误", "Internal error")


class Edge:
    """Wraps the whole application; :data:`HANDLERS` are for the Starlette inside."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        self._app: Final = app
        self._clock: Final = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = self._clock.monotonic_s()
        request_id = uuid7(self._clock.now())
        scope.setdefault("state", {})["request_id"] = request_id
        api = scope["path"].startswith("/api/")
        status, complete = 0, False

        async def send_on(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = list(message.get("headers", ()))
                if api:
                    cached = any(name == b"cache-control" for name, _ in headers)
                    headers += API_HEADERS if cached else (*API_HEADERS, UNCACHED)
                headers += SECURITY_HEADERS
                if scope.get("scheme") == "https":
                    headers.append(OVER_TLS)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:  # Starlette raises what it has answered
            answer = _last_answer(error, Request(scope))
            if status == 0:
                await answer(scope, receive, send_on)
            elif not complete:
                raise
        finally:
            status = status or scope["state"].get("answered", 0)
            self._note(scope, request_id, status, self._clock.monotonic_s() - started_s)

    def _note(self, scope: Scope, request_id: UUID, status: int, took_s: float) -> None:
        route: Any = scope.get("route")
        template = getattr(route, "path", "unmatched")
        REQUESTS.labels(scope["method"], template, status).inc()
        REQUEST_SECONDS.observe(took_s)
        log.info(
            "request",
            request_id=request_id,
            method=scope["method"],
            path=scope["path"],
            route=template,
            status=status,
            ms=round(took_s * 1000, 2),
            origin=scope["client"][0] if scope.get("client") else "local",
        )


def _last_answer(error: Exception, request: Request) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=_HUNG_UP)
    _log_failure(error, request.scope["state"]["request_id"], request.scope["path"])
    return _failed(request, error)


def _log_failure(error: Exception, request_id: UUID, path: str) -> None:
    if is_full(error):
        log.error("request.storage_full", request_id=request_id, path=path, error=repr(error))
    elif is_away(error):
        log.warning("request.database_away", request_id=request_id, path=path, error=repr(error))
    else:
        log.error("request.failed", request_id=request_id, path=path, exc_info=error)


def _failed(request: Request, error: Exception) -> Response:
    request_id = request.scope["state"]["request_id"]
    problem: Problem
    if is_full(error):
        problem = storage_full()
    elif is_away(error):
        problem = Unavailable(
            "系统繁忙，暂时无法读取数据，请稍后重试。",
            "The service is busy and cannot read its data; please try again in a moment.",
            headers={"Retry-After": "1"},
        )
    else:
        problem = Failed(
            f"系统出现错误，操作可能没有完成；请记下编号 {request_id} 并联系客服。",
            f"Something failed and may not have been done; please quote {request_id} to the help line.",
        )
    return problem_response(problem, request)


async def _answer_failure(request: Request, error: Exception) -> Response:
    return _failed(request, error)


async def _answer_nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=_HUNG_UP)


HANDLERS: Final[dict[Any, ExceptionHandler]] = {Exception: _answer_failure, ClientDisconnect: _answer_nobody}
"""What Starlette shall answer for itself: without them it says ``Internal Server Error`` before the edge can."""
