"""Organisations apply, are reviewed, change, are suspended for a time and leave."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table organisations
            alter column registered_at drop not null,
            add column revision bigint,
            add column number text not null default '',
            add column applied_at timestamptz,
            add column details jsonb not null default '{}',
            add column faults jsonb not null default '{}',
            add column note text not null default '',
            add column pending jsonb not null default 'null',
            add column suspension jsonb not null default 'null',
            add column review_region text,
            add column waiting_since timestamptz,
            add column due_at timestamptz,
            drop constraint uq_organisations_credit_code,
            drop constraint ck_organisations_status_known
    """)
    # What the state now holds of the past is in the journal: every event counts, and the last suspension stands.
    op.execute("update organisations set revision = version, review_region = region")
    op.execute("""
        update organisations o set suspension = (
            select jsonb_build_object(
                'reason', convert_from(j.body, 'UTF8')::jsonb ->> 'reason',
                'since', to_char(j.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                'until', null)
            from journal j
            where j.stream = 'organisation/' || o.id::text and j.kind = 'organisation.suspended'
            order by j.version desc limit 1)
        where o.status = 'suspended'
    """)
    op.execute("""
        alter table organisations
            alter column revision set not null,
            alter column review_region set not null,
            alter column number drop default,
            alter column details drop default,
            alter column faults drop default,
            alter column note drop default,
            alter column pending drop default,
            alter column suspension drop default,
            add constraint ck_organisations_status_known check (status in (
                'applied', 'returned', 'refused', 'withdrawn', 'active', 'suspended', 'leaving', 'deregistered')),
            add constraint ck_organisations_registered
                check (status not in ('active', 'suspended', 'leaving') or registered_at is not null),
            add constraint ck_organisations_due_when_suspended check (due_at is null or status = 'suspended')
    """)
    op.execute("""
        create unique index uq_organisations_credit_code_held on organisations (credit_code)
        where status not in ('refused', 'withdrawn', 'deregistered')
    """)
    op.execute("create unique index uq_organisations_number on organisations (number) where number <> ''")
    op.execute("""
        create index ix_organisations_waiting_since on organisations (waiting_since, id)
        where waiting_since is not null
    """)
    op.execute("create index ix_organisations_due_at on organisations (due_at) where due_at is not null")
    op.execute("alter table auctions add column barred uuid[] not null default '{}'")
    op.execute("alter table auctions alter column barred drop default")


def downgrade() -> None:
    op.execute("alter table auctions drop column barred")
    # The older version knows nobody who is not, or no longer, in the register.
    op.execute("delete from organisations where status not in ('active', 'suspended', 'leaving')")
    op.execute("update organisations set status = 'suspended' where status = 'leaving'")
    op.execute("""
        alter table organisations
            drop constraint ck_organisations_status_known,
            drop constraint ck_organisations_registered,
            drop constraint ck_organisations_due_when_suspended,
            drop column revision,
            drop column number,
            drop column applied_at,
            drop column details,
            drop column faults,
            drop column note,
            drop column pending,
            drop column suspension,
            drop column review_region,
            drop column waiting_since,
            drop column due_at
    """)
    op.execute("drop index uq_organisations_credit_code_held")
    op.execute("""
        alter table organisations
            alter column registered_at set not null,
            add constraint uq_organisations_credit_code unique (credit_code),
            add constraint ck_organisations_status_known check (status in ('active', 'suspended'))
    """)
