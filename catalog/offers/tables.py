"""Offers: the prices and quotas that orders are placed against."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from kernel.db.metadata import metadata

offers: Final = sa.Table(
    "offers",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("product_id", sa.Uuid, nullable=False, index=True),
    sa.Column("supplier_id", sa.Uuid, nullable=False),
    sa.Column("agreement_id", sa.Uuid, nullable=False, index=True),
    sa.Column("package", sa.Integer, nullable=False),
    sa.Column("agreement_price_fen", sa.BigInteger, nullable=False),
    sa.Column("price_fen", sa.BigInteger, nullable=False),
    sa.Column("quota", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("consumed", sa.BigInteger, nullable=False),
    sa.Column("regions", ARRAY(sa.Text), nullable=False),
    sa.Column("on_shelf", sa.Boolean, nullable=False),
    sa.Column("listed_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("price_fen > 0", name="price_positive"),
    sa.CheckConstraint("price_fen <= agreement_price_fen", name="price_within_agreement"),
    sa.CheckConstraint("reserved >= 0 AND consumed >= 0", name="quantities_not_negative"),
    sa.CheckConstraint("reserved + consumed <= quota", name="not_oversold"),
    sa.UniqueConstraint("product_id", "agreement_id", "supplier_id"),
    sa.Index("ix_offers_supplier_id", "supplier_id", "id"),
    # A page of offers is rewritten at every order: leave room so that the new row stays beside the old.
    postgresql_with={"fillfactor": "80"},
)
