"""Every statement about spending."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from kernel.journal.streams import Change, Connection, StreamKind, Versioned
from market.limits.rules import Event, Spending, evolve

_LOAD: Final = "select id, version, organisation_id, year from spendings where id = any($1::uuid[])"

_LOAD_CATEGORIES: Final = """
select spending_id, category, amount_fen from spending_categories where spending_id = any($1::uuid[])"""

_SAVE: Final = """
insert into spendings (id, version, organisation_id, year)
select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::int[])
on conflict (id) do update set version = excluded.version"""

_SAVE_CATEGORIES: Final = """
insert into spending_categories (spending_id, category, amount_fen)
select * from unnest($1::uuid[], $2::text[], $3::bigint[])
on conflict (spending_id, category) do update set amount_fen = excluded.amount_fen"""


async def _load(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Spending]]:
    rows = await connection.fetch(_LOAD, ids)
    sums: dict[UUID, dict[str, int]] = {row["id"]: {} for row in rows}
    for spending_id, category, amount_fen in await connection.fetch(_LOAD_CATEGORIES, list(sums)):
        sums[spending_id][category] = amount_fen
    return {
        row["id"]: Versioned(row["version"], Spending(row["organisation_id"], row["year"], sums[row["id"]]))
        for row in rows
    }


async def _save(connection: Connection, changes: Sequence[Change[Spending, Event]]) -> None:
    """Write the streams and the categories that changed: two statements whatever the batch."""
    rows = [(change.id, change.version, change.after.organisation_id, change.after.year) for change in changes]
    await connection.execute(_SAVE, *(list(column) for column in zip(*rows, strict=True)))
    sums = [
        (change.id, category, change.after.by_category[category])
        for change in changes
        for category in {key: None for recorded in change.events for key in recorded.event.amounts}
    ]
    await connection.execute(_SAVE_CATEGORIES, *(list(column) for column in zip(*sums, strict=True)))


SPENDING: Final[StreamKind[Spending, Event]] = StreamKind("spending", Event, evolve, _load, _save, in_one=True)
