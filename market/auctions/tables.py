"""State rows of auctions."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.db.metadata import metadata

_STAGES: Final = "'draft', 'published', 'live', 'paused', 'closed', 'awarded', 'failed'"

auctions: Final = sa.Table(
    "auctions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("purchaser_id", sa.Uuid, nullable=False),
    sa.Column("purchaser_name", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("ceiling_fen", sa.BigInteger, nullable=False),
    sa.Column("visibility", sa.Text, nullable=False),
    sa.Column("starts_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("published_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("admitted", ARRAY(sa.Uuid), nullable=False),
    sa.Column("barred", ARRAY(sa.Uuid), nullable=False),
    sa.Column("live_from", sa.TIMESTAMP(timezone=True)),
    sa.Column("closes_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("remaining_ms", sa.BigInteger),
    sa.Column("extensions", sa.Integer, nullable=False),
    sa.Column("short_extended", sa.Boolean, nullable=False),
    sa.Column("bidder_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("awarded_to", sa.Uuid),
    sa.Column("ended_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("cause", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("next_due_at", sa.TIMESTAMP(timezone=True)),
    sa.CheckConstraint(f"stage IN ({_STAGES})", name="stage_known"),
    sa.CheckConstraint("visibility IN ('rank', 'best', 'both')", name="visibility_known"),
    sa.CheckConstraint("ceiling_fen > 0", name="ceiling_positive"),
    sa.CheckConstraint("stage NOT IN ('live', 'closed') OR closes_at IS NOT NULL", name="live_closes"),
    sa.CheckConstraint("(stage = 'paused') = (remaining_ms IS NOT NULL) OR stage = 'failed'", name="paused_remains"),
    sa.CheckConstraint("(stage IN ('published', 'live')) = (next_due_at IS NOT NULL)", name="open_falls_due"),
    sa.CheckConstraint("(stage = 'awarded') = (awarded_to IS NOT NULL)", name="awarded_to_someone"),
    sa.Index("ix_auctions_next_due_at", "next_due_at", postgresql_where=sa.text("next_due_at IS NOT NULL")),
    sa.Index("ix_auctions_purchaser_id_id", "purchaser_id", "id"),
    sa.Index("ix_auctions_stage_id", "stage", "id"),
    sa.Index("ix_auctions_admitted", "admitted", postgresql_using="gin"),
    sa.Index("ix_auctions_bidder_ids", "bidder_ids", postgresql_using="gin"),
)
"""
What changes seldom: terms, stage, who has bid. ``next_due_at`` is when the auction starts or closes by itself;
``bidder_ids`` repeats who has offered, indexed, for the list of where somebody has bid.
"""

auction_standings: Final = sa.Table(
    "auction_standings",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("ceiling_fen", sa.BigInteger, nullable=False),
    sa.Column("bidders", sa.Integer, nullable=False),
    sa.Column("offers", sa.BigInteger, nullable=False),
    sa.Column("best_fen", sa.BigInteger),
    sa.Column("standings", sa.Text, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("best_fen > 0 AND best_fen <= ceiling_fen", name="best_within_ceiling"),
    sa.CheckConstraint("offers >= bidders", name="offers_of_bidders"),
    postgresql_with={"fillfactor": 50},
)
"""
What every offer changes: one narrow row an auction (ADR-0017), with no index but its key.

``version`` is that of the auction. ``standings`` is a JSON document, each bidder's place (label, name, last offer): it
is read and written whole, so it is text.
"""
