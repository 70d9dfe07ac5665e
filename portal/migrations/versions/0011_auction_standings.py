"""What offers change of an auction, in a row of its own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MOVED = ("version", "offers", "standings", "best_fen")


def upgrade() -> None:
    op.create_table(
        "auction_standings",
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
    op.execute(
        "insert into auction_standings (id, version, ceiling_fen, bidders, offers, best_fen, standings) "
        "select id, version, ceiling_fen, cardinality(bidder_ids), offers, best_fen, standings::text from auctions"
    )
    for name in ("version_positive", "best_within_ceiling", "offers_of_bidders"):
        op.drop_constraint(op.f(f"ck_auctions_{name}"), "auctions")
    for name in _MOVED:
        op.drop_column("auctions", name)
    op.create_check_constraint(op.f("ck_auctions_ceiling_positive"), "auctions", "ceiling_fen > 0")
    op.execute("alter table auctions reset (fillfactor)")


def downgrade() -> None:
    op.execute("alter table auctions set (fillfactor = 60)")
    op.drop_constraint(op.f("ck_auctions_ceiling_positive"), "auctions")
    op.add_column("auctions", sa.Column("version", sa.BigInteger))
    op.add_column("auctions", sa.Column("offers", sa.BigInteger))
    op.add_column("auctions", sa.Column("standings", JSONB))
    op.add_column("auctions", sa.Column("best_fen", sa.BigInteger))
    op.execute(
        "update auctions a set version = s.version, offers = s.offers, best_fen = s.best_fen, "
        "standings = s.standings::jsonb from auction_standings s where s.id = a.id"
    )
    for name in ("version", "offers", "standings"):
        op.alter_column("auctions", name, nullable=False)
    op.execute("alter table auctions alter column standings set storage external")
    op.create_check_constraint(op.f("ck_auctions_version_positive"), "auctions", "version > 0")
    op.create_check_constraint(
        op.f("ck_auctions_best_within_ceiling"),
        "auctions",
        "ceiling_fen > 0 AND best_fen > 0 AND best_fen <= ceiling_fen",
    )
    op.create_check_constraint(op.f("ck_auctions_offers_of_bidders"), "auctions", "offers >= cardinality(bidder_ids)")
    op.drop_table("auction_standings")
