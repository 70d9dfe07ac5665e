"""
Time to count one request against the budgets of its address and its account, beside one round trip to Valkey.

    python bench/micro/rates.py

Leaves out: telling Valkey, which happens in the background once a share of a budget (1/32) is spent. The round trip is
over a socket of this machine. Prints the medians of 5 rounds.
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from redis.asyncio import Redis

from kernel.access.rates import Pace, Rates
from kernel.clock import SystemClock
from kernel.engines.locate import redis_program
from kernel.engines.valkey import ValkeyServer
from kernel.settings import Settings

REQUESTS = 200_000
TRIPS = 2_000
ROUNDS = 5
BAR_US = 2.5
ACCOUNTS = [UUID(int=number) for number in range(1_000)]
ADDRESSES = [f"10.0.{number // 250}.{number % 250}" for number in range(1_000)]


def counted_us(rates: Rates) -> float:
    """Count requests of a thousand accounts; return microseconds a request, both budgets."""
    pairs = list(zip(ADDRESSES, ACCOUNTS, strict=True)) * (REQUESTS // 1_000)
    begin = perf_counter()
    for address, account in pairs:
        rates.address(Pace.ACT, address)
        rates.account(Pace.ACT, account)
    return (perf_counter() - begin) / REQUESTS * 1e6


async def trip_us(redis: Redis) -> float:
    """Ask Valkey once for each request, as counting there would; return microseconds a request."""
    begin = perf_counter()
    for _ in range(TRIPS):
        await redis.incr("zhecai:bench")
    return (perf_counter() - begin) / TRIPS * 1e6


async def main() -> None:
    settings = Settings(account_acts_per_min=10**9, address_acts_per_min=10**9)
    with (
        tempfile.TemporaryDirectory() as directory,
        ValkeyServer(redis_program(), Path(directory) / "valkey") as server,
    ):
        redis = Redis.from_url(server.url)
        rates = Rates(redis, SystemClock(), settings)
        here = statistics.median([counted_us(rates) for _ in range(ROUNDS)])
        there = statistics.median([await trip_us(redis) for _ in range(ROUNDS)])
        await redis.aclose()
    print(f"counted here: {here:.2f} µs a request (two budgets), asked of Valkey: {there:.0f} µs a budget")
    print(f"{'passes' if here <= BAR_US else 'FAILS'}: at most {BAR_US} µs")


if __name__ == "__main__":
    asyncio.run(main())
