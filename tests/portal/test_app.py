"""The composition: what is named in two places is the same in both."""

import pytest

from kernel.db.metadata import metadata
from portal.app import KINDS, STATE_TABLES


def test_each_kind_of_stream_names_its_table() -> None:
    assert list(STATE_TABLES) == [kind.name for kind in KINDS]
    assert len(set(STATE_TABLES.values())) == len(STATE_TABLES)


@pytest.mark.parametrize("table", STATE_TABLES.values())
def test_a_table_of_states_has_an_id_and_a_version(table: str) -> None:
    assert {"id", "version"} <= set(metadata.tables[table].columns.keys())
