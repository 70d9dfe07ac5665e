"""The kinds of stream that the application composes."""

from typing import Any, get_args

import msgspec
import pytest

from kernel.journal.streams import StreamKind
from portal.app import KINDS


def events_of(kind: StreamKind[Any, Any]) -> tuple[type[msgspec.Struct], ...]:
    return get_args(kind.events) or (kind.events,)


def test_no_two_kinds_have_one_name() -> None:
    names = [kind.name for kind in KINDS]

    assert len(set(names)) == len(names)


def test_no_two_events_have_one_tag() -> None:
    tags = [str(event.__struct_config__.tag) for kind in KINDS for event in events_of(kind)]

    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_event_is_a_frozen_struct_that_names_its_kind(kind: StreamKind[Any, Any]) -> None:
    for event in events_of(kind):
        config = event.__struct_config__

        assert config.frozen, event
        assert config.tag_field == "kind", event
        assert str(config.tag).startswith(f"{kind.name}."), event
