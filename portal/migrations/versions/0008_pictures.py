"""Pictures of goods: what the journal says of them."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE pictures (
            id UUID NOT NULL CONSTRAINT pk_pictures PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_pictures_version_positive CHECK (version > 0),
            source TEXT NOT NULL CONSTRAINT ck_pictures_source_form CHECK (source ~ '^[0-9a-f]{64}$'),
            digest TEXT NOT NULL CONSTRAINT ck_pictures_digest_form CHECK (digest ~ '^[0-9a-f]{64}$'),
            thumbnail TEXT NOT NULL CONSTRAINT ck_pictures_thumbnail_form CHECK (thumbnail ~ '^[0-9a-f]{64}$'),
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            size_bytes BIGINT NOT NULL,
            organisation_id UUID,
            stored_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT ck_pictures_sizes_positive CHECK (width > 0 AND height > 0 AND size_bytes > 0)
        )
        """
    )
    op.execute("CREATE INDEX ix_pictures_digest ON pictures (digest)")


def downgrade() -> None:
    op.execute("DROP TABLE pictures")
