"""The log's tables: nothing in them is ever changed, and the service may not (migration 0010)."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from kernel.db.metadata import metadata

log_entries: Final = sa.Table(
    "log_entries",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("salt", BYTEA),
    sa.Column("hash", BYTEA, nullable=False),
    sa.UniqueConstraint("stream", "version"),
    sa.CheckConstraint("number >= 0", name="number_counts"),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_sha256"),
    sa.CheckConstraint("octet_length(salt) = 32", name="salt_long"),
    sa.Index("ix_log_entries_hash", "hash", postgresql_using="hash"),
)
"""Which leaf of the log a journal entry is; ``salt`` where the leaf is a commitment; ``hash`` is the leaf's hash."""

log_nodes: Final = sa.Table(
    "log_nodes",
    metadata,
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    sa.PrimaryKeyConstraint("level", "number"),
    sa.CheckConstraint("level BETWEEN 1 AND 7", name="level_above_leaves"),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_sha256"),
)
"""The hashes of full tiles, where they stand in the tiles of the level above; level 0 are the entries."""

log_checkpoints: Final = sa.Table(
    "log_checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", BYTEA, nullable=False),
    sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False, index=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.CheckConstraint("octet_length(root) = 32", name="root_sha256"),
)
"""What the log signed: one checkpoint a batch."""

log_cosignatures: Final = sa.Table(
    "log_cosignatures",
    metadata,
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("witness", sa.Text, nullable=False),
    sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("size", "witness"),
)
"""The first cosignature of each witness under each checkpoint that it was shown."""

log_keys: Final = sa.Table(
    "log_keys",
    metadata,
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("vkey", sa.Text, nullable=False),
    sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint("purpose", "vkey"),
    sa.CheckConstraint("purpose IN ('log', 'receipts')", name="purpose_known"),
)
"""The public keys: the log's one, and those that sign receipts."""
