"""
Rates: how many requests an account and an address may send a minute, on every route.

Each process decides by itself, without waiting: a token bucket (GCRA) for each account and each address. What it has
let through it tells Valkey in the background, a share of the budget at a time, and learns what all processes let
through: in the long run they share one budget, and at first each may let through a share more. While Valkey is away
each process decides for itself.

Cost: 0.8 µs a request, which has two budgets; see ``bench/micro/rates.py``.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Hashable
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.clock import Clock
from kernel.metrics import RATE_REFUSALS
from kernel.problems import TooMany
from kernel.settings import Settings

WINDOW_S: Final = 60
"""A budget is for so long, and may be spent at once; it comes back evenly."""
SHARES: Final = 32
"""What a process lets through without telling is less than this part of a budget."""
REMEMBERED_MAX: Final = 50_000
"""Accounts, or addresses, that one budget remembers twice over: those seen lately, and those before."""
WAITING_MAX: Final = 10_000
TOLD_AT_ONCE_MAX: Final = 500
RETRY_S: Final = 1.0

_TOLERANCE_S: Final = 1e-6
"""Sums of fractions are not exact: the last request of a budget must not fall to that."""
_TELL: Final = """
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local owed = {}
for i, key in ipairs(KEYS) do
    local until_us = math.max(tonumber(redis.call('GET', key) or '0'), now_us) + tonumber(ARGV[i])
    owed[i] = until_us - now_us
    redis.call('SET', key, string.format('%.0f', until_us), 'PX', math.ceil(owed[i] / 1000))
