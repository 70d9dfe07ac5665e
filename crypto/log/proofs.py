"""
Inclusion and consistency proofs: RFC 6962, sections 2.1.1 and 2.1.2; checked as RFC 9162, sections 2.1.3.2 and 2.1.4.2.

A proof is a list of hashes, from the leaf upwards. Checking raises; there is no answer to overlook.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from crypto.log.merkle import EMPTY_ROOT, HASH_BYTES, Hashes, Subtree, node_hash, range_root, subtrees

PROOF_LEN_MAX: Final = 63
"""Hashes in a proof: a tree has fewer than 2^63 leaves."""


class ProofError(ValueError):
    """The proof does not prove what it is said to."""


class Range(NamedTuple):
    """The leaves from ``start`` up to ``stop``."""

    start: int
    stop: int


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Name the ranges whose hashes are the inclusion proof of leaf ``index`` in the tree of ``size``."""
    assert 0 <= index < size
    ranges: list[Range] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            ranges.append(Range(middle, stop))
            stop = middle
        else:
            ranges.append(Range(start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Name the ranges whose hashes prove that the tree of ``new`` begins with that of ``old``."""
    assert 0 <= old <= new
    if old in {0, new}:
        return []
    ranges: list[Range] = []
    start, stop, whole = 0, new, True
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            ranges.append(Range(middle, stop))
            stop = middle
        else:
            ranges.append(Range(start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append(Range(start, stop))
    return ranges[::-1]


def needed(ranges: Sequence[Range]) -> set[Subtree]:
    """Name the complete subtrees whose hashes make those of the ``ranges``."""
    return {subtree for range_ in ranges for subtree in subtrees(*range_)}


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """Prove that leaf ``index`` is in the tree of ``size``."""
    return [range_root(*range_, hashes) for range_ in inclusion_ranges(index, size)]


def consistency_proof(old: int, new: int, hashes: Hashes) -> list[bytes]:
    """Prove that the tree of ``new`` begins with that of ``old``; empty when one is empty or both are the same."""
    return [range_root(*range_, hashes) for range_ in consistency_ranges(old, new)]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """
    Check that the leaf with this hash is at ``index`` of the tree of ``size`` with this ``root``.

    Raises:
        ProofError: It is not, or the proof has a hash too many or too few.
    """
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is outside a tree of {size}")
    _check_form(proof, leaf, root)
    place, last = index, size - 1
    hash_ = leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof has a hash too many")
        if place & 1 or place == last:
            hash_ = node_hash(sibling, hash_)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof has a hash too few")
    if hash_ != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(*, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """
    Check that the tree of ``new`` with ``new_root`` begins with the tree of ``old`` with ``old_root``.

    Raises:
        ProofError: It does not, or the proof has a hash too many or too few.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} cannot begin with one of {old}")
    _check_form(proof, old_root, new_root)
    if old in {0, new}:
        if proof:
            raise ProofError("the proof has a hash too many")
        if old == 0 and old_root != EMPTY_ROOT:
            raise ProofError("the root of the empty tree is another")
        if old == new and old_root != new_root:
            raise ProofError("two trees of one size have two roots")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path or not proof:
        raise ProofError("the proof has a hash too few")
    _climb(old, new, old_root, new_root, path)


def _climb(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Climb from the last complete subtree of the old tree to both roots at once."""
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for hash_ in path[1:]:
        if last == 0:
            raise ProofError("the proof has a hash too many")
        if place & 1 or place == last:
            first, second = node_hash(hash_, first), node_hash(hash_, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, hash_)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof has a hash too few")
    if first != old_root:
        raise ProofError("the proof leads to another old root")
    if second != new_root:
        raise ProofError("the proof leads to another new root")


def _check_form(proof: Sequence[bytes], *roots: bytes) -> None:
    if len(proof) > PROOF_LEN_MAX:
        raise ProofError("the proof has a hash too many")
    if any(len(hash_) != HASH_BYTES for hash_ in (*proof, *roots)):
        raise ProofError(f"a hash has {HASH_BYTES} bytes")


def _split(size: int) -> int:
    """Give the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
