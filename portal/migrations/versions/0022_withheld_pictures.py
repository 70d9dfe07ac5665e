"""Pictures that nobody gets any more, and why."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE pictures ADD COLUMN withheld TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE pictures ALTER COLUMN withheld DROP DEFAULT")


def downgrade() -> None:
    op.execute("ALTER TABLE pictures DROP COLUMN withheld")
