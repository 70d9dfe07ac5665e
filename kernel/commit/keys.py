"""Idempotency keys: the answer of the first time, kept in the transaction that gave it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kernel.commit.command import Key
from kernel.journal.streams import Connection

_KEEP: Final = """
insert into idempotency_keys (owner, key, fingerprint, answer, at)
select * from unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::timestamptz[])
on conflict do nothing
"""
_FIND: Final = """
select k.owner, k.key, k.fingerprint, k.answer from idempotency_keys k
join unnest($1::text[], $2::text[]) as asked(owner, key) on k.owner = asked.owner and k.key = asked.key
"""
_FORGET: Final = "delete from idempotency_keys where at < $1"


async def keep(tx: Connection, answers: Sequence[tuple[Key, bytes, datetime]]) -> bool:
    """Store answers under their keys; ``False`` when one of the keys was answered before."""
    rows = [(key.owner, key.key, key.fingerprint, answer, at) for key, answer, at in answers]
    status = await tx.execute(_KEEP, *(list(column) for column in zip(*rows, strict=True)))
    return int(status.rsplit(" ", 1)[1]) == len(rows)


async def find(connection: Connection, keys: Sequence[Key]) -> dict[tuple[str, str], tuple[bytes, bytes]]:
    """Read (fingerprint, answer) of those ``keys`` that were answered before, by (owner, key)."""
    rows = await connection.fetch(_FIND, [key.owner for key in keys], [key.key for key in keys])
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


async def forget(connection: Connection, before: datetime) -> None:
    """Delete answers older than a moment: a client does not retry for days."""
    await connection.execute(_FORGET, before)
