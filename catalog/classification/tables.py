"""Editions of the classification and their codes."""

from typing import Final

import sqlalchemy as sa

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
