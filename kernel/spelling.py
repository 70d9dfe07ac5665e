"""
How the text of a setting must be spelled, beyond its type.

Each check returns the value as it is kept, or raises ``ValueError``; what is allowed, :mod:`kernel.allowances` says.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from crypto.errors import AlgorithmUnknownError
from crypto.log.notes import KeyKind, NoteKey
from crypto.suites import parse_denials


def refuse(value: object) -> object:
    """Raise ``ValueError``: the value is not allowed."""
    raise ValueError(f"{value!r} is not allowed")


def _database_url(url: str) -> str:
    parts = urlsplit(url)
    hosted = bool(parts.netloc.rpartition("@")[2]) or "host" in dict(parse_qsl(parts.query))
    if parts.scheme not in {"postgresql", "postgres"} or not hosted or not parts.path.strip("/"):
        refuse("address")
    return url


def _redis_url(url: str) -> str:
    parts = urlsplit(url)
    complete = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in {"redis", "rediss", "unix"} or not complete:
        refuse("address")
    return url


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    plain = not (parts.query or parts.fragment or parts.username or parts.path.strip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        refuse("address")
    return url.rstrip("/")


def _bind(host: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host) is None or re.fullmatch(r"[\d.]+", host):
        ipaddress.ip_address(host)
    return host


def _networks(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part, strict=False)) for part in parts)


def _witnesses(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        url, _, vkey = text.partition(" ")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            refuse("address")
        if NoteKey.read(vkey).kind is not KeyKind.COSIGNATURE:
            refuse("key")
    return texts


def _hosts(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_bind(part).lower() for part in parts)


def _urls(parts: tuple[str, ...]) -> tuple[str, ...]:
    for part in parts:
        parsed = urlsplit(part)
        if parsed.scheme not in {"http", "https"} or not parsed.hostname:
            refuse("address")
    return parts


def _denied(text: str) -> str:
    try:
        parse_denials(text)
    except AlgorithmUnknownError as error:
        raise ValueError(str(error)) from error
    return text


CHECKS: Final[Mapping[str, Callable[[Any], object]]] = {
    "denied_algorithms": _denied,
    "database_url": _database_url,
    "redis_url": _redis_url,
    "public_url": _public_url,
    "bind": _bind,
    "trusted_proxies": _networks,
    "witnesses": _witnesses,
    "tsa_url": _urls,
    "revocation_hosts": _hosts,
}
