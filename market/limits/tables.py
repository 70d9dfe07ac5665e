"""What purchasers have ordered in a year, by category."""

from typing import Final

import sqlalchemy as sa

from kernel.db.metadata import metadata

spendings: Final = sa.Table(
    "spendings",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("organisation_id", sa.Uuid, nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    sa.UniqueConstraint("organisation_id", "year"),
)

spending_categories: Final = sa.Table(
    "spending_categories",
    metadata,
    sa.Column("spending_id", sa.Uuid, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.CheckConstraint("amount_fen >= 0", name="amount_not_negative"),
)
