"""
Pictures: bytes that somebody sent in, a clean picture and its thumbnail out.

What is kept is never what was sent. A picture is decoded, turned upright, made sRGB, scaled down and written anew, so
that where and with which camera it was taken (Exif, GPS) is gone, and a file that is two things at once (a picture and
a script) is only a picture afterwards. The type is that of the content, whatever the sender calls it.

Cost: about 0.1 s and 4 bytes a pixel of the original for a photograph of 12 megapixels; Pillow works without the GIL,
so it belongs into a thread. Source: ADR-0054.
"""

import struct
from enum import StrEnum
from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image, ImageCms, ImageOps

BYTES_MAX: Final = 8 << 20
"""Of what is sent in."""
PIXELS_MAX: Final = 40_000_000
"""Width by height of what is sent in: a few kilobytes may claim to be gigabytes (decompression bomb)."""
EDGE_MIN: Final = 64
"""Pixels of the shorter edge, below which nothing can be made out."""
EDGE_MAX: Final = 1600
"""Pixels of the longer edge of what is kept."""
THUMBNAIL_EDGE_MAX: Final = 360
"""Pixels of the longer edge of a thumbnail: a card at twice the density."""
MEDIA_TYPE: Final = "image/webp"
"""Of what is kept, the thumbnail included."""
TAKEN: Final = ("image/jpeg", "image/png", "image/webp")
"""What may be sent in."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_QUALITY: Final = 82
_THUMBNAIL_QUALITY: Final = 76
_BROKEN: Final = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, struct.error)
"""What Pillow's readers raise for a file that is broken."""
_BOMB: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class Fault(StrEnum):
    """Why something is not taken, in order of precedence."""

    EMPTY = "picture-empty"
    TOO_HEAVY = "picture-too-heavy"
    NOT_A_PICTURE = "not-a-picture"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_SMALL = "picture-too-small"
    MOVES = "picture-moves"
    BROKEN = "picture-broken"


TEXTS: Final[dict[Fault, tuple[str, str]]] = {
    Fault.EMPTY: ("图片是空文件，请重新选择。", "The picture is empty; choose another file."),
    Fault.TOO_HEAVY: (
        f"图片超过 {BYTES_MAX >> 20} MB，请压缩后再上传。",
        f"The picture is over {BYTES_MAX >> 20} MB; make it smaller and send it again.",
    ),
    Fault.NOT_A_PICTURE: (
        "不是 JPEG、PNG 或 WebP 图片，请转换格式后再上传。",
        "Not a JPEG, PNG or WebP picture; convert it and send it again.",
    ),
    Fault.TOO_MANY_PIXELS: (
        f"图片超过 {PIXELS_MAX // 10_000} 万像素，请缩小后再上传。",
        f"The picture has over {PIXELS_MAX // 1_000_000} million pixels; scale it down and send it again.",
    ),
    Fault.TOO_SMALL: (
        f"图片太小，宽和高都须至少 {EDGE_MIN} 像素。",
        f"The picture is too small: width and height must be at least {EDGE_MIN} pixels.",
    ),
    Fault.MOVES: ("不接受动态图片，请上传静态图片。", "Moving pictures are not taken; send a still one."),
    Fault.BROKEN: (
        "图片已损坏，无法读取，请重新导出后上传。",
        "The picture is damaged; export it anew and send it again.",
    ),
}


class Picture(NamedTuple):
    """A clean picture as it is kept, both of :data:`MEDIA_TYPE`; sizes in pixels."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int


def cleaned(content: bytes) -> Picture | Fault:  # noqa: PLR0911  one return for each fault
    """Make a clean picture of what was sent in; ``Fault`` says why that cannot be."""
    if not content:
        return Fault.EMPTY
    if len(content) > BYTES_MAX:
        return Fault.TOO_HEAVY
    try:
        image = Image.open(BytesIO(content), formats=_FORMATS)
    except _BOMB:
        return Fault.TOO_MANY_PIXELS
    except _BROKEN:
        return Fault.NOT_A_PICTURE
    with image:
        fault = _fault_of(image)
        if fault:
            return fault
        try:
            return _rewritten(image)
        except _BROKEN:
            return Fault.BROKEN


def _fault_of(image: Image.Image) -> Fault | None:
    """Judge a picture by its head, before anything of it is decoded."""
    if image.width * image.height > PIXELS_MAX:
        return Fault.TOO_MANY_PIXELS
    if min(image.size) < EDGE_MIN:
        return Fault.TOO_SMALL
    # A camera's JPEG may carry a preview as a second frame (MPO): the first one is the picture.
    if getattr(image, "is_animated", False) and image.format in {"PNG", "WEBP"}:
        return Fault.MOVES
    return None


def _rewritten(image: Image.Image) -> Picture:
    image.draft("RGB", (EDGE_MAX, EDGE_MAX))  # JPEG alone: decode no finer than needed
    upright = ImageOps.exif_transpose(image)
    upright = _in_srgb(upright)
    upright.thumbnail((EDGE_MAX, EDGE_MAX), Image.Resampling.LANCZOS)
    small = upright.copy()
    small.thumbnail((THUMBNAIL_EDGE_MAX, THUMBNAIL_EDGE_MAX), Image.Resampling.LANCZOS)
    return Picture(_written(upright, _QUALITY), _written(small, _THUMBNAIL_QUALITY), upright.width, upright.height)


def _in_srgb(image: Image.Image) -> Image.Image:
    """Give the picture in the colours that every screen shows: a profile that is left out must not change them."""
    profile = image.info.get("icc_profile")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            found = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        except (ImageCms.PyCMSError, *_BROKEN):  # a broken profile costs a shade, not the picture
            found = None
        if found is not None:
            return found
    return image.convert(mode)


def _written(image: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=quality, method=4, exif=b"", xmp=b"", icc_profile=None)
    return out.getvalue()
