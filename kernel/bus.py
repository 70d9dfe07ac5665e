"""
The bus: hints between processes that something new is in the journal.

A hint names streams and versions and carries no content. Losing one costs delay, not data: whoever watches a stream
also asks the journal now and then.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.metrics import BUS_HINTS

CHANNEL: Final = "zhecai:journal"
_GATHER_S: Final = 0.02
"""Hints are gathered this long, so that a process publishes at most 50 times a second."""
_MANY: Final = 16
_GATHER_MANY_S: Final = 0.06
"""Where so many streams move at once, hints are gathered longer: publishing takes time that commands need."""
_RETRY_S: Final = 0.5
_LISTEN_S: Final = 30
_PUBLISH_S: Final = 1.0
"""A Redis that does not answer costs its hints, not the memory to keep them nor the time to stop."""

log = structlog.get_logger()


class Hint(msgspec.Struct, frozen=True):
    """Which process appended, and up to which version each stream now goes."""

    sender: str
    streams: dict[str, int]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Hint).decode


class Bus:
    """Publishes this process's hints and hands on those of others."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Final = redis
        self._sender: Final = os.urandom(8).hex()
        self._gathered: dict[str, int] = {}
        self._publisher: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._wake: Final = asyncio.Event()
        self._connected: Final = asyncio.Event()
        self._closing = False
        self.listeners: Final[list[Callable[[Mapping[str, int]], None]]] = []
        """Called with stream names and versions that other processes appended."""

    async def open(self) -> None:
        """Start publishing and listening; an absent Redis is retried, not an error."""
        self._publisher = asyncio.create_task(self._publish(), name="bus-publisher")
        self._listener = asyncio.create_task(self._listen(), name="bus-listener")

    async def close(self) -> None:
        """Publish what is gathered, stop listening, close the connections."""
        self._closing = True
        self._wake.set()
        if self._publisher and self._listener:
            await self._publisher
            await self._connected.wait()  # a connection that is cancelled while it is made is never closed
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._redis.aclose()

    def hint(self, stream: str, version: int) -> None:
        """Tell the others, soon, that a stream goes up to ``version``."""
        self._gathered[stream] = max(version, self._gathered.get(stream, 0))  # two committers may report in any order
        self._wake.set()

    async def _publish(self) -> None:
        while not (self._closing and not self._gathered):
            await self._wake.wait()
            await asyncio.sleep(_GATHER_S)
            if len(self._gathered) > _MANY:
                await asyncio.sleep(_GATHER_MANY_S - _GATHER_S)
            self._wake.clear()
            gathered, self._gathered = self._gathered, {}
            if not gathered:
                continue
            try:
                async with asyncio.timeout(_PUBLISH_S):
                    await self._redis.publish(CHANNEL, _encode(Hint(self._sender, gathered)))
                BUS_HINTS.labels("out").inc()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("bus.publish_failed", error=repr(error))

    async def _listen(self) -> None:
        while True:
            self._connected.clear()
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscriber:
                    await subscriber.subscribe(CHANNEL)
                    self._connected.set()
                    while True:
                        message = await subscriber.get_message(timeout=_LISTEN_S)
                        if message is not None:
                            self._hand_on(message["data"])
            self._connected.set()
            log.warning("bus.listening_failed")
            await asyncio.sleep(_RETRY_S)

    def _hand_on(self, data: bytes) -> None:
        try:
            hint = _decode(data)
        except msgspec.DecodeError:
            log.warning("bus.unreadable_hint")
            return
        if hint.sender == self._sender:
            return
        BUS_HINTS.labels("in").inc()
        for listener in self.listeners:
            listener(hint.streams)
