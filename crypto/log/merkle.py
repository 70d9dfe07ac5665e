"""
The Merkle tree of RFC 6962, section 2.1: hashes, and what is true of any tree of a size.

A tree of *n* leaves is a row of complete subtrees, the largest first, one for each bit of *n*. Everything here is
told by the hashes of complete subtrees: those never change, however much is appended.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
"""SHA-256."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

_sha256: Final = hashlib.sha256


class Subtree(NamedTuple):
    """A complete subtree: the leaves from ``number << height`` on, ``1 << height`` of them."""

    height: int
    number: int


Hashes = Callable[[Subtree], bytes]
"""Gives the hash of a complete subtree."""


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf's data; the prefix keeps a leaf from passing for a node."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into what stands above them."""
    return _sha256(b"\x01" + left + right).digest()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Hash a complete row of neighbours, as many as a power of two, into what stands above all of them."""
    assert hashes
    assert len(hashes) & (len(hashes) - 1) == 0
    row = list(hashes)
    while len(row) > 1:
        row = [_sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


def subtrees(start: int, stop: int) -> Iterator[Subtree]:
    """
    Cut the leaves from ``start`` up to ``stop`` into complete subtrees, from left to right.

    ``start`` must be where a subtree of that many leaves may stand: a multiple of the least power of two that is
    not below ``stop - start``. Every range in an RFC 6962 tree is so.
    """
    while start < stop:
        height = (stop - start).bit_length() - 1
        yield Subtree(height, start >> height)
        start += 1 << height


def range_root(start: int, stop: int, hashes: Hashes) -> bytes:
    """Hash the leaves from ``start`` up to ``stop``, a range as in :func:`subtrees`, at least one."""
    parts = [hashes(subtree) for subtree in subtrees(start, stop)]
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root


def root_of(size: int, hashes: Hashes) -> bytes:
    """Give the root of the tree of the first ``size`` leaves."""
    return range_root(0, size, hashes) if size else EMPTY_ROOT


class Tree:
    """
    A tree held in memory, which tells every hash of every size that it once had.

    It serves tests and small logs; a log in a database keeps its right edge (:class:`crypto.log.tiles.Edge`).
    Cost: about 1 µs and 130 bytes a leaf; see ``bench/micro/merkle.py``.
    """

    def __init__(self, hashes: Sequence[bytes] = ()) -> None:
        """Begin with the leaf ``hashes`` given."""
        self._rows: list[list[bytes]] = [[]]
        for hash_ in hashes:
            self.append(hash_)

    def __len__(self) -> int:
        return len(self._rows[0])

    def append(self, hash_: bytes) -> int:
        """Append one leaf by its hash; give its index."""
        row = self._rows[0]
        row.append(hash_)
        height = 0
        while len(row) % 2 == 0:
            above = node_hash(row[-2], row[-1])
            height += 1
            if height == len(self._rows):
                self._rows.append([])
            row = self._rows[height]
            row.append(above)
        return len(self) - 1

    def hash(self, subtree: Subtree) -> bytes:
        """Give the hash of a complete subtree."""
        return self._rows[subtree.height][subtree.number]

    def root(self, size: int | None = None) -> bytes:
        """Give the root of the first ``size`` leaves, or of all."""
        return root_of(len(self) if size is None else size, self.hash)
