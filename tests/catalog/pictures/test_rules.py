"""Pictures: named by who sent what in, entered once."""

from uuid import UUID

import pytest

from catalog.pictures.rules import (
    Picture,
    Refusal,
    Stored,
    Withheld,
    decide_store,
    decide_withhold,
    evolve,
    picture_id_of,
)
from tests.builders.registries import AT

SOURCE = "a" * 64


def stored(organisation: int | None = 1) -> Stored:
    organisation_id = UUID(int=organisation) if organisation else None
    return Stored(picture_id_of(organisation_id, SOURCE), SOURCE, "b" * 64, "c" * 64, 800, 600, 12_345, organisation_id)


def test_a_picture_is_entered_once() -> None:
    decision = decide_store(None, stored())
    assert decision == stored()
    picture = evolve(None, stored(), AT)

    assert isinstance(picture, Picture)
    assert (picture.digest, picture.width, picture.stored_at) == ("b" * 64, 800, AT)
    assert decide_store(picture, stored()) is Refusal.EXISTS


def test_the_same_file_is_a_picture_of_its_own_for_each_organisation() -> None:
    assert len({stored(1).id, stored(2).id, stored(None).id}) == 3
    assert stored(1).id == stored(1).id


def test_a_picture_has_the_name_that_follows_from_it() -> None:
    wrong = Stored(UUID(int=5), SOURCE, "b" * 64, "c" * 64, 800, 600, 12_345, None)

    with pytest.raises(AssertionError):
        decide_store(None, wrong)


def test_a_picture_is_withheld_once_and_not_taken_again() -> None:
    picture = evolve(None, stored(), AT)
    decision = decide_withhold(picture, reason="侵权")
    assert decision == Withheld("侵权")
    after = evolve(picture, decision, AT)

    assert (picture.withheld, after.withheld, after.digest) == ("", "侵权", picture.digest)
    assert decide_withhold(after, reason="再次") is Refusal.WITHHELD
    assert decide_store(after, stored()) is Refusal.WITHHELD
