"""Registries: organisations, users, credentials."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE organisations (
            id UUID NOT NULL CONSTRAINT pk_organisations PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_organisations_version_positive CHECK (version > 0),
            kind TEXT NOT NULL CONSTRAINT ck_organisations_kind_known
                CHECK (kind IN ('purchaser', 'supplier', 'supervisor', 'operator')),
            name TEXT NOT NULL,
            credit_code TEXT NOT NULL CONSTRAINT uq_organisations_credit_code UNIQUE
                CONSTRAINT ck_organisations_credit_code_length CHECK (length(credit_code) = 18),
            region TEXT NOT NULL CONSTRAINT ck_organisations_region_form CHECK (region ~ '^[0-9]{6}$'),
            status TEXT NOT NULL CONSTRAINT ck_organisations_status_known CHECK (status IN ('active', 'suspended')),
            registered_at TIMESTAMPTZ NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_organisations_kind_name ON organisations (kind, name, id)")
    op.execute(
        """
        CREATE TABLE users (
            id UUID NOT NULL CONSTRAINT pk_users PRIMARY KEY,
            version BIGINT NOT NULL CONSTRAINT ck_users_version_positive CHECK (version > 0),
            login TEXT NOT NULL CONSTRAINT uq_users_login UNIQUE
                CONSTRAINT ck_users_login_lower CHECK (login = lower(login)),
            name TEXT NOT NULL,
            organisation_id UUID NOT NULL,
            roles JSONB NOT NULL,
            status TEXT NOT NULL CONSTRAINT ck_users_status_known CHECK (status IN ('active', 'disabled')),
            created_at TIMESTAMPTZ NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_users_organisation_id ON users (organisation_id)")
    op.execute(
        """
        CREATE TABLE credentials (
            user_id UUID NOT NULL CONSTRAINT pk_credentials PRIMARY KEY,
            password_hash TEXT NOT NULL CONSTRAINT ck_credentials_hash_argon2id
                CHECK (password_hash LIKE '$argon2id$%'),
            set_at TIMESTAMPTZ NOT NULL
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE credentials")
    op.execute("DROP TABLE users")
    op.execute("DROP TABLE organisations")
