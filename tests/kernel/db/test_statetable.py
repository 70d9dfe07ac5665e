"""State rows: every kind of field comes back as it was saved."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.db.database import Database
from kernel.db.statetable import StateTable
from kernel.journal.streams import Change, Versioned


class Colour(StrEnum):
    RED = "red"


class Part(msgspec.Struct, frozen=True):
    name: str
    price_fen: int
    until: datetime | None = None


class Thing(msgspec.Struct, frozen=True):
    id: UUID
    text: str = ""
    count: int = 0
    on: bool = False
    at: datetime | None = None
    day: date = date(2026, 11, 23)
    colour: Colour | None = None
    ratio: Decimal | None = None
    words: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    owners: tuple[UUID, ...] = ()
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = {}
    one: Part | None = None
    note: str | None = None


TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text),
    sa.Column("count", sa.BigInteger),
    sa.Column("on", sa.Boolean),
    sa.Column("at", sa.TIMESTAMP(timezone=True)),
    sa.Column("day", sa.Date),
    sa.Column("colour", sa.Text),
    sa.Column("ratio", sa.Numeric),
    sa.Column("words", ARRAY(sa.Text)),
    sa.Column("numbers", ARRAY(sa.BigInteger)),
    sa.Column("owners", ARRAY(sa.Uuid)),
    sa.Column("parts", JSONB),
    sa.Column("by_name", JSONB),
    sa.Column("one", JSONB),
    sa.Column("note", JSONB),
    sa.Column("letters", sa.Integer),
)
STATES: StateTable[Thing, msgspec.Struct] = StateTable(TABLE, Thing, {"letters": lambda thing: len(thing.text)})
ID = UUID(int=1)
AT = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)

THINGS = (
    Thing(ID),
    Thing(ID, text="采购 'quoted' \"double\" \\ {a,b} \n", count=2**63 - 1, on=True, at=AT, day=date(1, 1, 1)),
    Thing(ID, count=-(2**63), colour=Colour.RED, ratio=Decimal("0.1000000000000000000000000001")),
    Thing(ID, words=("", "a,b", '"', "\\", "NULL", "{}", "采"), numbers=(3, 1, 2, -1), owners=(UUID(int=9), ID)),
    Thing(ID, parts=(Part("a", 1, AT), Part('"', 2)), by_name={"": Part("x", 0), "采": Part("y", 2**60)}),
    Thing(ID, one=Part("only", 5), note='"json" in text'),
    Thing(ID, note="null"),
)


def change(thing: Thing, version: int = 1) -> Change[Thing, msgspec.Struct]:
    return Change(thing.id, None, thing, version, ())


@pytest.fixture
async def table(owner: asyncpg.Connection) -> asyncpg.Connection:
    await owner.execute(str(sa.schema.CreateTable(TABLE).compile(dialect=sa.dialects.postgresql.dialect())))
    return owner


@pytest.mark.parametrize("thing", THINGS)
async def test_a_state_is_loaded_as_it_was_saved(table: asyncpg.Connection, thing: Thing) -> None:
    await STATES.save(table, [change(thing, 7)])

    assert await STATES.load(table, [thing.id]) == {thing.id: Versioned(7, thing)}


async def test_saving_again_replaces_and_what_is_derived_follows(table: asyncpg.Connection) -> None:
    await STATES.save(table, [change(THINGS[1])])
    await STATES.save(table, [change(Thing(ID, text="four"), 2)])

    assert await STATES.load(table, [ID]) == {ID: Versioned(2, Thing(ID, text="four"))}
    assert await table.fetchval("select letters from things") == 4


async def test_many_are_saved_at_once_and_the_absent_are_left_out(table: asyncpg.Connection) -> None:
    things = [msgspec.structs.replace(thing, id=UUID(int=n)) for n, thing in enumerate(THINGS * 10, 1)]
    await STATES.save(table, [change(thing) for thing in things])

    found = await STATES.load(table, [*(thing.id for thing in things), UUID(int=999)])

    assert {id_: versioned.state for id_, versioned in found.items()} == {thing.id: thing for thing in things}


async def test_a_state_is_read_from_what_sqlalchemy_gives_too(table: asyncpg.Connection, database_url: str) -> None:
    await STATES.save(table, [change(THINGS[4])])
    database = Database(database_url, role=None)
    await database.open()
    async with database.read() as tx:
        row = (await tx.execute(sa.select(TABLE))).mappings().one()
    await database.close()

    assert STATES.state(row) == THINGS[4]
