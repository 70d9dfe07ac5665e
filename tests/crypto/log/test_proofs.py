"""A proof proves what it says, and nothing beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.log.merkle import EMPTY_ROOT, Tree, leaf_hash
from crypto.log.proofs import (
    PROOF_LEN_MAX,
    ProofError,
    consistency_proof,
    consistency_ranges,
    inclusion_proof,
    inclusion_ranges,
    needed,
    verify_consistency,
    verify_inclusion,
)
from tests.builders.trees import CT_LEAVES, CT_ROOTS, a_tree, flipped, hashes_of

SIZE_MAX = 70
TREE = a_tree(SIZE_MAX)
ROOTS = [TREE.root(size) for size in range(SIZE_MAX + 1)]
LEAVES = hashes_of(SIZE_MAX)

# The paths and proofs that the tests of certificate-transparency's merkle_tree_test.cc expect (indices from 0).
CT_PATHS = [
    (0, 1, ()),
    (
        0,
        8,
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        5,
        8,
        (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
    (
        1,
        5,
        (
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
]
CT_CONSISTENCY = [
    (1, 1, ()),
    (
        1,
        8,
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        2,
        5,
        (
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
]


def proves_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        verify_inclusion(leaf=leaf, index=index, size=size, proof=proof, root=root)
    except ProofError:
        return False
    return True


def proves_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    try:
        verify_consistency(old=old, new=new, old_root=old_root, new_root=new_root, proof=proof)
    except ProofError:
        return False
    return True


@pytest.mark.parametrize(("index", "size", "path"), CT_PATHS)
def test_inclusion_proofs_are_those_of_the_reference_implementation(
    index: int, size: int, path: tuple[str, ...]
) -> None:
    tree = Tree([leaf_hash(leaf) for leaf in CT_LEAVES])

    proof = inclusion_proof(index, size, tree.hash)

    assert [hash_.hex() for hash_ in proof] == list(path)
    assert proves_inclusion(leaf_hash(CT_LEAVES[index]), index, size, proof, bytes.fromhex(CT_ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "path"), CT_CONSISTENCY)
def test_consistency_proofs_are_those_of_the_reference_implementation(
    old: int, new: int, path: tuple[str, ...]
) -> None:
    tree = Tree([leaf_hash(leaf) for leaf in CT_LEAVES])

    proof = consistency_proof(old, new, tree.hash)

    assert [hash_.hex() for hash_ in proof] == list(path)
    assert proves_consistency(old, new, bytes.fromhex(CT_ROOTS[old - 1]), bytes.fromhex(CT_ROOTS[new - 1]), proof)


@pytest.mark.parametrize("size", range(1, SIZE_MAX))
def test_every_leaf_is_proved_at_its_own_index_and_for_its_own_root_only(size: int) -> None:
    for index in range(size):
        leaf, proof = LEAVES[index], inclusion_proof(index, size, TREE.hash)

        at = [other for other in range(size) if proves_inclusion(leaf, other, size, proof, ROOTS[size])]
        of = [n for n in range(SIZE_MAX + 1) if proves_inclusion(leaf, index, n, proof, ROOTS[n])]

        assert at == [index]
        assert of == [size]


@pytest.mark.parametrize("size", range(1, SIZE_MAX))
def test_an_inclusion_proof_with_anything_changed_proves_nothing(size: int) -> None:
    for index in range(size):
        leaf, root = LEAVES[index], ROOTS[size]
        proof = inclusion_proof(index, size, TREE.hash)
        bit = (index * 37 + size) % 256
        for at in range(len(proof)):
            assert not proves_inclusion(
                leaf, index, size, [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]], root
            )
            assert not proves_inclusion(leaf, index, size, [*proof[:at], *proof[at + 1 :]], root)
            assert not proves_inclusion(leaf, index, size, [*proof[:at], LEAVES[0], *proof[at:]], root)
        assert not proves_inclusion(leaf, index, size, [*proof, root], root)
        assert not proves_inclusion(flipped(leaf, bit), index, size, proof, root)
        assert not proves_inclusion(leaf, index, size, proof, flipped(root, bit))
        assert not proves_inclusion(leaf, size, size, proof, root)
        assert not proves_inclusion(leaf, -1, size, proof, root)


@pytest.mark.parametrize("new", range(SIZE_MAX))
def test_every_older_tree_is_proved_and_no_other(new: int) -> None:
    for old in range(new + 1):
        proof = consistency_proof(old, new, TREE.hash)

        proved = [other for other in range(new + 2) if proves_consistency(other, new, ROOTS[other], ROOTS[new], proof)]

        trivial = {0, new} if not proof else set()  # neither needs a hash to be proved
        assert set(proved) == {old} | trivial


@pytest.mark.parametrize("new", range(1, SIZE_MAX))
def test_a_consistency_proof_with_anything_changed_proves_nothing(new: int) -> None:
    for old in range(1, new + 1):
        first, second = ROOTS[old], ROOTS[new]
        proof = consistency_proof(old, new, TREE.hash)
        bit = (old * 37 + new) % 256
        for at in range(len(proof)):
            assert not proves_consistency(
                old, new, first, second, [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
            )
            assert not proves_consistency(old, new, first, second, [*proof[:at], *proof[at + 1 :]])
        assert not proves_consistency(old, new, first, second, [*proof, second])
        assert not proves_consistency(old, new, flipped(first, bit), second, proof)
        assert not proves_consistency(old, new, first, flipped(second, bit), proof)
        if old < new:
            assert not proves_consistency(old, new, first, second, [])


def test_the_empty_tree_begins_every_tree_and_has_one_root() -> None:
    assert proves_consistency(0, 5, EMPTY_ROOT, ROOTS[5], [])
    assert not proves_consistency(0, 5, ROOTS[1], ROOTS[5], [])
    assert not proves_consistency(0, 5, EMPTY_ROOT, ROOTS[5], [ROOTS[1]])
    assert not proves_consistency(6, 5, ROOTS[6], ROOTS[5], [])


def test_a_proof_has_a_limit_and_its_hashes_a_length() -> None:
    long = [LEAVES[0]] * (PROOF_LEN_MAX + 1)

    assert not proves_inclusion(LEAVES[0], 0, 2**62, long, ROOTS[1])
    assert not proves_inclusion(LEAVES[0], 0, 2, [LEAVES[1][:31]], ROOTS[2])
    assert not proves_consistency(1, 2, ROOTS[1], ROOTS[2] + b"\0", [LEAVES[1]])


@given(st.integers(1, 2**62), st.data())
def test_a_proof_needs_few_subtrees_however_large_the_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))

    inclusion, consistency = inclusion_ranges(index, size), consistency_ranges(old, size)

    bits = size.bit_length()
    assert len(inclusion) <= bits
    assert len(consistency) <= bits + 1
    assert len(needed(inclusion)) <= 2 * bits
    assert sum(range_.stop - range_.start for range_ in inclusion) == size - 1
