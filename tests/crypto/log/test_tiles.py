"""Tiles hold the tree, and the right edge is all that appending needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.log.merkle import EMPTY_ROOT
from crypto.log.proofs import consistency_proof, consistency_ranges, inclusion_proof, inclusion_ranges, needed
from crypto.log.tiles import (
    LEVEL_MAX,
    TILE_WIDTH,
    Asked,
    Edge,
    Node,
    Place,
    Tile,
    Tiles,
    cut,
    levels_of,
    place_of,
    read_path,
    tile_path,
    width_of,
)
from tests.builders.trees import a_tree, hashes_of

SIZE = 2 * TILE_WIDTH * 8 + 77
LEAVES = hashes_of(SIZE)
TREE = a_tree(SIZE)


def tiles_of(size: int) -> dict[Place, bytes]:
    """Every tile of a tree of ``size``, by the definition of the specification."""
    tiles: dict[Place, bytes] = {}
    for level in range(levels_of(size)):
        row = [TREE._rows[8 * level][index] for index in range(size >> (8 * level))]
        for first in range(0, len(row), TILE_WIDTH):
            tiles[Place(level, first // TILE_WIDTH)] = b"".join(row[first : first + TILE_WIDTH])
    return tiles


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        (Asked(0, 0, 256), "0/000"),
        (Asked(0, 1_234_067, 256), "0/x001/x234/067"),
        (Asked(3, 999, 1), "3/999.p/1"),
        (Asked(7, 1000, 255), "7/x001/000.p/255"),
    ],
)
def test_a_tile_has_one_path(asked: Asked, path: str) -> None:
    assert tile_path(*asked) == path
    assert read_path(path) == asked


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/0", "00/000", "0/x000/000", "0/x000/001", "0/001/000", "0/000.p/0", "0/000.p/01", "0/000.p/256",
        "0/000.p/257", "8/000", "64/000", "0/000/", "/0/000", "0/x1/000", "0/-01", "0/000.p/", "0/٠٠٠",
        "0/" + "x999/" * 7 + "999",
    ],
)  # fmt: skip
def test_another_way_to_write_a_path_is_no_path(path: str) -> None:
    assert read_path(path) is None


@given(st.integers(0, LEVEL_MAX), st.integers(0, 10**20), st.integers(1, TILE_WIDTH))
def test_every_path_that_is_written_is_read_back(level: int, index: int, width: int) -> None:
    assert read_path(tile_path(level, index, width)) == Asked(level, index, width)


def test_the_widths_are_those_of_the_specifications_example() -> None:
    size = 70_000

    assert [width_of(Place(0, index), size) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_of(Place(1, index), size) for index in (0, 1, 2)] == [256, 17, 0]
    assert [width_of(Place(2, index), size) for index in (0, 1)] == [1, 0]
    assert [width_of(Place(level, 0), 256) for level in (0, 1, 2)] == [256, 1, 0]


@pytest.mark.parametrize("step", [1, 3, 255, 256, 257, SIZE])
def test_the_edge_grows_in_any_steps_into_the_same_tree(step: int) -> None:
    edge = Edge()
    full: list[Node] = []
    for start in range(0, SIZE, step):
        full += edge.append(LEAVES[start : start + step])
        if step > 1 or start % 97 == 0:
            assert edge.root() == TREE.root(edge.size)

    assert edge.size == SIZE
    assert full == [Node(1, index, TREE._rows[8][index]) for index in range(SIZE // TILE_WIDTH)]


def test_a_tile_of_tiles_that_becomes_full_is_hashed_on_into_the_level_above() -> None:
    leaves = hashes_of(TILE_WIDTH * TILE_WIDTH)

    edge = Edge()
    full = edge.append(leaves)

    assert full[-1].level == 2
    assert full[-1].number == 0
    assert edge.root() == full[-1].hash == a_tree(TILE_WIDTH * TILE_WIDTH).root()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, SIZE - 1])
def test_an_edge_goes_on_from_the_partial_tiles_alone(size: int) -> None:
    tiles = tiles_of(size)
    levels = [cut(tiles.get(Place(level, (size >> 8 * level) // TILE_WIDTH), b"")) for level in range(levels_of(size))]

    edge = Edge(levels, size)

    assert edge.root() == (TREE.root(size) if size else EMPTY_ROOT)
    edge.append(LEAVES[size:])
    assert edge.root() == TREE.root()


def test_an_edge_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="level 0 of a tree of 3 does not end with 2 hashes"):
        Edge([LEAVES[:2]], 3)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, SIZE])
def test_proofs_made_from_tiles_are_those_of_the_tree(size: int) -> None:
    every = tiles_of(size)
    for index in {0, size // 3, size // 2, size - 1}:
        places = {place_of(subtree) for subtree in needed(inclusion_ranges(index, size))}
        tiles = Tiles({place: Tile(every[place]) for place in places})
        assert inclusion_proof(index, size, tiles.hash) == inclusion_proof(index, size, TREE.hash)

        places = {place_of(subtree) for subtree in needed(consistency_ranges(index, size))}
        tiles = Tiles({place: Tile(every[place]) for place in places})
        assert consistency_proof(index, size, tiles.hash) == consistency_proof(index, size, TREE.hash)


def test_a_tile_that_is_too_short_is_not_made_up_for() -> None:
    (subtree,) = needed(inclusion_ranges(0, 2))
    short = Tiles({Place(0, 0): Tile(LEAVES[0])})

    with pytest.raises(LookupError, match=r"tile 0/000 ends before its hash 2"):
        short.hash(subtree)
