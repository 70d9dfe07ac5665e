"""
DER (X.690), written and read in the small: what time stamps need of CMS and no more.

``asn1crypto`` reads everything and takes milliseconds for it; here a token is a few dozen headers in microseconds
(``bench/micro/stamps.py``). Reading is strict: definite, shortest lengths, and nothing left over.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from crypto.errors import CryptoError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTETS: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
UTF8: Final = 0x0C
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_LENGTH_BYTES_MAX: Final = 4
_LONG: Final = 0x80


class DerError(CryptoError):
    """The bytes are not the DER that was expected."""


def context(number: int, *, constructed: bool = True) -> int:
    """Give the tag ``[number]`` of the context-specific class."""
    assert 0 <= number < 31  # noqa: PLR2004 - a tag in one byte
    return (0xA0 if constructed else 0x80) | number


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write one element; the parts are its content."""
    content = b"".join(parts)
    length = len(content)
    if length < _LONG:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, _LONG | size)) + length.to_bytes(size) + content


def sequence(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """Write a SET OF: its elements in ascending order of their bytes (X.690 section 11.6)."""
    return tlv(SET, *sorted(parts))


def integer(number: int) -> bytes:
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return tlv(INTEGER, number.to_bytes(size, signed=True))


def boolean(yes: bool) -> bytes:  # noqa: FBT001 - the value itself
    return tlv(BOOLEAN, b"\xff" if yes else b"\x00")


def oid(dotted: str) -> bytes:
    """Write an object identifier, such as ``1.2.840.113549.1.7.2``."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(OID, *map(_arc, (first * 40 + second, *rest)))


def _arc(number: int) -> bytes:
    septets = [number & 0x7F]
    while number := number >> 7:
        septets.append(number & 0x7F | 0x80)
    return bytes(reversed(septets))


def generalized_time(at: datetime) -> bytes:
    """Write a moment in UTC to the millisecond, without trailing zeros (X.690 section 11.7)."""
    assert at.tzinfo is UTC
    fraction = f".{at.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return tlv(GENERALIZED_TIME, f"{at:%Y%m%d%H%M%S}{fraction}Z".encode())


class Reader:
    """Reads elements one after another from the content of another, or from a whole document."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data: Final = data
        self._at = 0
        self._end: Final = len(data)

    def next_is(self, tag: int) -> bool:
        return self._at < self._end and self._data[self._at] == tag

    def more(self) -> bool:
        return self._at < self._end

    def take(self, tag: int) -> bytes:
        """
        Return the content of the next element, which must have ``tag``.

        Raises:
            DerError: it has another, or is cut off.
        """
        start, end = self._bounds(tag)
        self._at = end
        return self._data[start:end]

    def whole(self, tag: int) -> bytes:
        """Return the next element with its header."""
        began = self._at
        _, end = self._bounds(tag)
        self._at = end
        return self._data[began:end]

    def optional(self, tag: int) -> bytes | None:
        return self.take(tag) if self.next_is(tag) else None

    def any(self) -> tuple[int, bytes]:
        """Return the next element, whatever it is: its tag, and all of it."""
        if not self.more():
            raise DerError("the document ends too early")
        tag = self._data[self._at]
        return tag, self.whole(tag)

    def inner(self, tag: int) -> "Reader":
        return Reader(self.take(tag))

    def integer(self) -> int:
        content = self.take(INTEGER)
        redundant = len(content) > 1 and (content[0], content[1] >> 7) in {(0, 0), (0xFF, 1)}
        if not content or redundant:
            raise DerError("an integer is not in its shortest form")
        return int.from_bytes(content, signed=True)

    def boolean(self) -> bool:
        match self.take(BOOLEAN):
            case b"\xff":
                return True
            case b"\x00":
                return False
            case _:
                raise DerError("a boolean is neither true nor false")

    def oid(self) -> str:
        return dotted(self.take(OID))

    def generalized_time(self) -> datetime:
        """Read a moment in UTC; fractions of a second finer than a microsecond are cut off."""
        return _moment(self.take(GENERALIZED_TIME))

    def end(self) -> None:
        """
        State that nothing is left.

        Raises:
            DerError: something is.
        """
        if self._at != self._end:
            raise DerError(f"{self._end - self._at} bytes are left over")

    def _bounds(self, tag: int) -> tuple[int, int]:
        data, at = self._data, self._at
        if at + 2 > self._end or data[at] != tag:
            found = f"{data[at]:#04x}" if at < self._end else "the end"
            raise DerError(f"expected {tag:#04x}, found {found}")
        length = data[at + 1]
        at += 2
        if length >= _LONG:
            size = length & 0x7F
            if not 0 < size <= _LENGTH_BYTES_MAX or at + size > self._end:
                raise DerError("a length is indefinite, too long or cut off")
            length = int.from_bytes(data[at : at + size])
            if length < _LONG or length >> 8 * (size - 1) == 0:
                raise DerError("a length is not in its shortest form")
            at += size
        if at + length > self._end:
            raise DerError("an element is cut off")
        return at, at + length


def read(data: bytes, tag: int = SEQUENCE) -> Reader:
    """
    Open a document that is one element with ``tag``.

    Raises:
        DerError: it is something else, or something follows it.
    """
    outer = Reader(data)
    inner = outer.inner(tag)
    outer.end()
    return inner


@lru_cache(maxsize=256)
def dotted(content: bytes) -> str:
    """
    Write the content of an object identifier with dots.

    The same few come again and again, so they are remembered.
    """
    if not content or content[-1] & 0x80:
        raise DerError("an object identifier is cut off")
    arcs: list[int] = []
    number, begins = 0, True
    for byte in content:
        if begins and byte == 0x80:  # noqa: PLR2004 - a leading zero septet
            raise DerError("an object identifier is not in its shortest form")
        number = number << 7 | byte & 0x7F
        begins = byte < 0x80  # noqa: PLR2004 - the last septet of an arc
        if begins:
            arcs.append(number)
            number = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - first * 40, *arcs[1:])))


def _moment(content: bytes) -> datetime:
    whole, point, fraction = content.removesuffix(b"Z").partition(b".")
    digits = whole.isdigit() and (fraction.isdigit() if point else True)
    if not content.endswith(b"Z") or len(whole) != 14 or not digits or fraction.endswith(b"0"):  # noqa: PLR2004
        raise DerError("a time is not in the form YYYYMMDDhhmmss[.f]Z")
    year, (month, day, hour, minute, second) = whole[:4], (whole[at : at + 2] for at in range(4, 14, 2))
    micros = int(fraction[:6].ljust(6, b"0")) if point else 0
    try:
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, UTC)
    except ValueError as error:
        raise DerError("a time is not of the calendar") from error
