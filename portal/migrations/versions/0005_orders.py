"""Direct orders, their lines, and what purchasers have ordered in a year."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table spendings (
            id uuid not null,
            version bigint not null,
            organisation_id uuid not null,
            year integer not null,
            constraint pk_spendings primary key (id),
            constraint uq_spendings_organisation_id_year unique (organisation_id, year)
        ) with (fillfactor = 70)
    """)
    op.execute("""
        create table spending_categories (
            spending_id uuid not null,
            category text not null,
            amount_fen bigint not null,
            constraint pk_spending_categories primary key (spending_id, category),
            constraint ck_spending_categories_amount_not_negative check (amount_fen >= 0)
        ) with (fillfactor = 70)
    """)
    op.execute("""
        create table orders (
            id uuid not null,
            version bigint not null,
            number text not null,
            stage text not null,
            purchaser_id uuid not null,
            purchaser_name text not null,
            purchaser_region text not null,
            supplier_id uuid not null,
            supplier_name text not null,
            budget_line_id uuid not null,
            budget_line_number text not null,
            year integer not null,
            region text not null,
            address text not null,
            contact text not null,
            phone text not null,
            note text not null,
            total_fen bigint not null,
            limits jsonb not null,
            placed_at timestamptz not null,
            changed_at timestamptz not null,
            reason text not null,
            ended_by text,
            carrier text not null,
            tracking text not null,
            constraint pk_orders primary key (id),
            constraint uq_orders_number unique (number),
            constraint ck_orders_version_positive check (version > 0),
            constraint ck_orders_total_positive check (total_fen > 0),
            constraint ck_orders_stage_known check (stage in (
                'placed', 'accepted', 'refused', 'cancelled', 'shipped', 'received', 'closed')),
            constraint ck_orders_reason_given check ((stage in ('refused', 'cancelled')) = (reason <> '')),
            constraint ck_orders_ended_by_given
                check ((stage in ('refused', 'cancelled')) = (ended_by is not null))
        )
    """)
    op.execute("create index ix_orders_purchaser_id on orders (purchaser_id, id)")
    op.execute("create index ix_orders_supplier_id on orders (supplier_id, id)")
    op.execute("create index ix_orders_purchaser_region on orders (purchaser_region text_pattern_ops, id)")
    op.execute("""
        create table order_lines (
            order_id uuid not null,
            line integer not null,
            offer_id uuid not null,
            offer_revision bigint not null,
            product_id uuid not null,
            product_revision bigint not null,
            definition_revision bigint not null,
            agreement_id uuid not null,
            agreement_number text not null,
            package integer not null,
            edition text not null,
            category_code text not null,
            category_name text not null,
            name text not null,
            brand text not null,
            model text not null,
            unit text not null,
            specs jsonb not null,
            quantity bigint not null,
            price_fen bigint not null,
            agreement_price_fen bigint not null,
            amount_fen bigint not null,
            constraint pk_order_lines primary key (order_id, line),
            constraint ck_order_lines_quantity_positive check (quantity > 0),
            constraint ck_order_lines_price_positive check (price_fen > 0),
            constraint ck_order_lines_price_within_agreement check (price_fen <= agreement_price_fen),
            constraint ck_order_lines_amount_exact check (amount_fen = quantity * price_fen)
        )
    """)


def downgrade() -> None:
    op.execute("drop table order_lines")
    op.execute("drop table orders")
    op.execute("drop table spending_categories")
    op.execute("drop table spendings")
