"""Framework agreements and who is admitted to them."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.db.metadata import metadata

agreements: Final = sa.Table(
    "agreements",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("organiser", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_to", sa.Date, nullable=False),
    sa.Column("regions", ARRAY(sa.Text), nullable=False),
    sa.Column("packages", JSONB, nullable=False),
    sa.Column("removed", JSONB, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("concluded_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("valid_from <= valid_to", name="period_forward"),
    sa.CheckConstraint("status IN ('concluded', 'terminated')", name="status_known"),
    sa.CheckConstraint("subject IN ('goods', 'services')", name="subject_known"),
)

agreement_suppliers: Final = sa.Table(
    "agreement_suppliers",
    metadata,
    sa.Column("agreement_id", sa.Uuid, sa.ForeignKey("agreements.id", ondelete="CASCADE"), nullable=False),
    sa.Column("package", sa.Integer, nullable=False),
    sa.Column("supplier_id", sa.Uuid, nullable=False, index=True),
    sa.PrimaryKeyConstraint("agreement_id", "package", "supplier_id"),
)
