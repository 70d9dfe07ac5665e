"""Licences: copies that organisations hand in for their registration."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE licences (
            id UUID NOT NULL CONSTRAINT pk_licences PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_licences_version_positive CHECK (version > 0),
            organisation_id UUID NOT NULL,
            digest TEXT NOT NULL CONSTRAINT ck_licences_digest_form CHECK (digest ~ '^[0-9a-f]{64}$'),
            media TEXT NOT NULL CONSTRAINT ck_licences_media_known
                CHECK (media IN ('application/pdf', 'image/jpeg', 'image/png')),
            size_bytes BIGINT NOT NULL CONSTRAINT ck_licences_size_positive CHECK (size_bytes > 0),
            filed_at TIMESTAMPTZ NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_licences_organisation_id ON licences (organisation_id)")
    op.execute("CREATE INDEX ix_licences_digest ON licences (digest)")


def downgrade() -> None:
    op.execute("DROP TABLE licences")
