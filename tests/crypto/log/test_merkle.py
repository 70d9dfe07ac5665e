"""The tree is RFC 6962's, whoever computes it."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.log.merkle import EMPTY_ROOT, Subtree, Tree, complete_root, leaf_hash, node_hash, subtrees
from tests.builders.trees import CT_LEAVES, CT_ROOTS, a_tree, hashes_of


def textbook_root(data: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    return hashlib.sha256(b"\x01" + textbook_root(data[:split]) + textbook_root(data[split:])).digest()


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Tree().root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference_implementation(size: int) -> None:
    tree = Tree([leaf_hash(leaf) for leaf in CT_LEAVES])

    assert tree.root(size).hex() == CT_ROOTS[size - 1]


def test_a_leaf_is_never_taken_for_a_node() -> None:
    left, right = hashes_of(2)

    assert leaf_hash(left + right) != node_hash(left, right)


def test_every_size_has_the_root_of_the_textbook_and_keeps_it_when_the_tree_grows() -> None:
    tree = Tree()
    data = [str(index).encode() for index in range(70)]
    for index, one in enumerate(data):
        assert tree.append(leaf_hash(one)) == index

    assert [tree.root(size) for size in range(71)] == [textbook_root(data[:size]) for size in range(71)]


@given(st.integers(0, 2**40), st.integers(0, 40))
def test_a_range_is_cut_into_subtrees_that_lie_side_by_side_and_shrink(number: int, bits: int) -> None:
    size = number % (1 << bits) + 1
    start = (number >> bits) << size.bit_length()

    cut = list(subtrees(start, start + size))

    assert sum(1 << part.height for part in cut) == size
    assert cut[0].number << cut[0].height == start
    for left, right in pairwise(cut):
        assert left.height > right.height
        assert (left.number + 1) << left.height == right.number << right.height


def test_a_complete_row_has_one_root() -> None:
    row = hashes_of(8)

    assert complete_root(row) == a_tree(8).hash(Subtree(3, 0))
    assert complete_root(row[:1]) == row[0]
