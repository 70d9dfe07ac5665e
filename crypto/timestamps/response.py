"""What an authority answers: a token, or why there is none (RFC 3161 section 2.4.2)."""

from typing import Final

from crypto import der
from crypto.der import DerError, Reader
from crypto.timestamps.request import Failure, StampRefused
from crypto.timestamps.token import TOKEN_BYTES_MAX, BadToken

RESPONSE_BYTES_MAX: Final = TOKEN_BYTES_MAX + 1024

_GRANTED: Final = 0
_GRANTED_WITH_MODS: Final = 1
_REJECTION: Final = 2


def granted(token: bytes) -> bytes:
    """Write the response that carries ``token``."""
    return der.sequence(der.sequence(der.integer(_GRANTED)), token)


def refused(refusal: StampRefused) -> bytes:
    """Write the response that says why there is no token."""
    assert refusal.failure is not None
    bit = int(refusal.failure)
    bits = bytearray(bit // 8 + 1)
    bits[-1] = 0x80 >> bit % 8
    failure = der.tlv(der.BIT_STRING, bytes((7 - bit % 8,)), bytes(bits))
    text = der.sequence(der.tlv(der.UTF8, str(refusal).encode()))
    return der.sequence(der.sequence(der.integer(_REJECTION), text, failure))


def token_of(data: bytes) -> bytes:
    """
    Take the token out of a response, unread.

    Raises:
        StampRefused: the authority says no.
        BadToken: it is not a response.
    """
    if len(data) > RESPONSE_BYTES_MAX:
        raise BadToken(f"the response has more than {RESPONSE_BYTES_MAX} bytes")
    try:
        outer = der.read(data)
        status = outer.inner(der.SEQUENCE)
        number = status.integer()
        text = _text(status.optional(der.SEQUENCE))
        failure = _failure(status.optional(der.BIT_STRING))
        status.end()
        if number not in {_GRANTED, _GRANTED_WITH_MODS}:
            raise StampRefused(failure, text or f"status {number}")
        token = outer.whole(der.SEQUENCE)
        outer.end()
    except (DerError, UnicodeDecodeError) as error:
        raise BadToken(f"not a time stamp response: {error}") from error
    return token


def _text(content: bytes | None) -> str:
    reader = Reader(content or b"")
    lines: list[str] = []
    while reader.more():
        lines.append(reader.take(der.UTF8).decode())
    return " ".join(lines)


def _failure(content: bytes | None) -> Failure | None:
    """Find the first bit that is set and known; what an authority adds of its own is in its text."""
    bits = (content or b"")[1:]
    return next((known for known in Failure if known // 8 < len(bits) and bits[known // 8] & 0x80 >> known % 8), None)
