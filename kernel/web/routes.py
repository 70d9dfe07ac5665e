"""
Typed routes: an endpoint's signature says what it takes and gives, and everything else follows from it.

``@op("POST", "/api/orders", action=…)`` on ``async def place(ctx: Context, body: PlaceIn) -> PlacedOut`` decodes and
validates the body, checks the access table, stamps the time of receipt, reads the idempotency key, encodes the
answer, renders problems (RFC 9457) and describes the route in OpenAPI 3.1 (:mod:`kernel.web.openapi`).

Cost: about 20 µs a request besides the server's own; see ``bench/micro/routes.py``.
"""

import inspect
import typing
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, NewType
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from kernel.access.rates import Pace
from kernel.access.table import Action
from kernel.problems import Conflict, Invalid, NotFound, Problem, TooLarge, TooMany, Unreadable
from kernel.web.context import Caller, Context, authenticate, key_of, origin_of, read_body
from kernel.web.render import problem_response
from kernel.web.whole import answer_whole

_encode: Final = msgspec.json.Encoder().encode
_BIGINT_MIN: Final = -(2**63)
_BIGINT_MAX: Final = 2**63 - 1
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_JSON: Final = ("application/json",)
_IMMUTABLE: Final = "public, max-age=31536000, immutable"

Endpoint = Callable[..., Awaitable[Any]]


class Download(NamedTuple):
    """An answer that is a file to save."""

    content: bytes
    media_type: str
    filename: str


class Asset(NamedTuple):
    """An answer whose address names its content, such as a digest: it never changes and is kept for a year."""

    content: bytes
    media_type: str
    etag: str


Upload = NewType("Upload", bytes)
"""A body that is taken as the bytes it is, such as a picture; ``op(takes=…)`` names the types it may be of."""


class Answer(NamedTuple):
    """An answer with headers of its own, such as a cookie."""

    body: Any
    headers: dict[str, str]


class Parameter(NamedTuple):
    """A path or query parameter of an endpoint."""

    name: str
    type: Any
    default: Any
    in_path: bool

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


class Operation:
    """One endpoint with all that its signature says; an ASGI application of its own."""

    def __init__(  # noqa: PLR0913 - the decorator's arguments, each by name
        self,
        endpoint: Endpoint,
        *,
        method: str,
        path: str,
        action: Action,
        tag: str,
        summary: str,
        status: int,
        problems: Sequence[type[Problem]],
        keyless: bool,
        body_bytes_max: int | None,
        takes: Sequence[str],
        pace: Pace | None,
    ) -> None:
        self.endpoint: Final = endpoint
        self.method: Final = method
        self.path: Final = path
        self.action: Final = action
        self.tag: Final = tag
        self.summary: Final = summary
        self.status: Final = status
        self.keyed: Final = method in _WRITES and not keyless
        self.body_bytes_max: Final = body_bytes_max
        self.takes: Final = tuple(takes)
        hints = typing.get_type_hints(endpoint, include_extras=True)
        self.returns: Final = hints.get("return", type(None))
        self.body: Final = hints.get("body")
        self.parameters: Final = tuple(
            Parameter(name, hints[name], parameter.default, in_path="{" + name + "}" in path)
            for name, parameter in inspect.signature(endpoint).parameters.items()
            if name not in {"ctx", "_ctx", "body"}
        )
        self.problems: Final = (*problems, *(p for p in self._own_problems() if p not in problems))
        self.uploads: Final = self.body is Upload
        self.pace: Final = pace or self._own_pace()
        typed = self.body is not None and not self.uploads
        self._decode: Final = msgspec.json.Decoder(self.body).decode if typed else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response: Response | bytes
        try:
            response = await self._answer(request)
        except Problem as problem:
            response = problem_response(problem, request)
        if isinstance(response, bytes):
            if answer_whole(scope, self.status, response):
                return
            response = Response(response, self.status, None, "application/json")
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response | bytes:
        """Give a response, or the JSON of one that has no headers of its own."""
        kernel = request.app.state.kernel
        origin = origin_of(request)
        kernel.rates.address(self.pace, origin)
        # Who may not send a picture is told so before it is read.
        known = await self._caller(request) if self.uploads else None
        raw = b""
        if self.method in _WRITES:
            raw = await read_body(request, self.body_bytes_max or kernel.settings.body_bytes_max)
        received_at = kernel.clock.now()  # the last byte is in: finding out whose it is makes nobody late
        actor, session, token = known or await self._caller(request)
        arguments = self._arguments(request)
        if self._decode is not None:
            arguments["body"] = _decoded(self._decode, raw)
        elif self.uploads:
            arguments["body"] = raw
        key = key_of(request, actor, raw) if self.keyed else None
        ctx = Context(kernel, actor, session, origin, received_at, key, token, request)
        answer = await self.endpoint(ctx, **arguments)
        if isinstance(answer, Download):
            disposition = f"attachment; filename*=UTF-8''{quote(answer.filename, safe='')}"  # RFC 6266
            return Response(answer.content, media_type=answer.media_type, headers={"Content-Disposition": disposition})
        if isinstance(answer, Asset):
            return _asset(answer, request)
        if isinstance(answer, Answer):
            return Response(_encode(answer.body), self.status, answer.headers, "application/json")
        return _encode(answer)

    async def _caller(self, request: Request) -> Caller:
        kernel = request.app.state.kernel
        caller = await authenticate(request, kernel, self.action)
        user_id = caller.session.actor.user_id if caller.session else None
        if user_id is not None:
            kernel.rates.account(self.pace, user_id)
        return caller

    def _arguments(self, request: Request) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, type_, default, in_path in self.parameters:
            raw = request.path_params.get(name) if in_path else request.query_params.get(name)
            if raw is None or (raw == "" and default is not inspect.Parameter.empty):
                if default is inspect.Parameter.empty:
                    raise Invalid(f"缺少参数 {name}。", f"The parameter {name} is missing.", field=name)
                arguments[name] = default
                continue
            if "\x00" in raw:
                raise _nul(name)
            try:
                arguments[name] = value = msgspec.convert(raw, type_, strict=False)
            except msgspec.ValidationError as error:
                if in_path:
                    raise NotFound("没有这个地址或对象。", "There is no such thing.") from error
                raise Invalid(
                    f"参数 {name} 不正确：{error}", f"The parameter {name} is not valid: {error}", field=name
                ) from error
            if isinstance(value, int) and not _BIGINT_MIN <= value <= _BIGINT_MAX:
                raise Invalid(f"参数 {name} 超出范围。", f"The parameter {name} is out of range.", field=name)
        return arguments

    def _own_problems(self) -> tuple[type[Problem], ...]:
        found: list[type[Problem]] = [TooMany]
        if any(parameter.in_path for parameter in self.parameters):
            found.append(NotFound)
        if self.keyed or self.body is not None or self.parameters:
            found.append(Invalid)
        if self.body is not None:
            found.append(Unreadable)
        if self.method in _WRITES:
            found.append(TooLarge)
        if self.keyed:
            found.append(Conflict)
        return tuple(found)

    def _own_pace(self) -> Pace:
        if self.returns is Asset:
            return Pace.PUBLIC
        if self.returns is Download or self.uploads:
            return Pace.HEAVY
        return Pace.ACT if self.method in _WRITES else Pace.READ


