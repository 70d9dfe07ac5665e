from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kernel.clock import ManualClock
from tests.conftest import NOON


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as found:
        await found.flushdb()
        yield found


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    """A Valkey that is not there."""
    async with Redis.from_url("unix:///nonexistent/redis.sock", retry=Retry(NoBackoff(), 0)) as found:
        yield found


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock(NOON)
