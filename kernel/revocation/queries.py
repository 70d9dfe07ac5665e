"""Every statement about what outside authorities say of their certificates."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg

KEPT: Final = timedelta(days=30)
"""How long what nobody asks about any more is kept."""
USED: Final = timedelta(days=7)
"""What nobody has asked about for so long is not renewed."""
DUE_MAX: Final = 20
_CLAIMED: Final = timedelta(minutes=5)
"""How long others leave what one worker is fetching alone."""
_FAILURE_CHARACTERS: Final = 500

_STANDING: Final = """
    select name, this_update, next_update, fetched_at, failed_at, asked_at, failures
    from revocation_answers where name = any($1)
"""
_SAVE: Final = """
    insert into revocation_answers
        (name, kind, url, issuer, certificate, asked_at, due_at, body, this_update, next_update, fetched_at,
         failed_at, failures, failure)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $6, null, 0, '')
    on conflict (name) do update set
        due_at = excluded.due_at, body = excluded.body, this_update = excluded.this_update,
        next_update = excluded.next_update, fetched_at = excluded.fetched_at, failed_at = null, failures = 0,
        failure = ''
    where revocation_answers.this_update is null or revocation_answers.this_update <= excluded.this_update
"""
_FAIL: Final = """
    insert into revocation_answers
        (name, kind, url, issuer, certificate, asked_at, due_at, failed_at, failures, failure)
    values ($1, $2, $3, $4, $5, $6, $6::timestamptz + interval '1 minute', $6, 1, $7)
    on conflict (name) do update set
        failed_at = excluded.failed_at, failure = excluded.failure, failures = revocation_answers.failures + 1,
        due_at = $6::timestamptz
            + least(interval '1 minute' * (1 << least(revocation_answers.failures, 6)), interval '1 hour')
"""
_CLAIM: Final = """
    update revocation_answers set due_at = $1::timestamptz + $4::interval
    where name in (
        select name from revocation_answers where due_at <= $1 and asked_at >= $2
        order by due_at limit $3 for update skip locked
    )
    returning name, kind, url, issuer, certificate
"""
_STATE: Final = """
    select kind, url, issuer, this_update, next_update, fetched_at, failures, failure
    from revocation_answers where asked_at >= $1 order by kind, url, next_update nulls first
"""


class Source(NamedTuple):
    """Where to ask, and about what."""

    name: bytes
    kind: str
    url: str
    issuer: bytes
    certificate: bytes


class Standing(NamedTuple):
    """How things stand with one source."""

    name: bytes
    this_update: datetime | None
    next_update: datetime | None
    fetched_at: datetime | None
    failed_at: datetime | None
    asked_at: datetime
    failures: int


class State(NamedTuple):
    """One source in use, as an operator wants to know it."""

    kind: str
    url: str
    issuer: bytes
    this_update: datetime | None
    next_update: datetime | None
    fetched_at: datetime | None
    failures: int
    failure: str


class Fetched(NamedTuple):
    """What came, verified, and when it is to be fetched again."""

    body: bytes
    this_update: datetime
    next_update: datetime
    due_at: datetime


async def standing(pool: asyncpg.Pool, names: Sequence[bytes]) -> dict[bytes, Standing]:
    """Read how things stand with some sources; one that was never asked is left out."""
    return {row["name"]: Standing(*row.values()) for row in await pool.fetch(_STANDING, names)}


async def body(pool: asyncpg.Pool, name: bytes) -> bytes | None:
    """Read what a source has said."""
    found: bytes | None = await pool.fetchval("select body from revocation_answers where name = $1", name)
    return found


async def save(pool: asyncpg.Pool, source: Source, fetched: Fetched, at: datetime) -> bool:
    """Keep what came, unless something newer is kept already; tell whether it was kept."""
    done: str = await pool.execute(
        _SAVE, *source, at, fetched.due_at, fetched.body, fetched.this_update, fetched.next_update
    )
    return done.endswith(" 1")


async def fail(pool: asyncpg.Pool, source: Source, failure: str, at: datetime) -> None:
    """Note that nothing came; it is tried again after a minute, then two, up to an hour."""
    await pool.execute(_FAIL, *source, at, failure[:_FAILURE_CHARACTERS])


async def asked(pool: asyncpg.Pool, names: Sequence[bytes], at: datetime) -> None:
    """Note that somebody needed them."""
    await pool.execute("update revocation_answers set asked_at = $2 where name = any($1)", names, at)


async def claim(pool: asyncpg.Pool, at: datetime) -> list[Source]:
    """Take some sources that are due, so that no other worker does."""
    rows: list[Any] = await pool.fetch(_CLAIM, at, at - USED, DUE_MAX, _CLAIMED)
    return [Source(*row.values()) for row in rows]


async def states(connection: asyncpg.Pool | asyncpg.Connection, at: datetime) -> list[State]:
    """List the sources that are in use."""
    return [State(*row.values()) for row in await connection.fetch(_STATE, at - USED)]


async def forget(pool: asyncpg.Pool, at: datetime) -> None:
    """Forget what nobody has asked about for long."""
    await pool.execute("delete from revocation_answers where asked_at < $1", at - KEPT)
