"""Budget lines, what open orders keep of them, and their double entries."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table budget_lines (
            id uuid not null,
            version bigint not null,
            number text not null,
            name text not null,
            year integer not null,
            organisation_id uuid not null,
            region text not null,
            appropriated_fen bigint not null,
            available_fen bigint not null,
            reserved_fen bigint not null,
            consumed_fen bigint not null,
            constraint pk_budget_lines primary key (id),
            constraint uq_budget_lines_number unique (number),
            constraint ck_budget_lines_available_not_negative check (available_fen >= 0),
            constraint ck_budget_lines_reserved_not_negative check (reserved_fen >= 0),
            constraint ck_budget_lines_consumed_not_negative check (consumed_fen >= 0),
            constraint ck_budget_lines_conserved
                check (appropriated_fen = available_fen + reserved_fen + consumed_fen)
        ) with (fillfactor = 70)
    """)
    op.execute("""
        create index ix_budget_lines_organisation_id_year_number on budget_lines (organisation_id, year, number)
    """)
    op.execute("""
        create table budget_reservations (
            line_id uuid not null,
            order_id uuid not null,
            amount_fen bigint not null,
            constraint pk_budget_reservations primary key (line_id, order_id),
            constraint ck_budget_reservations_amount_positive check (amount_fen > 0)
        )
    """)
    op.execute("""
        create table budget_postings (
            line_id uuid not null,
            version bigint not null,
            at timestamptz not null,
            debit text not null,
            credit text not null,
            amount_fen bigint not null,
            order_id uuid,
            constraint pk_budget_postings primary key (line_id, version),
            constraint ck_budget_postings_amount_positive check (amount_fen > 0),
            constraint ck_budget_postings_two_accounts check (debit <> credit),
            constraint ck_budget_postings_accounts check (
                debit in ('appropriated', 'available', 'reserved', 'consumed')
                and credit in ('appropriated', 'available', 'reserved', 'consumed'))
        )
    """)


def downgrade() -> None:
    op.execute("drop table budget_postings")
    op.execute("drop table budget_reservations")
    op.execute("drop table budget_lines")
