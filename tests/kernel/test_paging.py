import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.paging import decode_cursor, encode_cursor, page_of
from kernel.problems import Invalid

TYPES = (int, str, datetime, UUID)
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
VALUES = (5, "采购", AT, UUID(int=7))


@given(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(exclude_characters="\0", codec="utf-8"))))
def test_a_cursor_gives_back_the_values_it_was_made_of(values: tuple[int, str]) -> None:
    assert decode_cursor(encode_cursor(values), (int, str)) == values


def test_a_cursor_keeps_types_and_is_safe_in_a_url() -> None:
    cursor = encode_cursor(VALUES)

    assert decode_cursor(cursor, TYPES) == VALUES
    assert cursor.replace("-", "").replace("_", "").isalnum()


def cursor_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("", (int,)),
        ("x", (int,)),
        ("采购", (int,)),
        ("!!!!", (int,)),
        (encode_cursor(("5",)), (int,)),
        (encode_cursor((5,)), (str,)),
        (encode_cursor((5, 6)), (int,)),
        (encode_cursor((5,)), (int, int)),
        (encode_cursor(("not a uuid",)), (UUID,)),
        (encode_cursor((2**63,)), (int,)),
        (encode_cursor((-(2**63) - 1,)), (int,)),
        (cursor_of(b'["\\u0000"]'), (str,)),
        (cursor_of(b'["\xff"]'), (str,)),
        (cursor_of(b"[5"), (int,)),
        (cursor_of(b"null"), (int,)),
        (cursor_of(b"[1e999]"), (float,)),
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(text: str, types: tuple[Any, ...]) -> None:
    with pytest.raises(Invalid) as caught:
        decode_cursor(text, types)
    assert caught.value.members["field"] == "cursor"


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        decode_cursor(text, TYPES)
    except Invalid:
        return


@pytest.mark.parametrize(("rows", "shown", "pages"), [(0, 0, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2)])
def test_a_page_has_a_next_one_only_when_a_row_more_was_found(rows: int, shown: int, pages: int) -> None:
    page = page_of(list(range(rows)), 3, str, lambda row: (row,))

    assert page.items == tuple(map(str, range(shown)))
    assert page.next == (encode_cursor((shown - 1,)) if pages > 1 else None)
