"""Copies of licences: what the journal says of them; the files are in the store of blobs."""

from typing import Final

import sqlalchemy as sa

from kernel.db.metadata import metadata

licences: Final = sa.Table(
    "licences",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("organisation_id", sa.Uuid, nullable=False, index=True),
    sa.Column("digest", sa.Text, nullable=False, index=True),
    sa.Column("media", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("filed_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest_form"),
    sa.CheckConstraint("media IN ('application/pdf', 'image/jpeg', 'image/png')", name="media_known"),
    sa.CheckConstraint("size_bytes > 0", name="size_positive"),
)
