"""Users, and beside them what proves who they are."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata

users: Final = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("login", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("organisation_id", sa.Uuid, nullable=False, index=True),
    sa.Column("roles", JSONB, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("password_given_by", sa.Uuid),
    sa.Column("reset", JSONB),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("login = lower(login)", name="login_lower"),
    sa.CheckConstraint("status IN ('active', 'disabled')", name="status_known"),
)

# Not derived from the journal, on purpose: a hash can be attacked for as long as it is kept.
credentials: Final = sa.Table(
    "credentials",
    metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("set_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("password_hash LIKE '$argon2id$%'", name="hash_argon2id"),
)
