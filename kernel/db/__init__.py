"""The database: pools, metadata, state tables, migrations."""
