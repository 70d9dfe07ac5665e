"""Run by Alembic: migrates on the connection that :mod:`portal.migrate` hands over."""

from alembic import context

from kernel.db.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
