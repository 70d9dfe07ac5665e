"""Identifiers: UUIDv7 inside, public numbers for people."""

import os
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from kernel.clock import BEIJING

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def uuid7(at: datetime) -> UUID:
    """
    Make a time-ordered identifier: 48 bits of milliseconds, 74 random bits.

    Source: RFC 9562 section 5.7.
    """
    millis = (at - _EPOCH) // _MILLISECOND
    random = int.from_bytes(os.urandom(10))
    value = (
        (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    return UUID(int=value)


def public_number(prefix: str, at: datetime, identifier: UUID) -> str:
    """
    Write the number that people read out on the telephone, such as ``DD20261123-7K3M9-QX2PA``.

    Prefix, Beijing date, 50 random bits of the identifier in Crockford's base 32 (no I, L, O, U).
    """
    bits = identifier.int & (1 << 50) - 1
    letters = "".join(_CROCKFORD[bits >> shift & 31] for shift in range(45, -1, -5))
    return f"{prefix}{at.astimezone(BEIJING):%Y%m%d}-{letters[:5]}-{letters[5:]}"
