"""Signings: documents that people sign one after another."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (
        """
        CREATE TABLE signings (
            id UUID NOT NULL CONSTRAINT pk_signings PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_signings_version_positive CHECK (version > 0),
            auction_id UUID NOT NULL,
            number TEXT NOT NULL,
            title TEXT NOT NULL,
            purchaser_id UUID NOT NULL,
            purchaser_name TEXT NOT NULL,
            region TEXT NOT NULL,
            supplier_id UUID,
            supplier_name TEXT NOT NULL,
            turns TEXT NOT NULL CONSTRAINT ck_signings_turns_known CHECK (turns IN ('in-order', 'any-order')),
            signers JSONB NOT NULL,
            marks JSONB NOT NULL,
            waiting UUID[] NOT NULL,
            original TEXT NOT NULL,
            document TEXT NOT NULL,
            size BIGINT NOT NULL CONSTRAINT ck_signings_size_positive CHECK (size > 0),
            stage TEXT NOT NULL CONSTRAINT ck_signings_stage_known
                CHECK (stage IN ('prepared', 'signing', 'completed', 'declined', 'withdrawn')),
            asked_by TEXT NOT NULL,
            asked_at TIMESTAMPTZ NOT NULL,
            changed_at TIMESTAMPTZ NOT NULL,
            reason TEXT NOT NULL,
            ended_by TEXT NOT NULL,
            sealed BOOLEAN NOT NULL,
            stamped BOOLEAN NOT NULL,
            CONSTRAINT ck_signings_digests_form CHECK (original ~ '^[0-9a-f]{64}$' AND document ~ '^[0-9a-f]{64}$'),
            CONSTRAINT ck_signings_reason_given CHECK ((stage IN ('declined', 'withdrawn')) = (reason <> ''))
        )
        """,
        "CREATE INDEX ix_signings_auction_id ON signings (auction_id)",
        "CREATE INDEX ix_signings_purchaser_id ON signings (purchaser_id, asked_at, id)",
        "CREATE INDEX ix_signings_supplier_id ON signings (supplier_id, asked_at, id)",
        "CREATE INDEX ix_signings_region ON signings (region text_pattern_ops, asked_at, id)",
        "CREATE INDEX ix_signings_waiting ON signings USING gin (waiting)",
        "CREATE INDEX ix_signings_due ON signings (changed_at) WHERE stage = 'signing' AND waiting = '{}'",
        """
        CREATE TABLE signing_preparations (
            signing_id UUID NOT NULL,
            user_id UUID NOT NULL,
            id UUID NOT NULL,
            before TEXT NOT NULL,
            tail BYTEA NOT NULL,
            hole_start BIGINT NOT NULL,
            hole_end BIGINT NOT NULL,
            digest BYTEA NOT NULL,
            to_sign BYTEA NOT NULL,
            algorithm TEXT NOT NULL,
            certificates BYTEA[] NOT NULL,
            prepared_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT pk_signing_preparations PRIMARY KEY (signing_id, user_id),
            CONSTRAINT ck_signing_preparations_hole_ordered CHECK (hole_start < hole_end)
        )
        """,
        "CREATE INDEX ix_signing_preparations_prepared_at ON signing_preparations (prepared_at)",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE signings, signing_preparations")
