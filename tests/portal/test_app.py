"""The composition: what is named in two places is the same in both."""

import asyncpg

from portal.app import KINDS, STATE_TABLES


def test_each_kind_of_stream_names_its_table() -> None:
    assert list(STATE_TABLES) == [kind.name for kind in KINDS]


async def test_the_tables_of_states_are_those_with_an_id_and_a_version(owner: asyncpg.Connection) -> None:
    found = await owner.fetch(
        "select table_name from information_schema.columns where table_schema = 'public' "
        "group by table_name having array_agg(column_name::text) @> array['id', 'version']"
    )

    assert {row[0] for row in found} == set(STATE_TABLES.values())
