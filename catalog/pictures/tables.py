"""Pictures: what the journal says of them; the files are in the store of blobs."""

from typing import Final

import sqlalchemy as sa

from kernel.db.metadata import metadata

pictures: Final = sa.Table(
    "pictures",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, index=True),
    sa.Column("thumbnail", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("organisation_id", sa.Uuid),
    sa.Column("stored_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("withheld", sa.Text, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("source ~ '^[0-9a-f]{64}$'", name="source_form"),
    sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest_form"),
    sa.CheckConstraint("thumbnail ~ '^[0-9a-f]{64}$'", name="thumbnail_form"),
    sa.CheckConstraint("width > 0 AND height > 0 AND size_bytes > 0", name="sizes_positive"),
)
