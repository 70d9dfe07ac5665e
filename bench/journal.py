"""After each load: is what was acknowledged in the journal, and nothing twice?"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import asyncpg

_OFFERS = """
select convert_from(body, 'UTF8')::jsonb ->> 'key' from journal
where kind = 'auction.offered' and stream = any($1::text[])
"""
_ORDERS = "select count(*) from journal where kind = 'order.placed'"
_KEYS = "select key from idempotency_keys where key like $1 || '%'"
_UNREADABLE_MAX = 5


async def check_offers(database_url: str, auctions: list[str], acked: Iterable[tuple[str, int, int]]) -> dict[str, Any]:
    """
    Compare the offers in the journal with what the bidders were told.

    ``acked`` lists (name, accepted, sent) of each bidder; its keys are ``name-0``, ``name-1`` and so on.
    """
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_OFFERS, [f"auction/{auction_id}" for auction_id in auctions])
    finally:
        await connection.close()
    return _compared(Counter(row[0] for row in rows), acked)


async def check_orders(database_url: str, prefix: str, acked: Iterable[tuple[str, int, int]]) -> dict[str, Any]:
    """Compare the orders in the journal, and the keys they were placed with, with what the purchasers were told."""
    connection = await asyncpg.connect(database_url)
    try:
        placed = await connection.fetchval(_ORDERS)
        rows = await connection.fetch(_KEYS, prefix)
    finally:
        await connection.close()
    found = _compared(Counter(row[0] for row in rows), acked)
    return {**found, "orders": placed, "ok": found["ok"] and placed == found["journalled"]}


def _compared(stored: Counter[str], acked: Iterable[tuple[str, int, int]]) -> dict[str, Any]:
    expected: set[str] = set()
    possible: set[str] = set()
    for name, accepted, sent in acked:
        expected.update(f"{name}-{number}" for number in range(accepted))
        possible.update(f"{name}-{number}" for number in range(sent))
    missing = sorted(expected - stored.keys())
    foreign = sorted(stored.keys() - possible)
    twice = sorted(key for key, count in stored.items() if count > 1)
    return {
        "acknowledged": len(expected),
        "journalled": sum(stored.values()),
        "missing": missing[:_UNREADABLE_MAX],
        "twice": twice[:_UNREADABLE_MAX],
        "never_sent": foreign[:_UNREADABLE_MAX],
        "ok": not missing and not twice and not foreign,
    }
