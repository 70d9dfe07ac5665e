"""Certificates of users, and challenges that are signed with them."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE user_certificates (
            id UUID NOT NULL CONSTRAINT pk_user_certificates PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_user_certificates_version_positive CHECK (version > 0),
            user_id UUID NOT NULL,
            organisation_id UUID NOT NULL,
            source TEXT NOT NULL CONSTRAINT ck_user_certificates_source_known CHECK (source IN ('platform', 'outside')),
            fingerprint TEXT NOT NULL CONSTRAINT uq_user_certificates_fingerprint UNIQUE
                CONSTRAINT ck_user_certificates_fingerprint_form CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
            serial TEXT NOT NULL,
            issuer TEXT NOT NULL,
            name TEXT NOT NULL,
            key_algorithm TEXT NOT NULL,
            not_before TIMESTAMPTZ NOT NULL,
            not_after TIMESTAMPTZ NOT NULL,
            der TEXT NOT NULL,
            status TEXT NOT NULL
                CONSTRAINT ck_user_certificates_status_known CHECK (status IN ('active', 'renewed', 'revoked')),
            enrolled_at TIMESTAMPTZ NOT NULL,
            replaces UUID,
            revoked_at TIMESTAMPTZ,
            reason TEXT NOT NULL,
            CONSTRAINT ck_user_certificates_revoked_when CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX ix_user_certificates_user_id ON user_certificates (user_id, enrolled_at)")
    op.execute("CREATE INDEX ix_user_certificates_revoked ON user_certificates (not_after) WHERE status = 'revoked'")
    op.execute(
        """
        CREATE TABLE challenges (
            nonce BYTEA NOT NULL CONSTRAINT pk_challenges PRIMARY KEY
                CONSTRAINT ck_challenges_nonce_length CHECK (length(nonce) = 32),
            purpose TEXT NOT NULL,
            site TEXT NOT NULL,
            binding BYTEA NOT NULL,
            about TEXT NOT NULL,
            issued_at TIMESTAMPTZ NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_challenges_issued_at ON challenges (issued_at)")


def downgrade() -> None:
    op.execute("DROP TABLE challenges")
    op.execute("DROP TABLE user_certificates")
