"""Whom the platform trusts: authorities of its own, and outside ones by configuration."""
