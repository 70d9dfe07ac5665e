"""Columns as texts: what PostgreSQL splits again is what was joined."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.journal import lines

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_each_value_has_a_line() -> None:
    assert lines.numbers([1, -2, 10**15]) == "1\n-2\n1000000000000000"
    assert lines.plain([UUID(int=1), UUID(int=2)]) == f"{UUID(int=1)}\n{UUID(int=2)}"
    assert lines.plain([datetime(2026, 1, 2, tzinfo=UTC)]) == "2026-01-02T00:00:00Z"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=5), numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)
)
async def test_the_database_reads_what_was_written(
    owner: asyncpg.Connection, moments: list[datetime], numbers: list[int]
) -> None:
    read = "select string_to_array($1, E'\\n')::"
    assert await owner.fetchval(f"{read}timestamptz[]", lines.plain([*moments, moments[0] + timedelta(microseconds=1)]))
    assert await owner.fetchval(f"{read}timestamptz[]", lines.plain(moments)) == moments
    assert await owner.fetchval(f"{read}bigint[]", lines.numbers(numbers)) == numbers
