"""Organisations: suspensions that are planned for a day to come."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE organisations ADD COLUMN planned JSONB")
    op.execute("ALTER TABLE organisations DROP CONSTRAINT ck_organisations_due_when_suspended")
    op.execute(
        "ALTER TABLE organisations ADD CONSTRAINT ck_organisations_due_when_registered "
        "CHECK (due_at IS NULL OR status IN ('active', 'suspended', 'leaving'))"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE organisations DROP CONSTRAINT ck_organisations_due_when_registered")
    op.execute("UPDATE organisations SET due_at = NULL WHERE status <> 'suspended'")
    op.execute(
        "ALTER TABLE organisations ADD CONSTRAINT ck_organisations_due_when_suspended "
        "CHECK (due_at IS NULL OR status = 'suspended')"
    )
    op.execute("ALTER TABLE organisations DROP COLUMN planned")
