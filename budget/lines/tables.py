"""Tables of the budget: lines, what open orders keep, and every double entry."""

from typing import Final

import sqlalchemy as sa

from budget.lines.rules import Account
from kernel.db.metadata import metadata

_ACCOUNTS: Final = ", ".join(f"'{account}'" for account in Account)

budget_lines: Final = sa.Table(
    "budget_lines",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    sa.Column("organisation_id", sa.Uuid, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("appropriated_fen", sa.BigInteger, nullable=False),
    sa.Column("available_fen", sa.BigInteger, nullable=False),
    sa.Column("reserved_fen", sa.BigInteger, nullable=False),
    sa.Column("consumed_fen", sa.BigInteger, nullable=False),
    sa.CheckConstraint("available_fen >= 0", name="available_not_negative"),
    sa.CheckConstraint("reserved_fen >= 0", name="reserved_not_negative"),
    sa.CheckConstraint("consumed_fen >= 0", name="consumed_not_negative"),
    sa.CheckConstraint("appropriated_fen = available_fen + reserved_fen + consumed_fen", name="conserved"),
    sa.Index("ix_budget_lines_organisation_id_year_number", "organisation_id", "year", "number"),
)

budget_reservations: Final = sa.Table(
    "budget_reservations",
    metadata,
    sa.Column("line_id", sa.Uuid, primary_key=True),
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.CheckConstraint("amount_fen > 0", name="amount_positive"),
)

budget_postings: Final = sa.Table(
    "budget_postings",
    metadata,
    sa.Column("line_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("debit", sa.Text, nullable=False),
    sa.Column("credit", sa.Text, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("order_id", sa.Uuid, nullable=True),
    sa.CheckConstraint("amount_fen > 0", name="amount_positive"),
    sa.CheckConstraint("debit <> credit", name="two_accounts"),
    sa.CheckConstraint(f"debit in ({_ACCOUNTS}) and credit in ({_ACCOUNTS})", name="accounts"),
)
