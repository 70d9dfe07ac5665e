"""Embedded engines (内嵌引擎): PostgreSQL and Valkey as children of the service, for a machine that has neither."""
