"""Who asks: what of it goes into a command."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Key, States
from tests.builders.registries import OPERATOR
from tests.builders.stock import STOCK
from tests.conftest import NOON

KEY = Key(OPERATOR.journal, "k-1", b"f")


@pytest.mark.parametrize(("key", "creates"), [(KEY, (STOCK.ref(UUID(int=1)),)), (None, ())])
def test_a_command_says_who_asked_from_where_when_and_under_which_key(
    key: Key | None, creates: tuple[Any, ...]
) -> None:
    def decide(_: States) -> Decided[int]:
        return Decided(1)

    at, refs = NOON - timedelta(seconds=1), [STOCK.ref(UUID(int=1))]

    made = By(OPERATOR, "192.0.2.9", at, key).command(refs, decide, int, creates=creates)

    fields = {name: getattr(made, name) for name in Command.__struct_fields__}
    assert fields == {
        "streams": refs,
        "decide": decide,
        "actor": OPERATOR.journal,
        "origin": "192.0.2.9",
        "at": at,
        "key": key,
        "answer_type": int,
        "creates": creates,
        "supposes": (),
    }
