"""Every statement about pictures."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.pictures.rules import Event, Picture, evolve
from catalog.pictures.tables import pictures
from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind

_rows: Final[StateTable[Picture, Event]] = StateTable(pictures, Picture)
PICTURE: Final[StreamKind[Picture, Event]] = StreamKind("picture", Event, evolve, _rows.load, _rows.save)
PICTURE_FILES: Final = (pictures.c.digest, pictures.c.thumbnail)
"""Columns that name files of the store of blobs."""

_p: Final = pictures.c


class PictureRow(msgspec.Struct, frozen=True):
    """A picture that is kept; ``organisations`` are those that sent it in, ``ids`` its streams, one for each."""

    digest: str
    thumbnail: str
    width: int
    height: int
    organisations: frozenset[UUID]
    ids: tuple[UUID, ...]
    withheld: bool


async def by_digests(tx: AsyncConnection, digests: Sequence[str]) -> dict[str, PictureRow]:
    """Find pictures by their digests; unknown ones are left out."""
    rows = await tx.execute(
        sa.select(
            *(_p.digest, _p.thumbnail, _p.width, _p.height, sa.func.array_agg(_p.organisation_id).label("owners")),
            *(sa.func.array_agg(_p.id).label("ids"), sa.func.bool_or(_p.withheld != "").label("withheld")),
        )
        .where(_p.digest.in_(tuple(digests)))
        .group_by(_p.digest, _p.thumbnail, _p.width, _p.height)
    )
    return {
        row.digest: PictureRow(
            *(row.digest, row.thumbnail, row.width, row.height),
            frozenset(one for one in row.owners if one is not None),
            tuple(row.ids),
            row.withheld,
        )
        for row in rows
    }


async def by_source(tx: AsyncConnection, picture_id: UUID) -> PictureRow | None:
    """Find what an organisation made of a file before; ``picture_id`` says which, see ``picture_id_of``."""
    digest = (await tx.execute(sa.select(_p.digest).where(_p.id == picture_id))).scalar_one_or_none()
    return (await by_digests(tx, [digest]))[digest] if digest else None


async def thumbnail_of(tx: AsyncConnection, digest: str) -> str | None:
    """Find the digest of a picture's thumbnail; ``None`` when no picture has that digest, or it is withheld."""
    row = (await by_digests(tx, [digest])).get(digest)
    return None if row is None or row.withheld else row.thumbnail
