"""Orders and their lines, frozen as they were placed; only the stage and what comes with it moves."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata
from market.orders.lifecycle import Stage

_STAGES: Final = ", ".join(f"'{stage}'" for stage in Stage)

orders: Final = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("purchaser_id", sa.Uuid, nullable=False),
    sa.Column("purchaser_name", sa.Text, nullable=False),
    sa.Column("purchaser_region", sa.Text, nullable=False),
    sa.Column("supplier_id", sa.Uuid, nullable=False),
    sa.Column("supplier_name", sa.Text, nullable=False),
    sa.Column("budget_line_id", sa.Uuid, nullable=False),
    sa.Column("budget_line_number", sa.Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("contact", sa.Text, nullable=False),
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("total_fen", sa.BigInteger, nullable=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("placed_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("changed_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("ended_by", sa.Text, nullable=True),
    sa.Column("carrier", sa.Text, nullable=False),
    sa.Column("tracking", sa.Text, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("total_fen > 0", name="total_positive"),
    sa.CheckConstraint(f"stage in ({_STAGES})", name="stage_known"),
    sa.CheckConstraint("(stage in ('refused', 'cancelled')) = (reason <> '')", name="reason_given"),
    sa.CheckConstraint("(stage in ('refused', 'cancelled')) = (ended_by is not null)", name="ended_by_given"),
    sa.Index("ix_orders_purchaser_id", "purchaser_id", "id"),
    sa.Index("ix_orders_supplier_id", "supplier_id", "id"),
    sa.Index(
        "ix_orders_purchaser_region", "purchaser_region", "id", postgresql_ops={"purchaser_region": "text_pattern_ops"}
    ),
)

order_lines: Final = sa.Table(
    "order_lines",
    metadata,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True),
    sa.Column("offer_id", sa.Uuid, nullable=False),
    sa.Column("offer_revision", sa.BigInteger, nullable=False),
    sa.Column("product_id", sa.Uuid, nullable=False),
    sa.Column("product_revision", sa.BigInteger, nullable=False),
    sa.Column("definition_revision", sa.BigInteger, nullable=False),
    sa.Column("agreement_id", sa.Uuid, nullable=False),
    sa.Column("agreement_number", sa.Text, nullable=False),
    sa.Column("package", sa.Integer, nullable=False),
    sa.Column("edition", sa.Text, nullable=False),
    sa.Column("category_code", sa.Text, nullable=False),
    sa.Column("category_name", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("brand", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("specs", JSONB, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("price_fen", sa.BigInteger, nullable=False),
    sa.Column("agreement_price_fen", sa.BigInteger, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.CheckConstraint("quantity > 0", name="quantity_positive"),
    sa.CheckConstraint("price_fen > 0", name="price_positive"),
    sa.CheckConstraint("price_fen <= agreement_price_fen", name="price_within_agreement"),
    sa.CheckConstraint("amount_fen = quantity * price_fen", name="amount_exact"),
)
