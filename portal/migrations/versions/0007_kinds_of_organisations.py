"""Agencies, pools of experts and auditors are organisations too."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BEFORE = "'purchaser', 'supplier', 'supervisor', 'operator'"
_AFTER = "'purchaser', 'supplier', 'agency', 'experts', 'supervisor', 'auditor', 'operator'"


def upgrade() -> None:
    _allow(_AFTER)


def downgrade() -> None:
    _allow(_BEFORE)


def _allow(kinds: str) -> None:
    op.execute("ALTER TABLE organisations DROP CONSTRAINT ck_organisations_kind_known")
    op.execute(f"ALTER TABLE organisations ADD CONSTRAINT ck_organisations_kind_known CHECK (kind IN ({kinds}))")
