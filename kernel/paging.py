"""Keyset paging: a list's next page begins behind the last row seen, never at an offset."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec

from kernel.problems import Invalid

T = TypeVar("T")
R = TypeVar("R")

LIMIT_DEFAULT: Final = 20
LIMIT_MAX: Final = 200
_BIGINT_MIN: Final = -(2**63)
_BIGINT_MAX: Final = 2**63 - 1
Limit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows of a list, and the cursor of the page behind them (``None`` at the end)."""

    items: tuple[T, ...]
    next: str | None


def encode_cursor(values: tuple[Any, ...]) -> str:
    """Write the sort values of the last row as an opaque word that is safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def decode_cursor(text: str, types: tuple[Any, ...]) -> tuple[Any, ...]:
    """
    Read back the sort values of a cursor.

    Raises:
        Invalid: the word was not made by :func:`encode_cursor` for a list sorted like this.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if b"\\u0000" in raw:
            raise ValueError("U+0000 is in no cursor of ours")  # noqa: TRY301 - answered like any other bad cursor
        values: tuple[Any, ...] = msgspec.json.decode(raw, type=tuple[types])  # type: ignore[valid-type]
        if any(isinstance(value, int) and not _BIGINT_MIN <= value <= _BIGINT_MAX for value in values):
            raise ValueError("no column of ours holds that")  # noqa: TRY301 - answered like any other bad cursor
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Invalid(
            "翻页标记无效，请从第一页重新开始。",
            "The page cursor is not valid; start from the first page.",
            field="cursor",
        ) from error
    return values


def page_of(rows: Sequence[R], limit: int, item: Callable[[R], T], key: Callable[[R], tuple[Any, ...]]) -> Page[T]:
    """Make a page of at most ``limit`` from rows that were asked for with ``limit + 1``."""
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(tuple(item(row) for row in shown), encode_cursor(key(shown[-1])) if more else None)
