"""Pictures that are made as a test needs them: nothing binary is kept in the sources."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw


def a_picture(format_: str = "JPEG", *, size: tuple[int, int] = (800, 600), number: int = 1, **how: Any) -> bytes:
    """A picture of stripes, its own for each ``number``; ``how`` goes to the writer."""
    image = Image.new("RGB", size, (number * 37 % 256, number * 91 % 256, 200))
    draw = ImageDraw.Draw(image)
    for x in range(0, size[0], 40):
        draw.line([(x, 0), (size[0] - x, size[1])], fill=(x % 256, 120, number % 256), width=7)
    out = BytesIO()
    image.save(out, format_, **how)
    return out.getvalue()
