"""Sessions have a name, a level and a floor. Those that are open end: nobody knows what was shown in them."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LEVELS = "'password', 'second-factor', 'certificate'"


def upgrade() -> None:
    op.execute("DELETE FROM sessions")
    op.execute(
        f"""
        ALTER TABLE sessions
            ADD COLUMN id UUID NOT NULL CONSTRAINT uq_sessions_id UNIQUE,
            ADD COLUMN level TEXT NOT NULL CONSTRAINT ck_sessions_level_known CHECK (level IN ({_LEVELS})),
            ADD COLUMN floor TEXT NOT NULL CONSTRAINT ck_sessions_floor_known CHECK (floor IN ({_LEVELS})),
            ADD COLUMN proven_at TIMESTAMPTZ NOT NULL
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE sessions DROP COLUMN id, DROP COLUMN level, DROP COLUMN floor, DROP COLUMN proven_at")
