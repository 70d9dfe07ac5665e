"""Proofs from the stored log: only the tiles that a proof needs are read, and full ones are remembered."""

from collections.abc import Iterable
from typing import Final

from crypto.log.merkle import Subtree
from crypto.log.proofs import consistency_proof, consistency_ranges, inclusion_proof, inclusion_ranges, needed
from crypto.log.tiles import TILE_WIDTH, Place, Tiles, place_of, width_of
from kernel.journal.streams import Connection
from kernel.transparency import queries

REMEMBERED_MAX: Final = 2048
"""Full tiles, of 8 KiB each: 16 MiB."""


class Prover:
    """Makes proofs. A full tile never changes, so it is read once."""

    def __init__(self) -> None:
        self._full: Final[dict[Place, bytes]] = {}

    async def inclusion(self, connection: Connection, number: int, size: int) -> list[bytes]:
        """Prove that a leaf is in the tree of ``size``. Raises ``LookupError`` where the log has a hole."""
        tiles = await self._tiles(connection, needed(inclusion_ranges(number, size)), size)
        return inclusion_proof(number, size, tiles.hash)

    async def consistency(self, connection: Connection, old: int, new: int) -> list[bytes]:
        """Prove that the tree of ``new`` begins with that of ``old``. Raises ``LookupError`` where it has a hole."""
        tiles = await self._tiles(connection, needed(consistency_ranges(old, new)), new)
        return consistency_proof(old, new, tiles.hash)

    async def _tiles(self, connection: Connection, subtrees: Iterable[Subtree], size: int) -> Tiles:
        places = {place_of(subtree) for subtree in subtrees}
        found = {place: self._full[place] for place in places if place in self._full}
        read = await queries.tiles(connection, places - found.keys(), size)
        for place, hashes in read.items():
            if width_of(place, size) == TILE_WIDTH:
                self._remember(place, hashes)
        return Tiles(found | read)

    def _remember(self, place: Place, hashes: bytes) -> None:
        if len(self._full) >= REMEMBERED_MAX:
            del self._full[next(iter(self._full))]
        self._full[place] = hashes
