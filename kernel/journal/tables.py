"""The journal's table, the readers of its feed, and the keys of requests already answered."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from kernel.db.metadata import metadata

PARTITIONS: Final = 8
"""Hash partitions of the journal by stream: each stays small enough to vacuum and to move alone."""


class Xid8(sa.types.UserDefinedType[int]):
    """A transaction id that does not wrap around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


journal: Final = sa.Table(
    "journal",
    metadata,
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("xid", Xid8, nullable=False, server_default=sa.text("pg_current_xact_id()")),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("leaf", BYTEA, nullable=False),
    sa.PrimaryKeyConstraint("stream", "version"),
    sa.CheckConstraint("version > 0", name="version_positive"),
    sa.CheckConstraint("octet_length(leaf) = 32", name="leaf_sha256"),
    sa.Index("ix_journal_feed", "xid", "stream", "version"),
    postgresql_partition_by="hash (stream)",
)

feed_readers: Final = sa.Table(
    "feed_readers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("xid", sa.BigInteger, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

idempotency_keys: Final = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Column("answer", BYTEA, nullable=False),
    sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False, index=True),
    sa.PrimaryKeyConstraint("owner", "key"),
)
