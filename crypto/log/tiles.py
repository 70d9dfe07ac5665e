"""
Tiles: 256 neighbouring hashes of one level, the form in which a log is stored and served (C2SP tlog-tiles).

Level 0 holds the leaves' hashes; each hash of a level above stands for one full tile below it. A full tile never
changes. The right edge of a tree is one partial tile a level, and is all that appending needs to know.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from crypto.log.merkle import EMPTY_ROOT, HASH_BYTES, Subtree, complete_root, node_hash

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
LEVEL_MAX: Final = 7
"""A tree of 2^63 leaves has eight levels of tiles."""

_PATH: Final = re.compile(
    r"(?P<level>0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class Place(NamedTuple):
    """Where a tile stands: its level, and its number within the level."""

    level: int
    number: int


class Asked(NamedTuple):
    """The tile that a path asks for; ``width`` is ``TILE_WIDTH`` for a full one."""

    level: int
    number: int
    width: int


def number_path(number: int) -> str:
    """Write a tile's number as a path: 1234067 is ``x001/x234/067``."""
    digits = str(number).rjust((len(str(number)) + 2) // 3 * 3, "0")
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Write the path of a tile below ``tile/``."""
    return f"{level}/{number_path(number)}" + ("" if width == TILE_WIDTH else f".p/{width}")


def read_path(path: str) -> Asked | None:
    """Read a path below ``tile/``; ``None`` where there can be no such tile, or it is written another way."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    number = int(found["number"].replace("x", "").replace("/", ""))
    asked = Asked(int(found["level"]), number, int(found["width"] or TILE_WIDTH))
    possible = asked.level <= LEVEL_MAX and asked.width <= TILE_WIDTH
    return asked if possible and tile_path(*asked) == path else None


def width_of(place: Place, size: int) -> int:
    """Say how many hashes the tile has in a tree of ``size``: 0 to ``TILE_WIDTH``."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * place.level)) - place.number * TILE_WIDTH))


def place_of(subtree: Subtree) -> Place:
    """Name the tile that holds the hashes of a complete subtree."""
    level, height = divmod(subtree.height, TILE_HEIGHT)
    return Place(level, subtree.number << height >> TILE_HEIGHT)


class Tile:
    """
    A tile with the hashes of every complete subtree within it, so that many proofs share the work of one.

    Cost: a hash for each in the tile, once, at first use; then a look-up.
    """

    def __init__(self, hashes: bytes) -> None:
        """Take the hashes one after another."""
        self._hashes: Final = hashes
        self._rows: list[list[bytes]] = []

    def __len__(self) -> int:
        return len(self._hashes) // HASH_BYTES

    def hash(self, height: int, number: int) -> bytes:
        """Give the ``number``-th hash at a height above the tile's own. Raises ``IndexError`` past its end."""
        if not self._rows:
            row = cut(self._hashes)
            self._rows = [row]
            while len(row) > 1:
                row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
                self._rows.append(row)
        return self._rows[height][number]


class Tiles:
    """Hashes of complete subtrees, read from tiles."""

    def __init__(self, tiles: Mapping[Place, Tile]) -> None:
        """Take the tiles that are there."""
        self._tiles: Final = tiles

    def hash(self, subtree: Subtree) -> bytes:
        """
        Give the hash of a complete subtree.

        Raises:
            LookupError: Its tile is not among them, or too short.
        """
        place = place_of(subtree)
        height = subtree.height % TILE_HEIGHT
        number = subtree.number % (TILE_WIDTH >> height)
        try:
            return self._tiles[place].hash(height, number)
        except IndexError:
            raise LookupError(f"tile {tile_path(*place)} ends before its hash {number + 1 << height}") from None


class Node(NamedTuple):
    """The hash of a full tile, where it stands in the level above."""

    level: int
    number: int
    hash: bytes


class Edge:
    """
    The right edge of a growing tree: the hashes of the last, partial tile of each level.

    Cost of appending: about 1 µs a leaf; of the root: one hash for each in the edge, at most 255 a level; see
    ``bench/micro/merkle.py``.
    """

    def __init__(self, levels: Sequence[Sequence[bytes]] = (), size: int = 0) -> None:
        """Begin with the partial tiles of a tree of ``size``, level 0 first."""
        self.size = size
        self._levels: list[list[bytes]] = [list(level) for level in levels] or [[]]
        for level, hashes in enumerate(self._levels):
            if len(hashes) != (size >> (TILE_HEIGHT * level)) % TILE_WIDTH:
                raise ValueError(f"level {level} of a tree of {size} does not end with {len(hashes)} hashes")

    def append(self, hashes: Iterable[bytes]) -> list[Node]:
        """Append leaves by their hashes; give the hashes of the tiles that became full."""
        full: list[Node] = []
        leaves = self._levels[0]
        for hash_ in hashes:
            leaves.append(hash_)
            self.size += 1
            if len(leaves) == TILE_WIDTH:
                full += self._fill()
                leaves = self._levels[0]
        return full

    def _fill(self) -> list[Node]:
        """Hash each tile that is full into the level above it."""
        full: list[Node] = []
        level = 0
        while len(self._levels[level]) == TILE_WIDTH:
            hash_ = complete_root(self._levels[level])
            self._levels[level] = []
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(hash_)
            full.append(Node(level, (self.size >> (TILE_HEIGHT * level)) - 1, hash_))
        return full

    def root(self) -> bytes:
        """Give the root of the tree."""
        peaks: list[bytes] = []
        for hashes in reversed(self._levels):
            start = 0
            for height in reversed(range(TILE_HEIGHT)):
                if len(hashes) >> height & 1:
                    peaks.append(complete_root(hashes[start : start + (1 << height)]))
                    start += 1 << height
        if not peaks:
            return EMPTY_ROOT
        root = peaks.pop()
        while peaks:
            root = node_hash(peaks.pop(), root)
        return root


def levels_of(size: int) -> int:
    """Say how many levels the edge of a tree of ``size`` has, at least one."""
    levels = 1
    while size >> (TILE_HEIGHT * levels):
        levels += 1
    return levels


def cut(hashes: bytes) -> list[bytes]:
    """Cut hashes that stand one after another."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
