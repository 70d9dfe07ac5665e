"""The authority over HTTP (RFC 3161 section 3.4): one address that stamps, and what an operator asks it."""

from typing import Final

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crypto.timestamps.request import REQUEST_BYTES_MAX, Failure, StampRefused, read_request
from crypto.timestamps.response import granted, refused
from kernel.clock import Clock
from kernel.timestamps.client import QUERY, REPLY
from kernel.timestamps.register import Register
from kernel.timestamps.rightness import Rightness

WINDOW_S: Final = 10.0
REQUESTS_MAX: Final = 5000
"""Requests of one address in one window: a portal of several processes asks from one address."""
ADDRESSES_MAX: Final = 10_000

ANSWERS: Final = Counter("zhecai_tsa_answers_total", "Answers of the time stamp authority", ("outcome",))

log = structlog.get_logger()


class _Windows:
    """Counts the requests of each address in windows of ``WINDOW_S``; forgets all of it with the window."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._ends_s = 0.0
        self._counts: dict[str, int] = {}

    def full(self, address: str) -> bool:
        now_s = self._clock.monotonic_s()
        if now_s >= self._ends_s or len(self._counts) >= ADDRESSES_MAX:
            self._counts.clear()
            self._ends_s = now_s + WINDOW_S
        self._counts[address] = count = self._counts.get(address, 0) + 1
        return count > REQUESTS_MAX


def create_authority_app(register: Register, rightness: Rightness, clock: Clock) -> Starlette:
    """Compose the authority's application: ``POST /`` stamps."""
    windows = _Windows(clock)

    async def stamp(request: Request) -> Response:
        if windows.full(request.client.host if request.client else ""):
            return PlainTextResponse("too many requests\n", 429, {"Retry-After": str(round(WINDOW_S))})
        if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != QUERY:
            return PlainTextResponse(f"send a request of the type {QUERY}\n", 415)
        query = await _read(request)
        if query is None:
            return PlainTextResponse(f"a request has at most {REQUEST_BYTES_MAX} bytes\n", 413)
        return await _answer(register, query)

    async def health(_: Request) -> Response:
        reason = rightness.wrong(clock.now())
        state = {"status": "stamping" if reason is None else "refusing", "reason": reason, "issued": register.issued}
        return JSONResponse(state, 200 if reason is None else 503)

    async def certificates(_: Request) -> Response:
        chain = (register.authority.certificate, *register.authority.chain)
        pem = b"".join(found.public_bytes(Encoding.PEM) for found in chain)
        return Response(pem, media_type="application/x-pem-file")

    routes = [
        Route("/", stamp, methods=["POST"]),
        Route("/healthz", health, methods=["GET"]),
        Route("/certificates.pem", certificates, methods=["GET"]),
    ]
    return Starlette(routes=routes)


async def _read(request: Request) -> bytes | None:
    """Read the body; None when it is longer than any request."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > REQUEST_BYTES_MAX:
                return None
    except ClientDisconnect:
        return None
    return body


async def _answer(register: Register, query: bytes) -> Response:
    try:
        token = await register.issue(read_request(query))
    except StampRefused as refusal:
        return _refusal(refusal)
    ANSWERS.labels("granted").inc()
    return Response(granted(token), media_type=REPLY)


def _refusal(refusal: StampRefused) -> Response:
    assert refusal.failure is not None, "what we refuse has a reason"
    ANSWERS.labels(refusal.failure.name.lower()).inc()
    if refusal.failure in {Failure.TIME_NOT_AVAILABLE, Failure.SYSTEM_FAILURE}:
        log.error("tsa.refused", failure=refusal.failure.name, reason=str(refusal))
    return Response(refused(refusal), media_type=REPLY)
