"""The pages over ASGI, from a directory that looks like a build."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2 as httpx
import pytest

from portal.pages import CONTENT_SECURITY_POLICY, Pages


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>index</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets/app-1a2b.js").write_text("export {};")
    (tmp_path / "assets/app-1a2b.js.br").write_bytes(b"brotli")
    (tmp_path / "assets/app-1a2b.js.gz").write_bytes(b"gzip")
    (tmp_path / ".built-from").write_text("digest")
    return tmp_path


@pytest.fixture
async def browser(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Pages(built)), base_url="http://test") as client:
        client.headers["Accept-Encoding"] = "identity"
        yield client


@pytest.mark.parametrize("path", ["/", "/index.html", "/orders", "/auctions/0190/record"])
async def test_every_address_of_the_pages_is_the_index_and_is_asked_for_again(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)

    assert answer.status_code == 200
    assert "index" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    rules = dict(rule.split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split("; "))

    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


async def test_a_hashed_asset_is_kept_for_a_year(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/assets/app-1a2b.js")

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("identity", None), ("", None)]
)
async def test_the_best_copy_that_the_browser_takes_is_sent(built: Path, accepted: str, encoding: str | None) -> None:
    pages = httpx.ASGITransport(Pages(built))
    request = httpx.Request("GET", "http://test/assets/app-1a2b.js", headers={"Accept-Encoding": accepted})

    answer = await pages.handle_async_request(request)

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_what_the_browser_has_already_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    first = await browser.get("/")
    again = await browser.get("/", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/assets/gone-9z.js", "/favicon.ico", "/.built-from", "/..%2f..%2fetc/passwd.txt"])
async def test_a_file_that_is_not_there_is_no_page(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_address_of_the_api_is_a_problem_and_no_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/api/nothing")

    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


async def test_a_build_under_way_takes_nothing_from_those_who_look(built: Path, browser: httpx.AsyncClient) -> None:
    await browser.get("/")
    (built / "index.html").unlink()

    during = await browser.get("/assets/app-1a2b.js")
    (built / "index.html").write_text("newer")
    after = await browser.get("/")

    assert during.status_code == 200
    assert after.text == "newer"


async def test_pages_are_only_read(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/orders")).status_code == 405


async def test_without_a_build_the_answer_says_how_to_build_and_a_build_is_seen_at_once(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(Pages(tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        missing = await client.get("/")
        (tmp_path / "index.html").write_text("built")
        found = await client.get("/")

    assert missing.status_code == 503
    assert "make setup" in missing.text
    assert found.text == "built"
