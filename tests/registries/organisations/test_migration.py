"""Organisations registered before there were applications: their rows follow from their journal afterwards."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest

from kernel.db.database import Database
from kernel.journal import queries as journal
from kernel.journal.entry import Entry, leaf_of
from kernel.journal.verify import Difference, Progress, verify_kind
from portal import migrate
from registries.organisations.lifecycle import Kind, Status, Suspension
from registries.organisations.service import ORGANISATION
from tests.builders.registries import AT, a_credit_code

ONE, TWO = UUID(int=1), UUID(int=2)
BEFORE = "0012"


def entries(id_: UUID, number: int) -> list[Entry]:
    """A registration, two suspensions and, of the second organisation, only the first of them lifted."""
    said = {"id": str(id_), "category": "supplier", "name": f"单位{number}", "credit_code": a_credit_code(number)}
    bodies = [
        {"kind": "organisation.registered", **said, "region": "330102"},
        {"kind": "organisation.suspended", "reason": "第一次"},
        {"kind": "organisation.reinstated", "reason": "期满"},
        *([{"kind": "organisation.suspended", "reason": "第二次"}] if number == 2 else []),
    ]
    found: list[Entry] = []
    for version, body in enumerate(bodies, 1):
        raw, at = msgspec.json.encode(body), AT + timedelta(microseconds=version)
        fields = {
            "stream": f"organisation/{id_}",
            "version": version,
            "kind": body["kind"],
            "at": at,
            "actor": "system/test",
            "origin": "local",
            "body": raw,
        }
        found.append(Entry(**fields, leaf=leaf_of(**fields)))  # type: ignore[arg-type]
    return found


@pytest.fixture
async def old(postgres: Callable[[str], str]) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """A database of the revision before, with one active and one suspended organisation."""
    url, admin = postgres("old_organisations"), await asyncpg.connect(postgres("postgres"))
    await admin.execute("drop database if exists old_organisations with (force)")
    await admin.execute("create database old_organisations")
    await migrate.migrate(url, BEFORE)
    connection = await Database(url, role=None).connect()
    for id_, number, status in ((ONE, 1, "active"), (TWO, 2, "suspended")):
        written = entries(id_, number)
        async with connection.transaction():
            assert await journal.append(connection, written)
        await connection.execute(
            "insert into organisations (id, version, kind, name, credit_code, region, status, registered_at) "
            "values ($1, $2, 'supplier', $3, $4, '330102', $5, $6)",
            id_,
            len(written),
            f"单位{number}",
            a_credit_code(number),
            status,
            AT + timedelta(microseconds=1),
        )
    yield url, connection
    await connection.close()
    await admin.execute("drop database old_organisations with (force)")
    await admin.close()


async def test_rows_that_were_there_follow_from_their_journal(old: tuple[str, asyncpg.Connection]) -> None:
    url, connection = old
    await migrate.migrate(url)

    found = [one async for one in verify_kind(connection, ORGANISATION, "organisations")]
    assert [one for one in found if isinstance(one, Difference)] == []
    assert found[-1] == Progress("organisation", 2, 7)
    states = await ORGANISATION.load(connection, [ONE, TWO])
    assert states[TWO].state.suspension == Suspension("第二次", AT + timedelta(microseconds=4))
    assert (states[ONE].state.status, states[ONE].state.revision) == (Status.ACTIVE, 3)


async def test_the_way_back_keeps_who_is_registered(old: tuple[str, asyncpg.Connection]) -> None:
    url, connection = old
    await migrate.migrate(url)
    await connection.execute(
        "insert into organisations select $1, 1, kind, name, $2, region, 'applied', null, 1, 'ZC1', now(), details, "
        "faults, note, pending, suspension, review_region, now(), null from organisations where id = $3",
        UUID(int=3),
        a_credit_code(3),
        ONE,
    )
    await connection.execute("update organisations set status = 'leaving' where id = $1", ONE)
    await migrate.migrate_back(url, BEFORE)

    rows = await connection.fetch("select id, kind, status from organisations order by id")
    assert [tuple(row) for row in rows] == [(ONE, Kind.SUPPLIER, "suspended"), (TWO, Kind.SUPPLIER, "suspended")]
