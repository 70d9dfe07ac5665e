"""Salted commitments: what stands in the log for a leaf that must not be guessed before its time."""

import hashlib
from typing import Final

COMMITMENT_DOMAIN: Final = b"zhecai/commitment/1"
SALT_BYTES: Final = 32


def commitment(salt: bytes, leaf: bytes) -> bytes:
    """
    Commit to a leaf: without the salt nobody can tell whether a guess is right; with it, nobody can claim another.

    Both parts have a fixed length, so no two pairs have one encoding.
    """
    assert len(salt) == SALT_BYTES
    return hashlib.sha256(COMMITMENT_DOMAIN + salt + leaf).digest()


def logged(leaf: bytes, salt: bytes | None) -> bytes:
    """Give the data of the log's leaf: the entry's leaf, or the commitment to it."""
    return leaf if salt is None else commitment(salt, leaf)
