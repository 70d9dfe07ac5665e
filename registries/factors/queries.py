"""Every statement about second factors."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from kernel.db.database import Database
from kernel.vault.columns import SealedColumn
from registries.factors.tables import totp_seeds

TOTP_SEED: Final = SealedColumn(totp_seeds.c.seed, totp_seeds.c.user_id, "totp")

_PUT_SEED: Final = """
insert into totp_seeds (user_id, seed, last_step, made_at) values ($1, $2, 0, $3)
on conflict (user_id) do update set seed = excluded.seed, last_step = 0, made_at = excluded.made_at
where totp_seeds.confirmed_at is null returning user_id
"""
_SEED: Final = "select seed, last_step, confirmed_at from totp_seeds where user_id = $1"
_USE_STEP: Final = """
update totp_seeds set last_step = $2, confirmed_at = coalesce(confirmed_at, $3)
where user_id = $1 and last_step < $2 returning user_id
"""
_DROP_SEED: Final = "delete from totp_seeds where user_id = $1 and confirmed_at is not null returning user_id"

_ADD_PASSKEY: Final = """
insert into passkeys (id, user_id, credential_id, public_key, sign_count, name, added_at)
values ($1, $2, $3, $4, $5, $6, $7) on conflict (credential_id) do nothing returning id
"""
_PASSKEY: Final = "select id, user_id, credential_id, public_key, sign_count, name from passkeys"
_USE_PASSKEY: Final = """
update passkeys set sign_count = $2, used_at = $3
where id = $1 and (sign_count < $2 or (sign_count = 0 and $2 = 0)) returning id
"""
_DROP_PASSKEY: Final = "delete from passkeys where user_id = $1 and id = $2 returning name"
_LIST: Final = "select id, name, added_at, used_at from passkeys where user_id = $1 order by added_at, id"

_PUT_CODES: Final = "insert into recovery_codes (code_hash, user_id) select unnest($1::bytea[]), $2"
_DROP_CODES: Final = "delete from recovery_codes where user_id = $1"
_USE_CODE: Final = "delete from recovery_codes where user_id = $1 and code_hash = $2 returning user_id"
_LEFT: Final = "select count(*) from recovery_codes where user_id = $1"

_RESET_AT: Final = """
select (reset->>'at')::timestamptz from users where id = $1 and reset->>'enrolled' = 'false' for share
"""
_DROP_RESET: Final = (
    "delete from totp_seeds where user_id = $1 and made_at <= $2",
    "delete from passkeys where user_id = $1 and added_at <= $2",
)

_PUT_CHALLENGE: Final = """
insert into passkey_challenges (challenge_hash, purpose, user_id, expires_at) values ($1, $2, $3, $4)
"""
_TAKE_CHALLENGE: Final = """
delete from passkey_challenges where challenge_hash = $1 and purpose = $2 and user_id is not distinct from $3
returning expires_at
"""
_SWEEP: Final = "delete from passkey_challenges where expires_at < $1"


class Seed(NamedTuple):
    """A sealed seed, the last step that was used, and whether its owner has shown to have it."""

    sealed: bytes
    last_step: int
    confirmed: bool


class Passkey(NamedTuple):
    """What an assertion is checked against."""

    id: UUID
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str


class PasskeyRow(msgspec.Struct, frozen=True):
    """A passkey as its owner sees it."""

    passkey_id: UUID
    name: str
    added_at: datetime
    used_at: datetime | None


async def put_seed(pool: asyncpg.Pool, user_id: UUID, sealed: bytes, at: datetime) -> bool:
    """Store a seed that is not confirmed yet, in place of another such; ``False`` when one is confirmed already."""
    return await pool.fetchval(_PUT_SEED, user_id, sealed, at) is not None


async def seed_of(pool: asyncpg.Pool, user_id: UUID) -> Seed | None:
    """Read an account's seed."""
    row = await pool.fetchrow(_SEED, user_id)
    return Seed(row["seed"], row["last_step"], row["confirmed_at"] is not None) if row else None


async def use_step(pool: asyncpg.Pool, user_id: UUID, step: int, at: datetime) -> bool:
    """Note that a step's code was used, for the first time; ``False`` when it or a later one was before."""
    return await pool.fetchval(_USE_STEP, user_id, step, at) is not None


