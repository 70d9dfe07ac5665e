"""Blobs: files that are written once and known by their SHA-256."""
