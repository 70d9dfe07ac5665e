"""Cryptography: bytes in, bytes out; nothing here knows a database, a clock or the web."""
