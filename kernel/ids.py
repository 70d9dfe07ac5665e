"""Identifiers: UUIDv7 inside, public numbers for people."""

import os
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

from kernel.clock import beijing_day

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)


_RANDOM_BYTES: Final = 10
_MADE_AT_ONCE: Final = 256
_store: list[bytes] = []
os.register_at_fork(after_in_child=_store.clear)


def _random() -> bytes:
    """Take bytes of the system's generator; many are fetched at once, for each call of it costs a microsecond."""
    try:
        return _store.pop()
    except IndexError:
        fetched = os.urandom(_RANDOM_BYTES * _MADE_AT_ONCE)
        _store.extend(fetched[at : at + _RANDOM_BYTES] for at in range(0, len(fetched), _RANDOM_BYTES))
        return _store.pop()


def uuid7(at: datetime) -> UUID:
    """
    Make a time-ordered identifier: 48 bits of milliseconds, 74 random bits.

    Source: RFC 9562 section 5.7.
    """
    millis = (at - _EPOCH) // _MILLISECOND
    random = int.from_bytes(_random())
    value = (
        (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    return UUID(int=value)


def public_number(prefix: str, at: datetime, identifier: UUID) -> str:
    """
    Write the number that people read out on the telephone, such as ``DD20261123-7K3M9-QX2PA``.

    Prefix, Beijing date, 50 random bits of the identifier in Crockford's base 32 (no I, L, O, U).
    """
    bits = identifier.int
    pairs = [_PAIRS[bits >> shift & 1023] for shift in (40, 30, 20, 10, 0)]
    letters = "".join(pairs)
    return f"{prefix}{_compact(beijing_day(at))}-{letters[:5]}-{letters[5:]}"


@lru_cache(maxsize=8)
def _compact(day: date) -> str:
    return f"{day:%Y%m%d}"
