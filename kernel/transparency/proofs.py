"""Proofs from the stored log: only the tiles that a proof needs are read, and they are remembered."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from crypto.log.merkle import Subtree
from crypto.log.proofs import consistency_proof, consistency_ranges, inclusion_proof, inclusion_ranges, needed
from crypto.log.tiles import Place, Tile, Tiles, place_of, width_of
from kernel.journal.streams import Connection
from kernel.transparency import queries

REMEMBERED_MAX: Final = 512
"""Tiles with all hashes within them, of at most 33 KiB each: 17 MiB."""


class _Key(NamedTuple):
    place: Place
    width: int


class Prover:
    """Makes proofs. So many hashes of a tile never change, so they are read and hashed once."""

    def __init__(self) -> None:
        self._known: Final[dict[_Key, Tile]] = {}

    async def inclusion(self, connection: Connection, number: int, size: int) -> list[bytes]:
        """Prove that a leaf is in the tree of ``size``. Raises ``LookupError`` where the log has a hole."""
        tiles = await self._tiles(connection, needed(inclusion_ranges(number, size)), size)
        return inclusion_proof(number, size, tiles.hash)

    async def consistency(self, connection: Connection, old: int, new: int) -> list[bytes]:
        """Prove that the tree of ``new`` begins with that of ``old``. Raises ``LookupError`` where it has a hole."""
        tiles = await self._tiles(connection, needed(consistency_ranges(old, new)), new)
        return consistency_proof(old, new, tiles.hash)

    async def _tiles(self, connection: Connection, subtrees: Iterable[Subtree], size: int) -> Tiles:
        keys = {_Key(place, width_of(place, size)) for place in map(place_of, subtrees)}
        absent = [key.place for key in keys if key not in self._known]
        read = {place: Tile(hashes) for place, hashes in (await queries.tiles(connection, absent, size)).items()}
        found = {key.place: self._known[key] for key in keys if key in self._known} | read
        for key in keys:
            if key.place in read and len(read[key.place]) == key.width:
                self._remember(key, read[key.place])
        return Tiles(found)

    def _remember(self, key: _Key, tile: Tile) -> None:
        if len(self._known) >= REMEMBERED_MAX:
            del self._known[next(iter(self._known))]
        self._known[key] = tile
