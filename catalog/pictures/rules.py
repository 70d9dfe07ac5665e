"""
Pictures that were sent in.

The journal says who sent which picture in and what was kept of it; the files themselves are in the store of blobs, by
their digests. A picture is never changed and never deleted: an order freezes the product as it was shown.

One file sent in by two organisations is two pictures, so that each can take its own away from a product.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

import msgspec

_NAMESPACE: Final = UUID("5f7a2a5c-63c6-5f0b-9a70-6f1f2d7c5f10")
"""Fixed for ever: a picture's identifier is derived from who sent what in."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Refusal(StrEnum):
    """Why a picture is not entered, in order of precedence."""

    EXISTS = "picture-exists"


class Stored(msgspec.Struct, frozen=True, tag_field="kind", tag="picture.stored"):
    """
    A picture was sent in, cleaned and kept.

    ``source`` is the SHA-256 of what was sent in, ``digest`` that of the picture kept and shown, ``thumbnail`` that of
    its thumbnail, all in hex. Width and height in pixels. ``organisation_id`` is ``None`` for a command of ours.
    """

    id: UUID
    source: str
    digest: str
    thumbnail: str
    width: int
    height: int
    size_bytes: int
    organisation_id: UUID | None


class Picture(msgspec.Struct, frozen=True):
    """A picture; for the fields see :class:`Stored`."""

    id: UUID
    source: str
    digest: str
    thumbnail: str
    width: int
    height: int
    size_bytes: int
    organisation_id: UUID | None
    stored_at: datetime


Event = Stored


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in hex, as pictures are named by."""
    return _SHA256.fullmatch(text) is not None


def picture_id_of(organisation_id: UUID | None, source: str) -> UUID:
    """Name the picture that an organisation makes by sending in a file with the SHA-256 ``source``."""
    return uuid5(_NAMESPACE, f"{organisation_id or ''}/{source}")


def decide_store(picture: Picture | None, stored: Stored) -> Stored | Refusal:
    """Decide that a picture is kept; sending the same file in again changes nothing."""
    assert stored.id == picture_id_of(stored.organisation_id, stored.source)
    return stored if picture is None else Refusal.EXISTS


def evolve(_: Picture | None, event: Event, at: datetime) -> Picture:
    """Apply what was decided."""
    return Picture(stored_at=at, **msgspec.structs.asdict(event))