def _asset(asset: Asset, request: Request) -> Response:
    """Send what never changes, or say that the caller has it (RFC 9110 section 13.1.2)."""
    headers = {"ETag": f'"{asset.etag}"', "Cache-Control": _IMMUTABLE}
    known = request.headers.get("if-none-match", "").replace("W/", "").split(",")
    if headers["ETag"] in [tag.strip() for tag in known]:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, 200, headers, asset.media_type)


def _nul(field: str) -> Invalid:
    """Refuse the character U+0000 (空字符), the one that PostgreSQL cannot hold: it must not end as a 500."""
    return Invalid(f"{field} 不能含空字符（U+0000）。", f"{field} must not hold the character U+0000.", field=field)


def _decoded(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    if b"\\u0000" in raw:
        raise _nul("body")
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        field = place.rstrip("`").removeprefix("$.") or "body"
        raise Invalid(
            f"字段 {field} 不正确：{message}", f"The field {field} is not valid: {message}", field=field
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"不是有效的 JSON：{error}", f"Not valid JSON: {error}") from error


class TypedRoute(Route):
    """A Starlette route that knows its operation."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation.path, operation, methods=[operation.method], name=operation.endpoint.__name__)
        self.operation: Final = operation


def op(  # noqa: PLR0913 - each by name
    method: str,
    path: str,
    *,
    action: Action,
    tag: str,
    summary: str,
    status: int = 200,
    problems: Sequence[type[Problem]] = (),
    keyless: bool = False,
    body_bytes_max: int | None = None,
    takes: Sequence[str] = _JSON,
    pace: Pace | None = None,
) -> Callable[[Endpoint], TypedRoute]:
    """
    Make a route of an endpoint.

    ``keyless`` writes take no idempotency key: doing them twice does no harm. ``problems`` lists what the endpoint
    itself may raise; what the frame raises is added. ``pace`` names the budgets that a request counts against; else
    what it takes and gives tells.
    """

    def route(endpoint: Endpoint) -> TypedRoute:
        operation = Operation(
            endpoint,
            method=method,
            path=path,
            action=action,
            tag=tag,
            summary=summary,
            status=status,
            problems=problems,
            keyless=keyless,
            body_bytes_max=body_bytes_max,
            takes=takes,
            pace=pace,
        )
        return TypedRoute(operation)

    return route
