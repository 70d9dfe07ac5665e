"""What holds inside an organisation; the history is in the journal."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from kernel.db.metadata import metadata

controls: Final = sa.Table(
    "controls",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("settings", JSONB, nullable=False),
    sa.CheckConstraint("version > 0", name="version_positive"),
)
