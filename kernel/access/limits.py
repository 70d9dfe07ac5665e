"""Rate limits: how often somebody may try something, counted in Redis, or in memory while Redis is away."""

from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.clock import Clock
from kernel.problems import TooMany

_REMEMBERED_MAX: Final = 10_000

log = structlog.get_logger()


class Limits:
    """Fixed windows: at most ``limit`` hits of a name within ``window_s`` seconds of the first."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis: Final = redis
        self._clock: Final = clock
        self._local: dict[str, tuple[int, float]] = {}

    async def hit(self, name: str, limit: int, window_s: int) -> None:
        """
        Count one hit.

        Raises:
            TooMany: it is one too many; ``Retry-After`` says when the window ends.
        """
        try:
            count, left_s = await self._count(name, window_s)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("limits.redis_away", error=repr(error))
            count, left_s = self._count_here(name, window_s)
        if count > limit:
            raise TooMany(
                f"操作过于频繁，请在 {left_s} 秒后再试。",
                f"Too many attempts; try again in {left_s} seconds.",
                headers={"Retry-After": str(left_s)},
                retry_after_s=left_s,
            )

    async def forget(self, name: str) -> None:
        """Start counting anew: whoever got the password right has not been guessing."""
        self._local.pop(name, None)
        try:
            await self._redis.delete(f"zhecai:limit:{name}")
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("limits.redis_away", error=repr(error))

    async def _count(self, name: str, window_s: int) -> tuple[int, int]:
        key = f"zhecai:limit:{name}"
        pipeline = self._redis.pipeline()
        pipeline.incr(key)
        pipeline.expire(key, window_s, nx=True)
        pipeline.ttl(key)
        count, _, left_s = await pipeline.execute()
        return int(count), max(1, int(left_s))

    def _count_here(self, name: str, window_s: int) -> tuple[int, int]:
        now_s = self._clock.monotonic_s()
        count, ends_s = self._local.get(name, (0, 0.0))
        if ends_s <= now_s:
            count, ends_s = 0, now_s + window_s
        if len(self._local) >= _REMEMBERED_MAX:
            self._local = {key: value for key, value in self._local.items() if value[1] > now_s}
        if len(self._local) >= _REMEMBERED_MAX and name not in self._local:
            del self._local[next(iter(self._local))]
        self._local[name] = (count + 1, ends_s)
        return count + 1, max(1, round(ends_s - now_s))
