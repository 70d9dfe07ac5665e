"""Challenges that nobody has answered yet. They are no part of the journal: they prove nothing afterwards."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from kernel.db.metadata import metadata

challenges: Final = sa.Table(
    "challenges",
    metadata,
    sa.Column("nonce", BYTEA, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("binding", BYTEA, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("issued_at", sa.TIMESTAMP(timezone=True), nullable=False, index=True),
    sa.CheckConstraint("length(nonce) = 32", name="nonce_length"),
)
