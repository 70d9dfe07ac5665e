"""What categories ask of their products."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata

category_definitions: Final = sa.Table(
    "category_definitions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("edition", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("attributes", JSONB, nullable=False),
    sa.Column("shapes", JSONB, nullable=False),
    sa.UniqueConstraint("edition", "code"),
    sa.CheckConstraint("version > 0", name="version_positive"),
)
