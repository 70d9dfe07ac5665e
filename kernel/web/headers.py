"""The headers that every answer has."""

from typing import Final

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
"""On every answer; the pages add their content security policy."""
API_HEADERS: Final = ((b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),)
"""On every answer of the API."""
UNCACHED: Final = (b"cache-control", b"no-store")
"""On every answer of the API that does not say itself how long it may be kept."""
OVER_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
"""For a year the browser does not ask without TLS (RFC 6797); said over TLS only, where it is heard."""


def _lines(*headers: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


JSON_HEAD: Final = _lines((b"content-type", b"application/json"), *API_HEADERS, UNCACHED, *SECURITY_HEADERS)
"""All of these of a JSON answer of the API, as they go over the wire."""
JSON_HEAD_OVER_TLS: Final = JSON_HEAD + _lines(OVER_TLS)
