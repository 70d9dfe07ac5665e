"""A party of the sample province as a program: the same HTTP and WebSocket that a browser uses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpx2
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from kernel.clock import Clock
from kernel.ids import uuid7

_TIMEOUT_S: Final = 30


class CallError(Exception):
    """The service said no; ``status`` and ``problem`` say why."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title')}: {problem.get('detail')}")
        self.status: Final = status
        self.problem: Final = problem


class Client:
    """One logged-in account. Every write carries a new idempotency key, so a retry by httpx would do no harm."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url: Final = url
        self._clock: Final = clock
        self._http: Final = httpx2.AsyncClient(base_url=url, timeout=_TIMEOUT_S, headers={"Accept-Language": "en"})
        self.actor: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def log_in(self, login: str, password: str) -> None:
        """Open a session. Raises ``CallError`` as every call does."""
        opened = await self.post("/api/sessions", {"login": login, "password": password})
        self.actor = opened["actor"]
        self._http.cookies.clear()
        self._http.headers["Authorization"] = f"Bearer {opened['token']}"

    async def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self._read(await self._http.get(path, params=query))

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Do something, once, whatever becomes of the answer."""
        headers = {"Idempotency-Key": key or self.new_key(), "Content-Type": "application/json"}
        content = msgspec.json.encode(body) if body is not None else b""
        return self._read(await self._http.post(path, content=content, headers=headers))

    def new_key(self) -> str:
        """Make a name for something that must happen at most once."""
        return str(uuid7(self._clock.now()))

    @asynccontextmanager
    async def hall(self, auction_id: str, after: int | None = None) -> AsyncIterator[ClientConnection]:
        """Enter an auction's hall."""
        path = f"/api/auctions/{auction_id}/hall" + (f"?after={after}" if after is not None else "")
        headers = {name: value for name, value in self._http.headers.items() if name == "authorization"}
        async with connect(
            self._url.replace("http", "ws", 1) + path, additional_headers=headers, compression=None
        ) as connection:
            yield connection

    @staticmethod
    def _read(response: httpx2.Response) -> Any:
        body = msgspec.json.decode(response.content) if response.content else None
        if response.is_error:
            raise CallError(response.status_code, body if isinstance(body, dict) else {})
        return body


def moment(text: str) -> datetime:
    """Read a time that the service wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)
