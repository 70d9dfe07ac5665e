"""Visits to running halls."""

from typing import Final

import sqlalchemy as sa

from kernel.db.metadata import metadata

oversight_visits: Final = sa.Table(
    "oversight_visits",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("auction_id", sa.Uuid, nullable=False, index=True),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("organisation_name", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("visited_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("purpose IN ('routine', 'inspection', 'complaint', 'audit', 'other')", name="purpose_known"),
    sa.CheckConstraint("purpose = 'routine' OR note <> ''", name="note_given"),
)
