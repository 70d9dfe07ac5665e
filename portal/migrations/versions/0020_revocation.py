"""Revocation lists and answers of outside authorities, fetched where their certificates say."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE revocation_answers (
            name BYTEA NOT NULL CONSTRAINT pk_revocation_answers PRIMARY KEY
                CONSTRAINT ck_revocation_answers_name_sha256 CHECK (octet_length(name) = 32),
            kind TEXT NOT NULL CONSTRAINT ck_revocation_answers_kind_known CHECK (kind IN ('crl', 'ocsp')),
            url TEXT NOT NULL,
            issuer BYTEA NOT NULL,
            certificate BYTEA NOT NULL,
            asked_at TIMESTAMPTZ NOT NULL,
            due_at TIMESTAMPTZ NOT NULL,
            body BYTEA,
            this_update TIMESTAMPTZ,
            next_update TIMESTAMPTZ,
            fetched_at TIMESTAMPTZ,
            failed_at TIMESTAMPTZ,
            failures INTEGER NOT NULL CONSTRAINT ck_revocation_answers_failures_count CHECK (failures >= 0),
            failure TEXT NOT NULL,
            CONSTRAINT ck_revocation_answers_body_whole CHECK (
                num_nulls(body, this_update, next_update, fetched_at) IN (0, 4) AND this_update <= next_update
            )
        )
    """)
    op.execute("CREATE INDEX ix_revocation_answers_due_at ON revocation_answers (due_at)")


def downgrade() -> None:
    op.execute("DROP TABLE revocation_answers")
