"""Every statement about spending."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.journal.streams import Change, Connection, StreamKind, Versioned
from market.limits.rules import Event, Spending, evolve
from market.limits.tables import spending_categories, spendings

_LOAD: Final = f"select id, version, organisation_id, year from {spendings.name} where id = any($1::uuid[])"

_LOAD_CATEGORIES: Final = f"""
select spending_id, category, amount_fen from {spending_categories.name} where spending_id = any($1::uuid[])"""

_SAVE: Final = f"""
insert into {spendings.name} (id, version, organisation_id, year)
select id, version, organisation_id, year
from json_populate_recordset(null::{spendings.name}, convert_from($1, 'UTF8')::json)
on conflict (id) do update set version = excluded.version"""

_SAVE_CATEGORIES: Final = f"""
insert into {spending_categories.name} (spending_id, category, amount_fen)
select spending_id, category, amount_fen
from json_populate_recordset(null::{spending_categories.name}, convert_from($1, 'UTF8')::json)
on conflict (spending_id, category) do update set amount_fen = excluded.amount_fen"""

_encode: Final = msgspec.json.Encoder().encode


async def _load(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Spending]]:
    rows = await connection.fetch(_LOAD, ids)
    if not rows:
        return {}
    sums: dict[UUID, dict[str, int]] = {row["id"]: {} for row in rows}
    for spending_id, category, amount_fen in await connection.fetch(_LOAD_CATEGORIES, list(sums)):
        sums[spending_id][category] = amount_fen
    return {
        row["id"]: Versioned(row["version"], Spending(row["organisation_id"], row["year"], sums[row["id"]]))
        for row in rows
    }


async def _save(connection: Connection, changes: Sequence[Change[Spending, Event]]) -> None:
    """Write the streams and the categories that changed: two statements whatever the batch."""
    streams: list[dict[str, Any]] = []
    sums: list[dict[str, Any]] = []
    for change in changes:
        spending = change.after
        row = {"version": change.version, "organisation_id": spending.organisation_id, "year": spending.year}
        streams.append({"id": change.id, **row})
        for category in {key: None for recorded in change.events for key in recorded.event.amounts}:
            row = {"category": category, "amount_fen": spending.by_category[category]}
            sums.append({"spending_id": change.id, **row})
    await connection.execute(_SAVE, _encode(streams))
    await connection.execute(_SAVE_CATEGORIES, _encode(sums))


SPENDING: Final[StreamKind[Spending, Event]] = StreamKind("spending", Event, evolve, _load, _save, in_one=True)
