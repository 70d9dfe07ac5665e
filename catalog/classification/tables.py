"""Editions of the classification, their codes, and what categories ask of products."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata

classifications: Final = sa.Table(
    "classifications",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("edition", sa.Text, nullable=False, unique=True),
    sa.Column("loads", sa.BigInteger, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
)

classification_codes: Final = sa.Table(
    "classification_codes",
    metadata,
    sa.Column("edition", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("parent", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, index=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("edition", "code"),
    sa.Index("ix_classification_codes_parent", "edition", "parent", "code"),
)

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
