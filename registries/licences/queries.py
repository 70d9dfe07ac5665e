"""Every statement about copies of licences."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.db.statetable import StateTable
from kernel.journal.streams import StreamKind
from registries.licences.rules import Filed, Licence, evolve
from registries.licences.tables import licences

_rows: Final[StateTable[Licence, Filed]] = StateTable(licences, Licence)
LICENCE: Final[StreamKind[Licence, Filed]] = StreamKind("licence", Filed, evolve, _rows.load, _rows.save)
LICENCE_FILES: Final = (licences.c.digest,)
"""Columns that name files of the store of blobs."""
LISTED_MAX: Final = 100

_l: Final = licences.c


async def of_organisation(tx: AsyncConnection, organisation_id: UUID) -> list[Licence]:
    """List an organisation's copies, the latest first."""
    statement = (
        sa.select(*(_l[name] for name in Licence.__struct_fields__))
        .where(_l.organisation_id == organisation_id)
        .order_by(_l.filed_at.desc(), _l.id.desc())
        .limit(LISTED_MAX)
    )
    rows: Sequence[Any] = (await tx.execute(statement)).all()
    return [msgspec.convert(row, Licence, from_attributes=True) for row in rows]