async def drop_seed(pool: asyncpg.Pool, user_id: UUID) -> bool:
    """Delete a confirmed seed; ``False`` when there is none."""
    return await pool.fetchval(_DROP_SEED, user_id) is not None


async def add_passkey(pool: asyncpg.Pool, passkey: Passkey, at: datetime) -> bool:
    """Store a passkey; ``False`` when its credential is known, whose ever it is."""
    values = (passkey.id, passkey.user_id, passkey.credential_id, passkey.public_key, passkey.sign_count, passkey.name)
    return await pool.fetchval(_ADD_PASSKEY, *values, at) is not None


async def passkey_of(pool: asyncpg.Pool, credential_id: bytes) -> Passkey | None:
    """Read the passkey that a credential id names."""
    row = await pool.fetchrow(f"{_PASSKEY} where credential_id = $1", credential_id)
    return Passkey(*row) if row else None


async def credentials_of(pool: asyncpg.Pool, user_id: UUID) -> list[Passkey]:
    """Read an account's passkeys."""
    return [Passkey(*row) for row in await pool.fetch(f"{_PASSKEY} where user_id = $1 order by id", user_id)]


async def passkeys_of(pool: asyncpg.Pool, user_id: UUID) -> tuple[PasskeyRow, ...]:
    """List an account's passkeys, the oldest first."""
    return tuple(PasskeyRow(*row) for row in await pool.fetch(_LIST, user_id))


async def use_passkey(pool: asyncpg.Pool, passkey_id: UUID, sign_count: int, at: datetime) -> bool:
    """Note that a passkey was used; ``False`` when its counter has not moved on, as that of a copy would not."""
    return await pool.fetchval(_USE_PASSKEY, passkey_id, sign_count, at) is not None


async def drop_passkey(pool: asyncpg.Pool, user_id: UUID, passkey_id: UUID) -> str | None:
    """Delete one of an account's passkeys and return its name; ``None`` when it has none such."""
    name: str | None = await pool.fetchval(_DROP_PASSKEY, user_id, passkey_id)
    return name


async def replace_codes(db: Database, user_id: UUID, hashes: list[bytes]) -> None:
    """Store recovery codes in place of those before."""
    async with db.pool.acquire() as connection, connection.transaction():
        await connection.execute(_DROP_CODES, user_id)
        await connection.execute(_PUT_CODES, hashes, user_id)


async def use_code(pool: asyncpg.Pool, user_id: UUID, code_hash: bytes) -> bool:
    """Use a recovery code up; ``False`` when there is none such, or no more."""
    return await pool.fetchval(_USE_CODE, user_id, code_hash) is not None


async def drop_codes(pool: asyncpg.Pool, user_id: UUID) -> None:
    """Delete an account's recovery codes."""
    await pool.execute(_DROP_CODES, user_id)


async def drop_reset(db: Database, user_id: UUID) -> None:
    """Delete what an account had before its second factors were reset; nothing once it has set one up again."""
    async with db.pool.acquire() as connection, connection.transaction():
        reset_at = await connection.fetchval(_RESET_AT, user_id)
        if reset_at is not None:
            for statement in _DROP_RESET:
                await connection.execute(statement, user_id, reset_at)
            await connection.execute(_DROP_CODES, user_id)


async def codes_left(pool: asyncpg.Pool, user_id: UUID) -> int:
    """Count the recovery codes that are left."""
    return int(await pool.fetchval(_LEFT, user_id))


async def put_challenge(
    pool: asyncpg.Pool, challenge_hash: bytes, purpose: str, user_id: UUID | None, expires_at: datetime
) -> None:
    """Remember a challenge."""
    await pool.execute(_PUT_CHALLENGE, challenge_hash, purpose, user_id, expires_at)


async def take_challenge(pool: asyncpg.Pool, challenge_hash: bytes, purpose: str, user_id: UUID | None) -> Any:
    """Use a challenge up and return when it ends; ``None`` when it was used, was another's, or never was."""
    return await pool.fetchval(_TAKE_CHALLENGE, challenge_hash, purpose, user_id)


async def sweep(pool: asyncpg.Pool, at: datetime) -> None:
    """Delete challenges that nobody answered."""
    await pool.execute(_SWEEP, at)
