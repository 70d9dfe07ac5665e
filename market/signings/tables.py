"""State rows of signings, and what was prepared for a signature that is still to come."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

from kernel.db.metadata import metadata
from market.signings.lifecycle import Stage, Turns

_STAGES: Final = ", ".join(f"'{stage}'" for stage in Stage)
_TURNS: Final = ", ".join(f"'{turns}'" for turns in Turns)
_DIGEST: Final = "'^[0-9a-f]{64}$'"

signings: Final = sa.Table(
    "signings",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("auction_id", sa.Uuid, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("purchaser_id", sa.Uuid, nullable=False),
    sa.Column("purchaser_name", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("supplier_id", sa.Uuid, nullable=True),
    sa.Column("supplier_name", sa.Text, nullable=False),
    sa.Column("turns", sa.Text, nullable=False),
    sa.Column("signers", JSONB, nullable=False),
    sa.Column("marks", JSONB, nullable=False),
    sa.Column("waiting", ARRAY(sa.Uuid), nullable=False),
    sa.Column("original", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("changed_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("ended_by", sa.Text, nullable=False),
    sa.Column("sealed", sa.Boolean, nullable=False),
    sa.Column("stamped", sa.Boolean, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("size > 0", name="size_positive"),
    sa.CheckConstraint(f"stage in ({_STAGES})", name="stage_known"),
    sa.CheckConstraint(f"turns in ({_TURNS})", name="turns_known"),
    sa.CheckConstraint(f"original ~ {_DIGEST} and document ~ {_DIGEST}", name="digests_form"),
    sa.CheckConstraint("(stage in ('declined', 'withdrawn')) = (reason <> '')", name="reason_given"),
    sa.Index("ix_signings_auction_id", "auction_id"),
    sa.Index("ix_signings_purchaser_id", "purchaser_id", "asked_at", "id"),
    sa.Index("ix_signings_supplier_id", "supplier_id", "asked_at", "id"),
    sa.Index("ix_signings_region", "region", "asked_at", "id", postgresql_ops={"region": "text_pattern_ops"}),
    sa.Index("ix_signings_waiting", "waiting", postgresql_using="gin"),
    sa.Index("ix_signings_due", "changed_at", postgresql_where=sa.text("stage = 'signing' and waiting = '{}'")),
)

signing_preparations: Final = sa.Table(
    "signing_preparations",
    metadata,
    sa.Column("signing_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("tail", BYTEA, nullable=False),
    sa.Column("hole_start", sa.BigInteger, nullable=False),
    sa.Column("hole_end", sa.BigInteger, nullable=False),
    sa.Column("digest", BYTEA, nullable=False),
    sa.Column("to_sign", BYTEA, nullable=False),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("certificates", ARRAY(BYTEA), nullable=False),
    sa.Column("prepared_at", sa.TIMESTAMP(timezone=True), nullable=False, index=True),
    sa.CheckConstraint("hole_start < hole_end", name="hole_ordered"),
)
