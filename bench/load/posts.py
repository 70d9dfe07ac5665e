"""Posters: keep-alive HTTP/1.1 connections, each posting again when the answer came. Parsed in C, nothing copied."""

import asyncio
from time import perf_counter, process_time
from typing import Any, Final, cast

import httptools

from bench.load.timing import summary

_LAST_ANSWER_S: Final = 10.0
_SHOWN_MAX: Final = 3


class _Run:
    def __init__(self) -> None:
        self.going = False
        self.counting = False
        self.latencies_s: list[float] = []
        self.statuses: dict[int, int] = {}
        self.failures: list[str] = []


class _Poster(asyncio.Protocol):
    """One connection; posts are numbered, and their numbers are their keys."""

    def __init__(self, run: _Run, name: str, path: str, host: str, token: str, body: bytes) -> None:
        self.run = run
        self.name = name
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {name}-"
        ).encode()
        self.rest = b"\r\n\r\n" + body
        self.sent = self.done = 0
        self.acked: list[int] = []
        self.waiting = False
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class
        self.parser = httptools.HttpResponseParser(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self.waiting:
            self.waiting = False
            self.run.failures.append(f"connection lost: {error}")

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def post(self) -> None:
        self.since_s = perf_counter()
        self.waiting = True
        self.transport.write(self.head + b"%d" % self.sent + self.rest)
        self.sent += 1

    def on_body(self, body: bytes) -> None:
        self.answer = body

    def on_message_complete(self) -> None:
        run, status = self.run, self.parser.get_status_code()
        self.waiting = False
        if status == 201:
            self.acked.append(self.sent - 1)
        elif len(run.failures) < _SHOWN_MAX:
            run.failures.append(self.answer.decode("utf-8", "replace")[:300])
        run.statuses[status] = run.statuses.get(status, 0) + 1
        if run.counting:
            run.latencies_s.append(perf_counter() - self.since_s)
        if run.going:
            self.post()


async def run(
    *, host: str, port: int, seats: list[dict[str, str]], name: str, seconds: float, warmup_s: float = 0.5
) -> dict[str, Any]:
    """Post for ``seconds`` after the warm-up; return what was measured and how many were answered 201."""
    shared, loop = _Run(), asyncio.get_running_loop()
    posters: list[_Poster] = []
    for index, seat in enumerate(seats):
        make = lambda index=index, seat=seat: _Poster(  # noqa: E731 - one line
            shared, f"{name}-{index}", seat["path"], f"{host}:{port}", seat["token"], seat["body"].encode()
        )
        _, poster = await loop.create_connection(make, host, port)
        posters.append(poster)
    shared.going = True
    for poster in posters:
        poster.post()
    await asyncio.sleep(warmup_s)
    shared.counting = True
    began_s, began_cpu_s = perf_counter(), process_time()
    await asyncio.sleep(seconds)
    shared.counting = shared.going = False
    took_s, cpu_s = perf_counter() - began_s, process_time() - began_cpu_s
    deadline_s = perf_counter() + _LAST_ANSWER_S
    while any(poster.waiting for poster in posters) and perf_counter() < deadline_s:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for poster in posters:
        poster.transport.close()
    return {
        **summary(shared.latencies_s, took_s),
        "client_cpu": round(cpu_s / took_s, 2),
        "statuses": {str(status): count for status, count in shared.statuses.items()},
        "failures": shared.failures,
        "acked": [(poster.name, len(poster.acked), poster.sent) for poster in posters],
    }
