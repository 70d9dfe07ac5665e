"""
Copies of business licences, decided purely: what is taken, and what is known of a copy.

Source: 政府采购法实施条例 第十七条 (what a supplier hands in to show that it is one); ADR-0061.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

BYTES_MAX: Final = 5 << 20
BYTES_MIN: Final = 64
"""Shorter files are not even empty documents of their kind."""


class Media(StrEnum):
    """What a copy may be."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"


TAKEN: Final = tuple(media.value for media in Media)
SUFFIXES: Final = {Media.PDF: "pdf", Media.JPEG: "jpg", Media.PNG: "png"}
_BEGINNINGS: Final = {Media.PDF: b"%PDF-", Media.JPEG: b"\xff\xd8\xff", Media.PNG: b"\x89PNG\r\n\x1a\n"}


class Unfit(StrEnum):
    """Why a file is not taken."""

    SIZE = "licence-size"
    MEDIA = "licence-media"


TEXTS: Final[dict[Unfit, tuple[str, str]]] = {
    Unfit.SIZE: (
        f"文件须为 {BYTES_MIN} 字节至 {BYTES_MAX >> 20} MB。",
        f"The file has {BYTES_MIN} bytes to {BYTES_MAX >> 20} MB.",
    ),
    Unfit.MEDIA: (
        "请上传 PDF、JPEG 或 PNG 文件；文件内容与这些格式不符。",
        "Send a PDF, JPEG or PNG file; the content is none of these.",
    ),
}


class Filed(msgspec.Struct, frozen=True, tag_field="kind", tag="licence.filed"):
    """An organisation handed a copy of its licence in; ``digest`` is the SHA-256 of the file, as it came."""

    id: UUID
    organisation_id: UUID
    digest: str
    media: Media
    size_bytes: int


class Licence(msgspec.Struct, frozen=True):
    """A copy as it was handed in: it does not change, a later one takes its place."""

    id: UUID
    organisation_id: UUID
    digest: str
    media: Media
    size_bytes: int
    filed_at: datetime


def media_of(content: bytes) -> Media | Unfit:
    """Tell what a file is by how it begins, whatever it was said to be."""
    if not BYTES_MIN <= len(content) <= BYTES_MAX:
        return Unfit.SIZE
    return next((media for media, start in _BEGINNINGS.items() if content.startswith(start)), Unfit.MEDIA)


def evolve(licence: Licence | None, event: Filed, at: datetime) -> Licence:
    """Apply what was decided."""
    assert licence is None
    return Licence(**msgspec.structs.asdict(event), filed_at=at)
