"""Oversight: visits to running halls."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE oversight_visits (
            id UUID NOT NULL CONSTRAINT pk_oversight_visits PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_oversight_visits_version_positive CHECK (version > 0),
            auction_id UUID NOT NULL,
            number TEXT NOT NULL,
            title TEXT NOT NULL,
            region TEXT NOT NULL,
            user_id UUID NOT NULL,
            name TEXT NOT NULL,
            organisation_name TEXT NOT NULL,
            purpose TEXT NOT NULL CONSTRAINT ck_oversight_visits_purpose_known
                CHECK (purpose IN ('routine', 'inspection', 'complaint', 'audit', 'other')),
            note TEXT NOT NULL,
            visited_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT ck_oversight_visits_note_given CHECK (purpose = 'routine' OR note <> '')
        )
        """
    )
    op.execute("CREATE INDEX ix_oversight_visits_auction_id ON oversight_visits (auction_id)")


def downgrade() -> None:
    op.execute("DROP TABLE oversight_visits")
