"""
Fetching from an address that a certificate names: only of hosts that are trusted with it, and never from inside.

The address comes out of a certificate, so whoever has one issued might choose it. So: http(s) only, a host that a
trusted authority's own certificate or the operator names, its address looked up once and connected to as checked (a
name that means something else a moment later changes nothing), no redirects, no proxies from the environment, nothing
compressed, a limit on bytes and on the time of the whole.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx2

URL_CHARACTERS_MAX: Final = 2048
_CONNECTIONS_MAX: Final = 20
_ADDRESSES_MAX: Final = 4
"""Addresses of one host that are tried: the first may be of a network that does not reach out."""
_PORTS: Final = {"http": 80, "https": 443}


class FetchError(Exception):
    """Nothing came that can be used; the message says why, for the operator."""


class Fetcher:
    """
    Fetches from the hosts that ``named`` gives at that moment, and from those in ``listed``, these also inside.

    ``timeout_s`` is for the whole of one fetch, the name's look-up included.
    """

    def __init__(self, named: Callable[[], Collection[str]], listed: Collection[str], *, timeout_s: float) -> None:
        self._named: Final = named
        self._listed: Final = frozenset(one.lower() for one in listed)
        self._timeout_s: Final = timeout_s
        self._http: Final = httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    def allows(self, url: str) -> bool:
        """Tell whether the address may be asked at all."""
        try:
            self._parts(url)
        except FetchError:
            return False
        return True

    async def fetch(self, url: str, *, question: bytes | None = None, bytes_max: int) -> bytes:
        """
        Get what lies at ``url``, or send it an OCSP ``question`` and get the answer.

        Raises:
            FetchError: the address may not be asked, or what comes is not it in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._fetch(url, question, bytes_max)
        except TimeoutError as error:
            raise FetchError(f"{url}: nothing whole within {self._timeout_s:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise FetchError(f"{url}: {error!r}") from error

    async def _fetch(self, url: str, question: bytes | None, bytes_max: int) -> bytes:
        parts = self._parts(url)
        assert parts.hostname is not None
        port = parts.port or _PORTS[parts.scheme]
        *others, last = await self._addresses(parts.hostname, port)
        for address in others:
            with contextlib.suppress(httpx2.ConnectError):
                return await self._fetch_at(address, parts, question, bytes_max)
        return await self._fetch_at(last, parts, question, bytes_max)

    async def _fetch_at(self, address: str, parts: SplitResult, question: bytes | None, bytes_max: int) -> bytes:
        url, port = parts.geturl(), parts.port or _PORTS[parts.scheme]
        target = httpx2.URL(
            scheme=parts.scheme, host=address, port=port, path=parts.path or "/", query=parts.query.encode() or None
        )
        headers = {"Host": parts.netloc, "Accept-Encoding": "identity"}
        if question is not None:
            headers |= {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
        async with self._http.stream(
            "GET" if question is None else "POST",
            target,
            content=question,
            headers=headers,
            extensions={"sni_hostname": parts.hostname},
            timeout=self._timeout_s,
        ) as response:
            if response.status_code != httpx2.codes.OK:
                raise FetchError(f"{url}: status {response.status_code}")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchError(f"{url}: compressed, though nobody asked for that")
            found = bytearray()
            async for chunk in response.aiter_raw():
                found += chunk
                if len(found) > bytes_max:
                    raise FetchError(f"{url}: more than {bytes_max} bytes")
            return bytes(found)

    def _parts(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise FetchError("not an address") from error
        if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable():
            raise FetchError("not an address")
        if parts.scheme not in _PORTS or not host or parts.username is not None:
            raise FetchError(f"{url}: only http and https are asked")
        if host not in self._listed and host not in self._named():
            raise FetchError(f"{url}: no trusted authority's certificate nor revocation_hosts names this host")
        return parts

    async def _addresses(self, host: str, port: int) -> list[str]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not addresses or (host not in self._listed and not all(map(public, addresses))):
            raise FetchError(f"{host} is an address inside; list it in revocation_hosts if that is meant")
        return addresses[:_ADDRESSES_MAX]


def public(text: str) -> bool:
    """Tell whether an IP address is one of the public network, and not another one in disguise."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # with a scope, say
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in _TRANSLATED
    ):
        return False
    return address.is_global and not address.is_multicast


_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def hosts_of(urls: Collection[str]) -> frozenset[str]:
    """Name the hosts of addresses; what is no address names none."""
    found = set()
    for url in urls:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            continue
        if host:
            found.add(host)
    return frozenset(found)
