"""Certificates of users."""

from typing import Final

import sqlalchemy as sa

from kernel.db.metadata import metadata

user_certificates: Final = sa.Table(
    "user_certificates",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("organisation_id", sa.Uuid, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False, unique=True),
    sa.Column("serial", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key_algorithm", sa.Text, nullable=False),
    sa.Column("not_before", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("not_after", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("der", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("enrolled_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("replaces", sa.Uuid),
    sa.Column("revoked_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("source IN ('platform', 'outside')", name="source_known"),
    sa.CheckConstraint("status IN ('active', 'renewed', 'revoked')", name="status_known"),
    sa.CheckConstraint("fingerprint ~ '^[0-9a-f]{64}$'", name="fingerprint_form"),
    sa.CheckConstraint("(status = 'revoked') = (revoked_at IS NOT NULL)", name="revoked_when"),
    sa.Index("ix_user_certificates_user_id", "user_id", "enrolled_at"),
    sa.Index("ix_user_certificates_revoked", "not_after", postgresql_where=sa.text("status = 'revoked'")),
)
