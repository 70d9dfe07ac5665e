"""Every statement about challenges."""

from typing import Final

import asyncpg

from registries.challenges.rules import LIFETIME, Challenge, Purpose

_STORE: Final = """
    with forgotten as (delete from challenges where issued_at < $7)
    insert into challenges (nonce, purpose, site, binding, about, issued_at) values ($1, $2, $3, $4, $5, $6)
"""
_TAKE: Final = """
    delete from challenges where nonce = $1 returning nonce, purpose, site, binding, about, issued_at
"""


async def store(pool: asyncpg.Pool, one: Challenge) -> None:
    """Remember a challenge that is handed out, and forget those that nobody has answered in time."""
    over = one.issued_at - LIFETIME
    await pool.execute(_STORE, one.nonce, one.purpose, one.site, one.binding, one.about, one.issued_at, over)


async def take(pool: asyncpg.Pool, nonce: bytes) -> Challenge | None:
    """Take a challenge away, whatever becomes of the answer: of two answers at the same time one finds it."""
    row = await pool.fetchrow(_TAKE, nonce)
    if row is None:
        return None
    return Challenge(row["nonce"], Purpose(row["purpose"]), row["site"], row["binding"], row["about"], row["issued_at"])
