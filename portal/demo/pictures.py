"""
Pictures of the sample goods, drawn when the sample province is set up: nothing binary is kept in the sources.

Each is a plain drawing of what the category is, in colours of its own, from the front and at an angle.
"""

from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image, ImageDraw, ImageFilter

SIZE: Final = (800, 600)
_SHEET: Final = (1200, 900)
"""Drawn larger and scaled down: Pillow's lines have no soft edges of their own."""


class Colours(NamedTuple):
    """Body, its edge, and what is lit."""

    body: str
    edge: str
    light: str


_PALETTES: Final = (
    Colours("#3d4652", "#1f252d", "#7db2ff"),
    Colours("#c9ced6", "#8a929d", "#5b8def"),
    Colours("#5b6b7d", "#333f4c", "#9fd8c4"),
    Colours("#e8e4dc", "#a79f90", "#e2a65a"),
    Colours("#2d3a55", "#182137", "#f0c36d"),
)
_WOODS: Final = (
    Colours("#b98a57", "#8a6338", "#d9b88e"),
    Colours("#8c6a4a", "#5f452d", "#b48f6a"),
    Colours("#d3b58a", "#a68758", "#ead9bd"),
)
_BACKGROUND: Final = ("#ffffff", "#e6ebf2")


class _Sheet:
    """A drawing in the coordinates of ``_SHEET``."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", _SHEET)
        shade = Image.linear_gradient("L").resize(self.image.size)
        top, bottom = (Image.new("RGB", self.image.size, colour) for colour in _BACKGROUND)
        self.image.paste(Image.composite(bottom, top, shade))
        self._draw = ImageDraw.Draw(self.image)

    def shadow(self, left: int, top: int, right: int, bottom: int) -> None:
        veil = Image.new("L", (_SHEET[0] // 8, _SHEET[1] // 8), 0)  # small, for blurring is what takes the time
        ImageDraw.Draw(veil).ellipse((left / 8, top / 8, right / 8, bottom / 8), fill=110)
        veil = veil.filter(ImageFilter.GaussianBlur(2)).resize(_SHEET, Image.Resampling.BICUBIC)
        self.image.paste(Image.new("RGB", self.image.size, "#8b95a3"), mask=veil)

    def box(self, left: int, top: int, right: int, bottom: int, colour: str, edge: str = "", radius: int = 14) -> None:
        corners = (left, top, right, bottom)
        self._draw.rounded_rectangle(corners, radius, fill=colour, outline=edge or None, width=4)

    def shape(self, points: list[tuple[int, int]], colour: str, edge: str = "") -> None:
        self._draw.polygon(points, fill=colour, outline=edge or None, width=4)

    def disc(self, x: int, y: int, radius: int, colour: str, edge: str = "") -> None:
        corners = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(corners, fill=colour, outline=edge or None, width=4)

    def line(self, points: list[tuple[int, int]], colour: str, width: int = 6) -> None:
        self._draw.line(points, fill=colour, width=width, joint="curve")

    def written(self) -> bytes:
        out = BytesIO()
        self.image.resize(SIZE, Image.Resampling.LANCZOS).save(out, "PNG", compress_level=1)
        return out.getvalue()


def _screen(sheet: _Sheet, place: tuple[int, int, int, int], colours: Colours) -> None:
    left, top, right, bottom = place
    sheet.box(left, top, right, bottom, colours.edge, radius=20)
    sheet.box(left + 16, top + 16, right - 16, bottom - 16, "#eaf2ff", radius=8)
    sheet.box(left + 16, top + 16, right - 16, top + 62, colours.light, radius=8)
    middle = (left + right) // 2
    sheet.box(left + 44, top + 92, middle - 20, bottom - 44, "#ffffff", radius=8)
    for row in range(4):
        at = top + 100 + row * 52
        if at + 28 < bottom - 40:
            sheet.box(middle, at, right - 60 - row * 34, at + 24, "#c4d5ee", radius=6)


def _laptop(sheet: _Sheet, colours: Colours) -> None:
    sheet.shadow(130, 690, 1070, 800)
    _screen(sheet, (260, 170, 940, 610), colours)
    sheet.shape([(260, 610), (940, 610), (1060, 720), (140, 720)], colours.body)
    for row in range(4):
        at = 626 + row * 18
        inset = row * 19
        sheet.line([(290 - inset, at), (910 + inset, at)], colours.edge, 9)
    sheet.shape([(520, 698), (680, 698), (692, 714), (508, 714)], colours.edge)
    sheet.box(140, 720, 1060, 744, colours.edge, radius=11)


def _desktop(sheet: _Sheet, colours: Colours) -> None:
    sheet.shadow(140, 700, 1060, 800)
    _screen(sheet, (150, 190, 790, 600), colours)
    sheet.shape([(430, 600), (510, 600), (530, 710), (410, 710)], colours.body)
    sheet.box(350, 704, 590, 730, colours.edge, radius=12)
    sheet.box(850, 250, 1040, 740, colours.body, colours.edge)
    sheet.box(876, 284, 1014, 308, colours.edge, radius=8)
    sheet.box(876, 324, 1014, 348, colours.edge, radius=8)
    sheet.disc(945, 420, 22, colours.light, colours.edge)
    for row in range(7):
        sheet.line([(880, 560 + row * 22), (1010, 560 + row * 22)], colours.edge, 8)


def _printer(sheet: _Sheet, colours: Colours) -> None:
    sheet.shadow(200, 690, 1000, 800)
    sheet.shape([(400, 180), (800, 180), (830, 380), (370, 380)], "#ffffff", "#cbd3de")
    for row in range(4):
        sheet.line([(450, 226 + row * 34), (750 - row * 40, 226 + row * 34)], "#c4d5ee", 10)
    sheet.box(240, 360, 960, 700, colours.body, colours.edge, 30)
    sheet.box(240, 360, 960, 430, colours.edge, radius=24)
    sheet.box(330, 500, 870, 560, colours.edge, radius=10)
    sheet.shape([(370, 540), (830, 540), (880, 660), (320, 660)], "#ffffff", "#cbd3de")
    sheet.disc(890, 470, 14, colours.light)
    sheet.box(300, 455, 420, 482, colours.light, radius=8)


def _chair(sheet: _Sheet, colours: Colours) -> None:
    sheet.shadow(300, 740, 900, 830)
    sheet.line([(600, 560), (600, 720)], "#4a5561", 30)
    for end in (370, 480, 720, 830):
        sheet.line([(600, 716), (end, 780)], "#4a5561", 20)
        sheet.disc(end, 790, 18, "#2b333c")
    sheet.box(410, 130, 790, 470, colours.body, colours.edge, 60)
    for row in range(3):
        sheet.line([(460, 220 + row * 80), (740, 220 + row * 80)], colours.edge, 5)
    sheet.box(360, 480, 840, 570, colours.light, colours.edge, 44)
    sheet.line([(380, 500), (330, 400), (420, 390)], "#4a5561", 18)
    sheet.line([(820, 500), (870, 400), (780, 390)], "#4a5561", 18)


def _desk(sheet: _Sheet, colours: Colours) -> None:
    sheet.shadow(150, 720, 1050, 810)
    for left in (210, 950):
        sheet.box(left, 380, left + 44, 760, colours.edge, radius=8)
    sheet.box(640, 380, 930, 640, colours.light, colours.edge)
    for row in range(3):
        sheet.box(664, 402 + row * 78, 906, 464 + row * 78, colours.body, colours.edge, 8)
        sheet.line([(760, 433 + row * 78), (810, 433 + row * 78)], colours.edge, 9)
    sheet.box(150, 330, 1050, 384, colours.body, colours.edge, 12)


_DRAWINGS: Final = (
    ("A02010108", _laptop, _PALETTES),
    ("A02010105", _desktop, _PALETTES),
    ("A020210", _printer, _PALETTES),
    ("A050103", _chair, _PALETTES),
    ("A05010201", _desk, _WOODS),
)
"""What is drawn for a category; the first one that fits."""


def drawn(category: str, number: int) -> bytes | None:
    """Draw the ``number``-th product of a category as a PNG; ``None`` for what nobody has drawn."""
    for prefix, draw, palettes in _DRAWINGS:
        if category.startswith(prefix):
            sheet = _Sheet()
            draw(sheet, palettes[number % len(palettes)])
            return sheet.written()
    return None
