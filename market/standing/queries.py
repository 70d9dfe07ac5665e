"""Every statement about whom a suspension touches."""

from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

OPEN_AUCTIONS_MAX: Final = 1_000
"""Open auctions of one organisation that one commit takes; the worker sees to any beyond."""

_OPEN: Final = """
select id from auctions
where stage in ('published', 'live', 'paused') and admitted @> array[$1::uuid] order by id limit $2
"""
_UNSETTLED: Final = """
select o.id as organisation_id, a.id as auction_id
from organisations o join auctions a on a.admitted @> array[o.id]
where o.status in ('suspended', 'leaving', 'deregistered') and o.kind = 'supplier'
  and a.stage in ('published', 'live', 'paused') and not a.barred @> array[o.id]
union all
select o.id, a.id
from auctions a cross join lateral unnest(a.barred) as b(id) join organisations o on o.id = b.id
where a.stage in ('published', 'live', 'paused') and cardinality(a.barred) > 0 and o.status = 'active'
limit $1
"""
_UNFINISHED: Final = """
select (select count(*) from orders
        where (purchaser_id = $1 or supplier_id = $1) and stage in ('placed', 'accepted', 'shipped', 'received'))
     + (select count(*) from auctions
        where stage in ('published', 'live', 'paused', 'closed') and (purchaser_id = $1 or bidder_ids @> array[$1]))
"""


class Unsettled(NamedTuple):
    """An open auction that does not know yet that one of its suppliers may not trade, or may again."""

    organisation_id: UUID
    auction_id: UUID


async def open_auctions(pool: asyncpg.Pool, organisation_id: UUID) -> list[UUID]:
    """List the auctions that are announced or running and admit a supplier."""
    return [row[0] for row in await pool.fetch(_OPEN, organisation_id, OPEN_AUCTIONS_MAX)]


async def unsettled(pool: asyncpg.Pool, limit: int) -> list[Unsettled]:
    """List what :func:`open_auctions` missed: auctions that were published after their supplier was suspended."""
    return [Unsettled(*row) for row in await pool.fetch(_UNSETTLED, limit)]


async def unfinished(pool: asyncpg.Pool, organisation_id: UUID) -> int:
    """Count the orders and auctions that an organisation has to finish before it is struck off."""
    return int(await pool.fetchval(_UNFINISHED, organisation_id))
