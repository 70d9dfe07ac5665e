"""The transparency log over the journal: entries, nodes, checkpoints, cosignatures, keys; all append-only."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("log_entries", "log_nodes", "log_checkpoints", "log_cosignatures", "log_keys")


def upgrade() -> None:
    op.execute("""
        create table log_entries (
            number bigint constraint pk_log_entries primary key
                constraint ck_log_entries_number_counts check (number >= 0),
            stream text not null,
            version bigint not null,
            salt bytea constraint ck_log_entries_salt_long check (octet_length(salt) = 32),
            hash bytea not null constraint ck_log_entries_hash_sha256 check (octet_length(hash) = 32),
            constraint uq_log_entries_stream_version unique (stream, version)
        )
    """)
    op.execute("create index ix_log_entries_hash on log_entries using hash (hash)")
    op.execute("""
        create table log_nodes (
            level smallint not null constraint ck_log_nodes_level_above_leaves check (level between 1 and 7),
            number bigint not null,
            hash bytea not null constraint ck_log_nodes_hash_sha256 check (octet_length(hash) = 32),
            constraint pk_log_nodes primary key (level, number)
        )
    """)
    op.execute("""
        create table log_checkpoints (
            size bigint constraint pk_log_checkpoints primary key,
            root bytea not null constraint ck_log_checkpoints_root_sha256 check (octet_length(root) = 32),
            at timestamptz not null,
            note text not null
        )
    """)
    op.execute("create index ix_log_checkpoints_at on log_checkpoints (at)")
    op.execute("""
        create table log_cosignatures (
            size bigint not null,
            witness text not null,
            at timestamptz not null,
            line text not null,
            constraint pk_log_cosignatures primary key (size, witness)
        )
    """)
    op.execute("""
        create table log_keys (
            purpose text not null constraint ck_log_keys_purpose_known check (purpose in ('log', 'receipts')),
            vkey text not null,
            at timestamptz not null,
            constraint pk_log_keys primary key (purpose, vkey)
        )
    """)
    for table in TABLES:
        op.execute(f"revoke update, delete, truncate on {table} from zhecai_service")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("delete from feed_readers where name = 'log'")
