import re
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import public_number, uuid7

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 1), datetime(3000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments)
def test_an_identifier_is_a_version_7_uuid_and_holds_its_millisecond(at: datetime) -> None:
    found = uuid7(at)

    assert (found.version, found.variant) == (7, RFC_4122)
    assert found.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(moments, st.timedeltas(timedelta(milliseconds=1), timedelta(days=400)))
def test_a_later_identifier_sorts_behind_as_number_and_as_text(at: datetime, later: timedelta) -> None:
    first, second = uuid7(at), uuid7(at + later)

    assert first < second
    assert str(first) < str(second)


def test_identifiers_of_one_moment_differ() -> None:
    assert len({uuid7(AT) for _ in range(10_000)}) == 10_000


@given(st.uuids(version=4))
def test_a_public_number_has_no_letter_that_is_mistaken_for_another(identifier: UUID) -> None:
    number = public_number("DD", AT, identifier)

    assert re.fullmatch(r"DD20261123-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", number)


def test_a_public_number_carries_the_date_in_beijing() -> None:
    last, first = datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC), datetime(2026, 12, 31, 16, 0, tzinfo=UTC)

    assert public_number("JJ", last, UUID(int=0)) == "JJ20261231-00000-00000"
    assert public_number("JJ", first, UUID(int=0)) == "JJ20270101-00000-00000"


def test_a_public_number_is_the_last_fifty_bits() -> None:
    assert public_number("X", AT, UUID(int=(1 << 50) - 1)) == "X20261123-ZZZZZ-ZZZZZ"
    assert public_number("X", AT, UUID(int=1 << 50)) == "X20261123-00000-00000"
    assert public_number("X", AT, UUID(int=33)) == "X20261123-00000-00011"
