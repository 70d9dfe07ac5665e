"""Products, with what a search needs beside each."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.db.metadata import metadata

products: Final = sa.Table(
    "products",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("edition", sa.Text, nullable=False),
    sa.Column("category_code", sa.Text, nullable=False),
    sa.Column("category_name", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("brand", sa.Text, nullable=False, index=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("attributes", JSONB, nullable=False),
    sa.Column("pictures", JSONB, nullable=False),
    sa.Column("market_price_fen", sa.BigInteger),
    sa.Column("definition_revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("revised_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("search_text", sa.Text, nullable=False),
    sa.Column("brand_key", sa.Text, nullable=False, index=True),
    sa.Column("grams", ARRAY(sa.Integer), nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("status IN ('active', 'withdrawn')", name="status_known"),
    sa.CheckConstraint("market_price_fen > 0", name="market_price_positive"),
    sa.Index("ix_products_grams", "grams", postgresql_using="gin"),
    sa.Index("ix_products_created_at", "created_at", "id"),
    sa.Index("ix_products_category", "edition", "category_code", postgresql_ops={"category_code": "text_pattern_ops"}),
)
