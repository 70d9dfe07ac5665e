"""The register of organisations."""

from typing import Final

import sqlalchemy as sa

from kernel.db.metadata import metadata

organisations: Final = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("credit_code", sa.Text, nullable=False, unique=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("registered_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint(
        "kind IN ('purchaser', 'supplier', 'agency', 'experts', 'supervisor', 'auditor', 'operator')",
        name="kind_known",
    ),
    sa.CheckConstraint("status IN ('active', 'suspended')", name="status_known"),
    sa.CheckConstraint("length(credit_code) = 18", name="credit_code_length"),
    sa.CheckConstraint("region ~ '^[0-9]{6}$'", name="region_form"),
    sa.Index("ix_organisations_kind_name", "kind", "name", "id"),
)
