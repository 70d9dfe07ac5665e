"""Every statement about internal control."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import Role
from kernel.db.statetable import StateTable
from kernel.journal.entry import Entry
from kernel.journal.streams import StreamKind
from registries.controls.rules import Control, Event, evolve
from registries.controls.tables import controls
from registries.users.rules import Status
from registries.users.tables import users

_rows: Final[StateTable[Control, Event]] = StateTable(controls, Control)
CONTROL: Final[StreamKind[Control, Event]] = StreamKind("control", Event, evolve, _rows.load, _rows.save)
APPROVERS_MAX: Final = 200
"""Approvers of one organisation that are asked and named."""

_u: Final = users.c
_decode: Final = msgspec.json.Decoder(Event).decode


class Approver(msgspec.Struct, frozen=True):
    """Somebody who can approve."""

    user_id: UUID
    name: str


class SettingMade(msgspec.Struct, frozen=True):
    """One setting as it was made: when, by whom, from which day on, and why."""

    version: int
    at: datetime
    name: str
    approval_from_fen: int | None
    effective_from: date
    note: str


async def approvers(tx: AsyncConnection, organisation_id: UUID) -> list[Approver]:
    """List who can approve in an organisation, by name."""
    statement = (
        sa.select(_u.id.label("user_id"), _u.name)
        .where(
            _u.organisation_id == organisation_id,
            _u.status == Status.ACTIVE,
            _u.roles.contains([Role.APPROVER.value]),
        )
        .order_by(_u.name, _u.id)
        .limit(APPROVERS_MAX)
    )
    rows: Sequence[Any] = (await tx.execute(statement)).all()
    return [msgspec.convert(row, Approver, from_attributes=True) for row in rows]


def made(entry: Entry) -> SettingMade:
    """Tell what an entry of a control's stream says."""
    event = _decode(entry.body)
    return SettingMade(entry.version, entry.at, event.name, event.approval_from_fen, event.effective_from, event.note)
