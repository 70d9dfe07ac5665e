"""The kernel: service role, journal, feed readers, idempotency keys, sessions."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTITIONS = 8


def upgrade() -> None:
    _make_service_role()
    _make_journal()
    _make_feed_readers_and_keys()
    _make_sessions()


def _make_service_role() -> None:
    # A role belongs to the cluster, not the database: several databases of one cluster may be migrated at once.
    op.execute("""
        do $$ begin
            create role zhecai_service nologin;
        exception when duplicate_object or unique_violation then null;
        end $$
    """)
    op.execute("""
        do $$ begin
            execute format('grant zhecai_service to %I', current_user);
        exception when others then
            if not pg_has_role(current_user, 'zhecai_service', 'member') then raise; end if;
        end $$
    """)
    op.execute("grant usage on schema public to zhecai_service")
    op.execute("grant select on alembic_version to zhecai_service")  # a service that may only serve asks what is there
    op.execute(
        "alter default privileges in schema public grant select, insert, update, delete on tables to zhecai_service"
    )
    op.execute("alter default privileges in schema public grant usage on sequences to zhecai_service")


def _make_journal() -> None:
    op.execute("""
        create table journal (
            stream text not null,
            version bigint not null constraint ck_journal_version_positive check (version > 0),
            xid xid8 not null default pg_current_xact_id(),
            kind text not null,
            at timestamptz not null,
            actor text not null,
            origin text not null,
            body bytea not null,
            leaf bytea not null constraint ck_journal_leaf_sha256 check (octet_length(leaf) = 32),
            constraint pk_journal primary key (stream, version)
        ) partition by hash (stream)
    """)
    for part in range(PARTITIONS):
        op.execute(
            f"create table journal_{part} partition of journal for values with (modulus {PARTITIONS}, remainder {part})"
        )
    op.execute("create index ix_journal_feed on journal (xid, stream, version)")
    for table in ("journal", *(f"journal_{part}" for part in range(PARTITIONS))):
        op.execute(f"revoke update, delete, truncate on {table} from zhecai_service")


def _make_feed_readers_and_keys() -> None:
    op.execute("""
        create table feed_readers (
            name text constraint pk_feed_readers primary key,
            xid bigint not null,
            stream text not null,
            version bigint not null
        )
    """)
    op.execute("""
        create table idempotency_keys (
            owner text not null,
            key text not null,
            fingerprint bytea not null,
            answer bytea not null,
            at timestamptz not null,
            constraint pk_idempotency_keys primary key (owner, key)
        )
    """)
    op.execute("create index ix_idempotency_keys_at on idempotency_keys (at)")


def _make_sessions() -> None:
    op.execute("""
        create table sessions (
            token_hash bytea constraint pk_sessions primary key,
            user_id uuid not null,
            opened_at timestamptz not null,
            seen_at timestamptz not null,
            expires_at timestamptz not null,
            origin text not null,
            user_agent text not null
        )
    """)
    op.execute("create index ix_sessions_user_id on sessions (user_id)")


def downgrade() -> None:
    for table in ("sessions", "idempotency_keys", "feed_readers", "journal"):
        op.execute(f"drop table {table}")
    op.execute("alter default privileges in schema public revoke all on tables from zhecai_service")
    op.execute("alter default privileges in schema public revoke all on sequences from zhecai_service")
    op.execute("revoke select on alembic_version from zhecai_service")
    op.execute("revoke usage on schema public from zhecai_service")
    # The role stays: another database of this cluster may be served by it.
