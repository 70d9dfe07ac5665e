"""Sessions: opaque tokens, hashed at rest."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, UUID

from kernel.db.metadata import metadata

sessions: Final = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", BYTEA, primary_key=True),
    sa.Column("id", UUID(as_uuid=True), nullable=False, unique=True),
    sa.Column("user_id", UUID(as_uuid=True), nullable=False, index=True),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("floor", sa.Text, nullable=False),
    sa.Column("proven_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("opened_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("seen_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("user_agent", sa.Text, nullable=False),
    sa.CheckConstraint("level IN ('password', 'second-factor', 'certificate')", name="level_known"),
    sa.CheckConstraint("floor IN ('password', 'second-factor', 'certificate')", name="floor_known"),
)
