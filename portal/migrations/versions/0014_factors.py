"""Second factors: one-time codes, passkeys, recovery codes."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (
        """
        CREATE TABLE totp_seeds (
            user_id UUID NOT NULL CONSTRAINT pk_totp_seeds PRIMARY KEY,
            seed BYTEA NOT NULL,
            last_step BIGINT NOT NULL,
            made_at TIMESTAMPTZ NOT NULL,
            confirmed_at TIMESTAMPTZ
        )
        """,
        """
        CREATE TABLE passkeys (
            id UUID NOT NULL CONSTRAINT pk_passkeys PRIMARY KEY,
            user_id UUID NOT NULL,
            credential_id BYTEA NOT NULL CONSTRAINT uq_passkeys_credential_id UNIQUE,
            public_key BYTEA NOT NULL,
            sign_count BIGINT NOT NULL CONSTRAINT ck_passkeys_sign_count_positive CHECK (sign_count >= 0),
            name TEXT NOT NULL,
            added_at TIMESTAMPTZ NOT NULL,
            used_at TIMESTAMPTZ
        )
        """,
        "CREATE INDEX ix_passkeys_user_id ON passkeys (user_id)",
        """
        CREATE TABLE recovery_codes (
            code_hash BYTEA NOT NULL CONSTRAINT pk_recovery_codes PRIMARY KEY,
            user_id UUID NOT NULL
        )
        """,
        "CREATE INDEX ix_recovery_codes_user_id ON recovery_codes (user_id)",
        """
        CREATE TABLE passkey_challenges (
            challenge_hash BYTEA NOT NULL CONSTRAINT pk_passkey_challenges PRIMARY KEY,
            purpose TEXT NOT NULL
                CONSTRAINT ck_passkey_challenges_purpose_known CHECK (purpose IN ('register', 'prove', 'login')),
            user_id UUID,
            expires_at TIMESTAMPTZ NOT NULL
        )
        """,
        "CREATE INDEX ix_passkey_challenges_expires_at ON passkey_challenges (expires_at)",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE totp_seeds, passkeys, recovery_codes, passkey_challenges")
