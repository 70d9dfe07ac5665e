"""Internal control, and requests for approval."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (
        """
        CREATE TABLE controls (
            id UUID NOT NULL CONSTRAINT pk_controls PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_controls_version_positive CHECK (version > 0),
            settings JSONB NOT NULL
        )
        """,
        """
        CREATE TABLE approvals (
            id UUID NOT NULL CONSTRAINT pk_approvals PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_approvals_version_positive CHECK (version > 0),
            number TEXT NOT NULL CONSTRAINT uq_approvals_number UNIQUE,
            purchaser_id UUID NOT NULL,
            supplier_name TEXT NOT NULL,
            total_fen BIGINT NOT NULL,
            terms JSONB NOT NULL,
            approval_from_fen BIGINT NOT NULL,
            handler_id UUID NOT NULL,
            handler_name TEXT NOT NULL,
            stage TEXT NOT NULL CONSTRAINT ck_approvals_stage_known
                CHECK (stage IN ('pending', 'approved', 'returned', 'withdrawn')),
            asked_at TIMESTAMPTZ NOT NULL,
            changed_at TIMESTAMPTZ NOT NULL,
            decided_by TEXT NOT NULL,
            reason TEXT NOT NULL,
            order_id UUID CONSTRAINT uq_approvals_order_id UNIQUE,
            order_number TEXT NOT NULL,
            confirmed JSONB NOT NULL,
            CONSTRAINT ck_approvals_limit_reached
                CHECK (approval_from_fen > 0 AND total_fen >= approval_from_fen),
            CONSTRAINT ck_approvals_reason_given CHECK ((stage = 'returned') = (reason <> '')),
            CONSTRAINT ck_approvals_order_named CHECK ((stage = 'approved') = (order_id IS NOT NULL))
        )
        """,
        "CREATE INDEX ix_approvals_purchaser_id ON approvals (purchaser_id, id)",
        "CREATE INDEX ix_approvals_pending ON approvals (purchaser_id, id) WHERE stage = 'pending'",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE approvals, controls")
