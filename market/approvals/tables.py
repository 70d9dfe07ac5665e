"""State rows of approval requests."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata
from market.approvals.lifecycle import Stage

_STAGES: Final = ", ".join(f"'{stage}'" for stage in Stage)

approvals: Final = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("purchaser_id", sa.Uuid, nullable=False),
    sa.Column("supplier_name", sa.Text, nullable=False),
    sa.Column("total_fen", sa.BigInteger, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Column("approval_from_fen", sa.BigInteger, nullable=False),
    sa.Column("handler_id", sa.Uuid, nullable=False),
    sa.Column("handler_name", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("changed_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("order_id", sa.Uuid, nullable=True, unique=True),
    sa.Column("order_number", sa.Text, nullable=False),
    sa.Column("confirmed", JSONB, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint(f"stage in ({_STAGES})", name="stage_known"),
    sa.CheckConstraint("approval_from_fen > 0 and total_fen >= approval_from_fen", name="limit_reached"),
    sa.CheckConstraint("(stage = 'returned') = (reason <> '')", name="reason_given"),
    sa.CheckConstraint("(stage = 'approved') = (order_id is not null)", name="order_named"),
    sa.Index("ix_approvals_purchaser_id", "purchaser_id", "id"),
    sa.Index("ix_approvals_pending", "purchaser_id", "id", postgresql_where=sa.text("stage = 'pending'")),
)
