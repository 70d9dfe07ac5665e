"""Certificates (X.509): requests, a small authority for trials and closed networks, revocation lists, validation."""
