"""Users: who gave the password, and the last reset of the second factors."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN password_given_by UUID, ADD COLUMN reset JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE users DROP COLUMN password_given_by, DROP COLUMN reset")
