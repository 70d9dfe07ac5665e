"""What is fetched, and everything that is not: over real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest

from kernel.revocation.fetching import URL_CHARACTERS_MAX, Fetcher, FetchError, hosts_of, public
from tests.builders.outside import HOST, Outside, an_outside


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    async with an_outside() as found:
        yield found


@contextlib.asynccontextmanager
async def _fetcher(
    listed: Collection[str] = (HOST,), named: Collection[str] = (), timeout_s: float = 10
) -> AsyncIterator[Fetcher]:
    made = Fetcher(lambda: named, listed, timeout_s=timeout_s)
    try:
        yield made
    finally:
        await made.close()


async def test_a_list_is_fetched_and_a_question_is_sent(outside: Outside) -> None:
    outside.files = {"/a.crl?part=1": b"list", "/ocsp": b"answer"}
    async with _fetcher() as fetcher:
        assert await fetcher.fetch(outside.url("/a.crl?part=1"), bytes_max=4) == b"list"
        assert await fetcher.fetch(outside.url("/ocsp"), question=b"question", bytes_max=100) == b"answer"

    assert outside.asked == ["GET /a.crl?part=1", "POST /ocsp"]
    assert outside.questions == [b"", b"question"]


async def test_more_bytes_than_allowed_are_refused(outside: Outside) -> None:
    outside.files = {"/a.crl": bytes(1_000_001)}
    async with _fetcher() as fetcher:
        assert len(await fetcher.fetch(outside.url("/a.crl"), bytes_max=1_000_001)) == 1_000_001
        with pytest.raises(FetchError, match="more than 1000000 bytes"):
            await fetcher.fetch(outside.url("/a.crl"), bytes_max=1_000_000)


async def test_an_answer_that_does_not_end_is_given_up(outside: Outside) -> None:
    outside.files, outside.stall = {"/a.crl": b"list"}, True
    async with _fetcher(timeout_s=0.2) as fetcher:
        with pytest.raises(FetchError, match=r"nothing whole within 0\.2 s"):
            await fetcher.fetch(outside.url("/a.crl"), bytes_max=100)


async def test_redirects_errors_and_compression_are_refused(outside: Outside) -> None:
    outside.files = {"/a.crl": b"list", "/b.crl": b"list"}
    async with _fetcher() as fetcher:
        outside.status, outside.headers = "302 Found", (f"Location: {outside.url('/b.crl')}",)
        with pytest.raises(FetchError, match="status 302"):
            await fetcher.fetch(outside.url("/a.crl"), bytes_max=100)
        outside.status, outside.headers = "200 OK", ("Content-Encoding: gzip",)
        with pytest.raises(FetchError, match="compressed"):
            await fetcher.fetch(outside.url("/a.crl"), bytes_max=100)
        with pytest.raises(FetchError, match="status 404"):
            await fetcher.fetch(outside.url("/c.crl"), bytes_max=100)
    assert outside.asked == ["GET /a.crl", "GET /a.crl", "GET /c.crl"]


async def test_nobody_there_is_a_failure() -> None:
    async with _fetcher() as fetcher:
        with pytest.raises(FetchError):
            await fetcher.fetch("http://127.0.0.1:9/a.crl", bytes_max=100)


async def test_a_host_s_next_address_is_tried_where_the_first_cannot_be_reached(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.files = {"/a.crl": b"list"}

    async def two(host: str, port: int, **_: object) -> list[Any]:
        assert host == "crl.example.cn"
        return [(None, None, None, "", (one, port)) for one in ("127.0.0.2", HOST)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two, raising=False)
    url = outside.url("/a.crl", "crl.example.cn")
    async with _fetcher(listed=("crl.example.cn",)) as fetcher:
        assert await fetcher.fetch(url, bytes_max=100) == b"list"
    async with _fetcher(listed=(), named=("crl.example.cn",)) as fetcher:
        with pytest.raises(FetchError, match="inside"):
            await fetcher.fetch(url, bytes_max=100)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_address_inside_is_asked_only_if_it_is_listed(host: str, outside: Outside) -> None:
    outside.files = {"/a.crl": b"list"}
    async with _fetcher(listed=(), named=(host,)) as fetcher:
        with pytest.raises(FetchError, match="inside"):
            await fetcher.fetch(outside.url("/a.crl", host), bytes_max=100)
    assert outside.asked == []
    async with _fetcher(listed=(host.upper(),)) as fetcher:
        assert await fetcher.fetch(outside.url("/a.crl", host), bytes_max=100) == b"list"


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example.cn/a.crl",
        "ftp://127.0.0.1/a.crl",
        "file:///etc/passwd",
        "ldap://127.0.0.1/cn=x",
        "http://user@127.0.0.1/a.crl",
        "http://127.0.0.1:99999/a.crl",
        "http:///a.crl",
        "http://[::1/a.crl",
        "http://127.0.0.1/吊销",
        "http://127.0.0.1/\x00",
        "",
        "http://127.0.0.1/" + "a" * URL_CHARACTERS_MAX,
    ],
)
async def test_other_hosts_and_schemes_are_not_asked(url: str) -> None:
    async with _fetcher() as fetcher:
        assert not fetcher.allows(url)
        with pytest.raises(FetchError):
            await fetcher.fetch(url, bytes_max=100)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2400:3200::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("nonsense", False),
    ],
)
def test_an_address_inside_is_known_in_every_disguise(address: str, expected: bool) -> None:  # noqa: FBT001
    assert public(address) is expected


def test_hosts_are_those_of_addresses() -> None:
    urls = ["http://CRL.example.cn:8080/a", "http://ocsp.example.cn", "nonsense", "http://[::1"]
    assert hosts_of(urls) == {"crl.example.cn", "ocsp.example.cn"}
