"""What proves an account beside its password. Not derived from the journal, as the password is not (ADR 0020)."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from kernel.db.metadata import metadata

_AT: Final = sa.TIMESTAMP(timezone=True)

totp_seeds: Final = sa.Table(
    "totp_seeds",
    metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("seed", BYTEA, nullable=False),
    sa.Column("last_step", sa.BigInteger, nullable=False),
    sa.Column("made_at", _AT, nullable=False),
    sa.Column("confirmed_at", _AT),
)

passkeys: Final = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False, index=True),
    sa.Column("credential_id", BYTEA, nullable=False, unique=True),
    sa.Column("public_key", BYTEA, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("added_at", _AT, nullable=False),
    sa.Column("used_at", _AT),
    sa.CheckConstraint("sign_count >= 0", name="sign_count_positive"),
)

recovery_codes: Final = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("code_hash", BYTEA, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False, index=True),
)

passkey_challenges: Final = sa.Table(
    "passkey_challenges",
    metadata,
    sa.Column("challenge_hash", BYTEA, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("user_id", sa.Uuid),
    sa.Column("expires_at", _AT, nullable=False, index=True),
    sa.CheckConstraint("purpose IN ('register', 'prove', 'login')", name="purpose_known"),
)
