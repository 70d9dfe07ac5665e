"""A small kind of stream for tests of the kernel: pieces in stock, and who took one."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB

from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.db.statetable import StateTable
from kernel.ids import uuid7
from kernel.journal import queries
from kernel.journal.streams import Change, Connection, StreamKind, Versioned, decoder
from kernel.problems import Problem, Refused
from kernel.runtime import Kernel

NOON = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Taken(msgspec.Struct, frozen=True, tag_field="kind", tag="stock.taken"):
    by: str


class Filled(msgspec.Struct, frozen=True, tag_field="kind", tag="stock.filled"):
    pieces: int


class Stock(msgspec.Struct, frozen=True):
    left: int
    buyers: tuple[str, ...]


def evolve(state: Stock | None, event: Filled | Taken, _at: datetime) -> Stock:
    match event:
        case Filled(pieces=pieces):
            return Stock(pieces, () if state is None else state.buyers)
        case Taken(by=by):
            assert state is not None
            return Stock(state.left - 1, (*state.buyers, by))


TABLE = Table(
    "stocks",
    MetaData(),
    Column("id", sa.Uuid(), primary_key=True),
    Column("version", BigInteger),
    Column("left", BigInteger),
    Column("buyers", JSONB),
)
DDL = 'create table stocks (id uuid primary key, version bigint, "left" bigint check ("left" >= 0), buyers jsonb)'
SLOW_COMMIT = """
create function doze() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return null; end $$;
create constraint trigger slow after insert or update on stocks deferrable initially deferred
for each row execute function doze();
"""
"""Makes COMMIT itself take half a second."""

ROWS: StateTable[Stock, Filled | Taken] = StateTable(TABLE, Stock)
STOCK: StreamKind[Stock, Filled | Taken] = StreamKind("stock", Filled | Taken, evolve, ROWS.load, ROWS.save, heard=True)
"""Written statement by statement, in a transaction that ends with a COMMIT of its own."""
AT_ONCE = dataclasses.replace(STOCK, in_one=True)
"""The same, written and committed as one statement where that is possible."""
ID = uuid7(NOON)


Kind = StreamKind[Stock, Filled | Taken]


def take(by: str, id_: UUID = ID, key: Key | None = None, kind: Kind = STOCK) -> Command[int]:
    """Take a piece; the answer is how many are left."""
    stock = kind.ref(id_)

    def decide(states: States) -> Decided[int] | Problem:
        state = states.get(stock)
        if state is None or state.left == 0:
            return Refused("没有了", "none left", reason="none-left")
        return Decided(state.left - 1, [Happened(stock, Taken(by))])

    return Command([stock], decide, f"user/{by}", "127.0.0.1", NOON, key, int)


def fill(pieces: int, id_: UUID = ID, kind: Kind = STOCK) -> Command[None]:
    def decide(_: States) -> Decided[None]:
        return Decided(None, [Happened(kind.ref(id_), Filled(pieces))])

    return Command([kind.ref(id_)], decide, "system/test", "", NOON)


async def journal(kernel: Kernel, id_: UUID = ID) -> list[str]:
    """List the kinds of what happened to a stock."""
    return [entry.kind for entry in await queries.read(kernel.db.pool, f"stock/{id_}")]


async def _brought_up(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Stock]]:
    """Load rows, and replay what the journal has behind them."""
    found = await ROWS.load(connection, ids)
    for id_ in found:
        for entry in await queries.read(connection, f"stock/{id_}", after=found[id_].version):
            after = evolve(found[id_].state, decoder(STOCK)(entry.body), entry.at)
            found[id_] = Versioned(entry.version, after)
    return found


def _is_taken_of(change: Change[Stock, Filled | Taken]) -> bool:
    return all(isinstance(one.event, Taken) for one in change.events)


LAGGING = dataclasses.replace(AT_ONCE, load=_brought_up, may_lag=_is_taken_of)
"""The same, whose rows may lag behind while pieces are taken; what is filled up is written at once."""
