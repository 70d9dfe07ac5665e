"""Builders: each returns a valid object; a test names only what it is about."""
