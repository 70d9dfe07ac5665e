"""What is kept of a picture that somebody sent in, and what is refused."""

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from kernel.pictures import (
    BYTES_MAX,
    EDGE_MAX,
    EDGE_MIN,
    PIXELS_MAX,
    TEXTS,
    THUMBNAIL_EDGE_MAX,
    Fault,
    Picture,
    cleaned,
)
from tests.builders.pictures import a_picture


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content), formats=["WEBP"])


def kept(content: bytes) -> Picture:
    picture = cleaned(content)
    assert isinstance(picture, Picture), picture
    return picture


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_kept_as_webp_with_a_thumbnail(format_: str) -> None:
    picture = kept(a_picture(format_))

    assert (picture.width, picture.height) == (800, 600)
    assert opened(picture.content).size == (800, 600)
    assert opened(picture.thumbnail).size == (THUMBNAIL_EDGE_MAX, THUMBNAIL_EDGE_MAX * 3 // 4)


def test_a_large_picture_is_scaled_down_and_a_small_one_is_left() -> None:
    assert kept(a_picture(size=(2 * EDGE_MAX, 1000)))[2:] == (EDGE_MAX, 500)
    assert kept(a_picture(size=(EDGE_MIN, EDGE_MIN)))[2:] == (EDGE_MIN, EDGE_MIN)


def test_where_it_was_taken_and_with_what_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (30.0, 15.0, 0.0)
    sent = a_picture("JPEG", exif=exif, comment=b"SECRETCOMMENT")
    assert b"SECRETCAMERA" in sent
    assert b"SECRETCOMMENT" in sent

    picture = kept(sent)

    for content in (picture.content, picture.thumbnail):
        assert b"SECRET" not in content
        assert not opened(content).getexif()
        assert not {"exif", "xmp", "icc_profile", "comment"} & opened(content).info.keys()


def test_a_picture_that_says_how_it_was_held_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter

    picture = kept(a_picture("JPEG", exif=exif))

    assert (picture.width, picture.height) == (600, 800)


def test_transparency_stays() -> None:
    out = BytesIO()
    Image.new("RGBA", (100, 100), (255, 0, 0, 0)).save(out, "PNG")

    assert opened(kept(out.getvalue()).content).convert("RGBA").getpixel((50, 50))[3] == 0  # type: ignore[index]


def test_colours_of_a_profile_become_those_that_every_screen_shows() -> None:
    out = BytesIO()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (100, 100), (10, 200, 90)).save(out, "PNG", icc_profile=lab)
    broken = BytesIO()
    Image.new("RGB", (100, 100), (10, 200, 90)).save(broken, "PNG", icc_profile=b"no profile")

    for sent in (out, broken):
        red, green, blue = opened(kept(sent.getvalue()).content).convert("RGB").getpixel((50, 50))  # type: ignore[misc]
        assert abs(red - 10) < 8
        assert abs(green - 200) < 8
        assert abs(blue - 90) < 8


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "I;16", "CMYK"])
def test_every_kind_of_colour_is_taken(mode: str) -> None:
    out = BytesIO()
    Image.new(mode, (100, 100)).save(out, "JPEG" if mode == "CMYK" else "PNG")

    assert kept(out.getvalue()).width == 100


def test_the_same_file_gives_the_same_picture() -> None:
    assert cleaned(a_picture()) == cleaned(a_picture())


def a_png_head(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def animated(format_: str) -> bytes:
    out = BytesIO()
    frames = [Image.new("RGB", (100, 100), (shade, 0, 0)) for shade in (0, 120, 240)]
    frames[0].save(out, format_, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def a_gif() -> bytes:
    out = BytesIO()
    Image.new("RGB", (100, 100)).save(out, "GIF")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", Fault.EMPTY),
        (b"x" * (BYTES_MAX + 1), Fault.TOO_HEAVY),
        (b"x" * BYTES_MAX, Fault.NOT_A_PICTURE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Fault.NOT_A_PICTURE),
        (b"\x89PNG\r\n\x1a\n", Fault.NOT_A_PICTURE),
        (a_gif(), Fault.NOT_A_PICTURE),
        (a_png_head(PIXELS_MAX // 1000 + 1, 1000), Fault.TOO_MANY_PIXELS),
        (a_png_head(100_000, 100_000), Fault.TOO_MANY_PIXELS),
        (a_picture(size=(EDGE_MIN - 1, 500)), Fault.TOO_SMALL),
        (a_picture(size=(500, EDGE_MIN - 1)), Fault.TOO_SMALL),
        (animated("PNG"), Fault.MOVES),
        (animated("WEBP"), Fault.MOVES),
        (a_png_head(100, 100), Fault.BROKEN),
        (a_picture("PNG")[:-400], Fault.BROKEN),
        (a_picture("JPEG")[:2000], Fault.BROKEN),
    ],
)
def test_what_is_refused_says_why(content: bytes, fault: Fault) -> None:
    assert cleaned(content) is fault
    assert all(TEXTS[fault])


def test_every_fault_has_a_text() -> None:
    assert set(TEXTS) == set(Fault)


GOOD = a_picture("JPEG", size=(120, 90)), a_picture("PNG", size=(120, 90)), a_picture("WEBP", size=(120, 90))


@settings(max_examples=60)
@given(content=st.sampled_from(GOOD), place=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.integers(0, 10**6))
def test_no_damage_makes_it_fail_in_another_way(content: bytes, place: int, byte: int, cut: int) -> None:
    damaged = bytearray(content)
    damaged[place % len(content)] = byte

    assert isinstance(cleaned(bytes(damaged)), Picture | Fault)
    assert isinstance(cleaned(bytes(damaged[: cut % len(content)])), Picture | Fault)
