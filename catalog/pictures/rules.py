"""
Pictures that were sent in.

The journal says who sent which picture in and what was kept of it; the files themselves are in the store of blobs, by
their digests. A picture is never changed and never deleted: an order freezes the product as it was shown. What must not
be shown at all is withheld: its file stays, and nobody gets it.

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
    WITHHELD = "picture-withheld"


WITHHELD_TEXTS: Final = (
    "这张图片已被平台下架，不能再次上传。",
    "This picture was taken down from the whole platform and is not taken again.",
)


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


class Withheld(msgspec.Struct, frozen=True, tag_field="kind", tag="picture.withheld"):
    """The picture is shown nowhere any more (全平台下架): it is unlawful, or somebody else's."""

    reason: str


class Picture(msgspec.Struct, frozen=True):
    """A picture; for the fields see :class:`Stored`. ``withheld`` says why nobody gets it, and is empty otherwise."""

    id: UUID
    source: str
    digest: str
    thumbnail: str
    width: int
    height: int
    size_bytes: int
    organisation_id: UUID | None
    stored_at: datetime
    withheld: str = ""


Event = Stored | Withheld


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in hex, as pictures are named by."""
    return _SHA256.fullmatch(text) is not None


def picture_id_of(organisation_id: UUID | None, source: str) -> UUID:
    """Name the picture that an organisation makes by sending in a file with the SHA-256 ``source``."""
    return uuid5(_NAMESPACE, f"{organisation_id or ''}/{source}")


def decide_store(picture: Picture | None, stored: Stored) -> Stored | Refusal:
    """Decide that a picture is kept; sending the same file in again changes nothing."""
    assert stored.id == picture_id_of(stored.organisation_id, stored.source)
    if picture is None:
        return stored
    return Refusal.WITHHELD if picture.withheld else Refusal.EXISTS


def decide_withhold(picture: Picture | None, *, reason: str) -> Withheld | Refusal:
    """Decide that nobody gets a picture any more; one is withheld once, for the first reason."""
    assert reason
    assert picture is not None, "found before, and none is ever deleted"
    return Refusal.WITHHELD if picture.withheld else Withheld(reason)


def evolve(picture: Picture | None, event: Event, at: datetime) -> Picture:
    """Apply what was decided."""
    if isinstance(event, Withheld):
        assert picture is not None
        return msgspec.structs.replace(picture, withheld=event.reason)
    return Picture(stored_at=at, **msgspec.structs.asdict(event))