end
return owed
"""

log = structlog.get_logger()


class Pace(StrEnum):
    """What kind of thing a route does, as far as it costs; each kind has budgets of its own."""

    READ = "read"
    ACT = "act"
    HEAVY = "heavy"
    """What takes long: documents, exports, uploads, searches."""
    PUBLIC = "public"
    """Pages, pictures, what everybody may keep: counted by address alone."""
    FRAME = "frame"
    """Messages to a live hall."""


class _Spent:
    """What one account or address has spent: its budget is whole again at ``until_s``."""

    __slots__ = ("until_s", "untold")

    def __init__(self) -> None:
        self.until_s = 0.0
        self.untold = 0


class Rate:
    """One budget: ``per_min`` requests a minute of everybody whom it counts."""

    def __init__(self, name: str, per_min: int, clock: Clock, tell: Callable[["Untold"], bool]) -> None:
        self.name: Final = name
        self.per_min: Final = per_min
        self._each_s: Final = WINDOW_S / per_min
        self._share: Final = max(1, per_min // SHARES)
        self._now_s: Final = clock.monotonic_s
        self._tell: Final = tell
        self._lately: dict[Hashable, _Spent] = {}
        self._before: dict[Hashable, _Spent] = {}
        self._turns_s = 0.0

    def spend(self, who: Hashable) -> float:
        """Let one request through and return 0, or return in how many seconds one will be."""
        now_s = self._now_s()
        spent = self._lately.get(who) or self._remember(who, now_s)
        until_s = spent.until_s
        if until_s < now_s:  # noqa: PLR1730 - twice as fast as max()
            until_s = now_s
        until_s += self._each_s
        over_s = until_s - now_s - WINDOW_S
        if over_s > _TOLERANCE_S:
            return over_s
        spent.until_s = until_s
        spent.untold += 1
        if spent.untold == self._share and not self._tell(Untold(self, who, spent)):
            spent.untold = 0
        return 0.0

    def _remember(self, who: Hashable, now_s: float) -> _Spent:
        """Find whoever was not seen lately; who is not seen for a window or two owes nothing, and is forgotten."""
        if now_s >= self._turns_s or len(self._lately) >= REMEMBERED_MAX:
            self._before, self._lately = self._lately, {}
            self._turns_s = now_s + WINDOW_S
        spent = self._lately[who] = self._before.pop(who) if who in self._before else _Spent()
        return spent

    def take(self, spent: _Spent) -> int:
        """Take what has not been told yet, as microseconds of the budget."""
        untold, spent.untold = spent.untold, 0
        return max(1, round(untold * self._each_s * 1e6))

    def learn(self, spent: _Spent, owed_us: int) -> None:
        """Take in what all processes together have spent, and what was let through here since."""
        spent.until_s = max(spent.until_s, self._now_s() + owed_us / 1e6 + spent.untold * self._each_s)

    @property
    def remembered(self) -> int:
        """How many accounts or addresses are remembered."""
        return len(self._lately) + len(self._before)


class Untold(NamedTuple):
    """Whose spending is to be told."""

    rate: Rate
    who: Hashable
    spent: _Spent


class Rates:
    """The budgets of one process, and what it tells the others of them."""

    def __init__(self, redis: Redis, clock: Clock, settings: Settings) -> None:
        self._script: Final = redis.register_script(_TELL)
        self._waiting: list[Untold] = []
        self._wake: Final = asyncio.Event()
        self._closing: Final = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None

        def rate(of: str, pace: Pace, per_min: int) -> Rate:
            return Rate(f"{of}-{pace}", per_min, clock, self._wait)

        self.accounts: Final = {
            Pace.READ: rate("account", Pace.READ, settings.account_reads_per_min),
            Pace.ACT: rate("account", Pace.ACT, settings.account_acts_per_min),
            Pace.HEAVY: rate("account", Pace.HEAVY, settings.account_heavy_per_min),
            Pace.FRAME: rate("account", Pace.FRAME, settings.account_frames_per_min),
        }
        self.addresses: Final = {
            Pace.READ: rate("address", Pace.READ, settings.address_reads_per_min),
            Pace.ACT: rate("address", Pace.ACT, settings.address_acts_per_min),
            Pace.HEAVY: rate("address", Pace.HEAVY, settings.address_heavy_per_min),
            Pace.PUBLIC: rate("address", Pace.PUBLIC, settings.address_public_per_min),
            Pace.FRAME: rate("address", Pace.FRAME, settings.address_frames_per_min),
        }

    async def open(self) -> None:
        """Start telling; an absent Valkey is tried again, not an error."""
        self._teller = asyncio.create_task(self._tell_on(), name="rates-teller")

    async def close(self) -> None:
        """Stop telling, after what is under way: a connection that is cancelled while it is made is never closed."""
        self._closing.set()
        self._wake.set()
        if self._teller:
            await self._teller

    def address(self, pace: Pace, origin: str) -> None:
        """
        Count a request of an address.

        Raises:
            TooMany: its budget is spent.
        """
        rate = self.addresses[pace]
        wait_s = rate.spend(network_of(origin) if ":" in origin else origin)
        if wait_s:
            raise _too_many(rate, wait_s, "您所在网络的请求过于频繁", "Too many requests from your network")

    def account(self, pace: Pace, user_id: UUID) -> None:
        """
        Count a request of an account.

        Raises:
            TooMany: its budget is spent.
        """
        rate = self.accounts.get(pace)
        if rate is not None and (wait_s := rate.spend(user_id)):
            raise _too_many(rate, wait_s, "您的操作过于频繁", "Too many requests of your account")

    async def tell(self) -> None:
        """
        Tell Valkey what waits, and learn what all have spent.

        Raises:
            RedisError, OSError, TimeoutError: it is away; what was to be told is let be, for each decided by itself.
        """
        waiting, self._waiting = self._waiting, []
        told = [untold.rate.take(untold.spent) for untold in waiting]
        for start in range(0, len(waiting), TOLD_AT_ONCE_MAX):
            some = waiting[start : start + TOLD_AT_ONCE_MAX]
            keys = [f"zhecai:rate:{untold.rate.name}:{untold.who}" for untold in some]
            owed = await self._script(keys=keys, args=told[start : start + TOLD_AT_ONCE_MAX])
            for untold, owed_us in zip(some, owed, strict=True):
                untold.rate.learn(untold.spent, int(owed_us))

    async def _tell_on(self) -> None:
        away = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._closing.is_set():
                return
            try:
                await self.tell()
            except (RedisError, OSError, TimeoutError) as error:
                if not away:
                    log.warning("rates.redis_away", error=repr(error))
                away = True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._closing.wait()
            else:
                away = False

    def _wait(self, untold: Untold) -> bool:
        if len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting.append(untold)
        self._wake.set()
        return True


@lru_cache(maxsize=4096)
def network_of(origin: str) -> str:
    """
    Return whose address it is: an IPv6 network has 2⁶⁴ of them, so they count as one (RFC 6177).

    An IPv4 address in the clothes of IPv6 is itself; what is no address is what it is.
    """
    try:
        address = ip_address(origin)
    except ValueError:
        return origin
    match address:
        case IPv6Address(ipv4_mapped=IPv4Address() as inside):
            return str(inside)
        case IPv6Address():
            return f"{IPv6Address(address.packed[:8] + bytes(8))}/64"
        case _:
            return origin


def _too_many(rate: Rate, wait_s: float, zh: str, en: str) -> TooMany:
    RATE_REFUSALS.labels(rate.name).inc()
    left_s = max(1, math.ceil(wait_s))
    return TooMany(
        f"{zh}，请在 {left_s} 秒后再试。",
        f"{en}; try again in {left_s} seconds.",
        headers={
            "Retry-After": str(left_s),
            "RateLimit-Policy": f'"{rate.name}";q={rate.per_min};w={WINDOW_S}',
            "RateLimit": f'"{rate.name}";r=0;t={left_s}',
        },
        retry_after_s=left_s,
        budget=rate.name,
    )
