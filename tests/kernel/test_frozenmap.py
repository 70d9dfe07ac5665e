"""A mapping that never changes is as good as a dictionary that is copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.frozenmap import OWN_MAX, FrozenMap

KEYS = st.integers(0, 60)
STEPS = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 3)), max_size=4 * OWN_MAX)


@given(st.dictionaries(KEYS, st.integers(0, 3)), STEPS)
def test_it_is_what_a_copied_dictionary_would_be(start: dict[int, int], steps: list[tuple[int, int | None]]) -> None:
    plain, frozen = start.copy(), FrozenMap(start)
    made = [(plain.copy(), frozen)]
    for key, value in steps:
        if value is not None:
            plain[key], frozen = value, frozen.with_(key, value)
        elif key in plain:
            del plain[key]
            frozen = frozen.without(key)
        else:
            with pytest.raises(KeyError):
                frozen.without(key)
        made.append((plain.copy(), frozen))

    for expected, found in made:  # and none of those before has changed since
        assert found == expected
        assert expected == found
        assert len(found) == len(expected)
        assert dict(found.items()) == expected
        assert sorted(found) == sorted(expected)
        assert all((key in found) == (key in expected) for key in range(61))
        assert all(found.get(key, -1) == expected.get(key, -1) for key in range(61))


def test_two_are_equal_by_what_is_in_them() -> None:
    one, other = FrozenMap({1: 2}).with_(3, 4), FrozenMap({3: 4, 1: 2})

    assert one == other
    assert one.without(3) != other
    assert one.without(1).without(3) == FrozenMap() == {}
    assert repr(one) == "FrozenMap({1: 2, 3: 4})"


def test_what_is_absent_or_gone_is_not_there() -> None:
    for empty in (FrozenMap[int, int](), FrozenMap({1: 2}).without(1), FrozenMap[int, int]().with_(1, 2).without(1)):
        with pytest.raises(KeyError):
            empty[1]
