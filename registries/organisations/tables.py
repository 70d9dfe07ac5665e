"""The register of organisations, and those who applied for it."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata

_STATUSES: Final = "'applied', 'returned', 'refused', 'withdrawn', 'active', 'suspended', 'leaving', 'deregistered'"
_HOLDS: Final = "status NOT IN ('refused', 'withdrawn', 'deregistered')"

organisations: Final = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("credit_code", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("registered_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("applied_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("details", JSONB, nullable=False),
    sa.Column("faults", JSONB, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("pending", JSONB, nullable=False),
    sa.Column("suspension", JSONB, nullable=False),
    sa.Column("planned", JSONB),
    sa.Column("review_region", sa.Text, nullable=False),
    sa.Column("waiting_since", sa.TIMESTAMP(timezone=True)),
    sa.Column("due_at", sa.TIMESTAMP(timezone=True)),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint(
        "kind IN ('purchaser', 'supplier', 'agency', 'experts', 'supervisor', 'auditor', 'operator')",
        name="kind_known",
    ),
    sa.CheckConstraint(f"status IN ({_STATUSES})", name="status_known"),
    sa.CheckConstraint("length(credit_code) = 18", name="credit_code_length"),
    sa.CheckConstraint("region ~ '^[0-9]{6}$'", name="region_form"),
    sa.CheckConstraint(
        "status NOT IN ('active', 'suspended', 'leaving') OR registered_at IS NOT NULL", name="registered"
    ),
    sa.CheckConstraint("due_at IS NULL OR status IN ('active', 'suspended', 'leaving')", name="due_when_registered"),
    sa.Index("uq_organisations_credit_code_held", "credit_code", unique=True, postgresql_where=sa.text(_HOLDS)),
    sa.Index("uq_organisations_number", "number", unique=True, postgresql_where=sa.text("number <> ''")),
    sa.Index("ix_organisations_kind_name", "kind", "name", "id"),
    sa.Index(
        "ix_organisations_waiting_since", "waiting_since", "id", postgresql_where=sa.text("waiting_since IS NOT NULL")
    ),
    sa.Index("ix_organisations_due_at", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
)
"""
``details``, ``pending``, ``suspension`` and ``planned`` are documents of their structs. ``review_region``,
``waiting_since`` and ``due_at`` follow from the state: whose desk it lies on, since when, and when a suspension begins
or lapses. A credit code is held by one organisation that is registered or in review; one that was struck off or turned
down may come again.
"""
