"""
A real browser on a real service: the sample province on real engines, chromium from the system.

The service runs in a thread with a loop of its own; all browser tests share it, its database and one browser, so a
test names its own orders and auctions and never counts those of others. A page that logs an error, breaks the content
security policy or throws fails its test when it is closed.
"""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from kernel.clock import SystemClock
from kernel.runtime import open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from portal.demo import province
from portal.pages import STATIC
from portal.server import listen, service_up
from tests.builders.browser import AXE, WIDE, Service, Visit, Visitor, note
from tests.builders.certificates import Pki, a_pki
from tests.builders.databases import Databases
from tests.builders.logs import SERVICE_THREAD

_START_S = 60
_PATIENCE_MS = 15_000  # two cores are shared with everything else that runs
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_ARGUMENTS += ["--disable-component-update", "--disable-sync"]

expect.set_options(timeout=_PATIENCE_MS)


@pytest.fixture(scope="session")
def service(databases: Databases, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole service with the sample province, without bots."""
    if not (STATIC / "index.html").is_file():
        pytest.fail("The web pages are not built: make setup, or python hatch_build.py")
    data, outside = tmp_path_factory.mktemp("data"), a_pki(at=SystemClock().now())
    _trust(outside, data / "trust")
    settings = Settings(demo=True, port=0, data_dir=data, trust_dir=data / "trust")
    ready: Future[str] = Future()
    stop: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.set_result(lambda: loop.call_soon_threadsafe(stopped.set))
        async with (
            databases.fresh() as database_url,
            open_kernel(
                settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
            ) as kernel,
        ):
            await kernel.trust.create_trial()
            await province.set_up(kernel)
            async with service_up(kernel, listen(settings)) as url:
                ready.set_result(url)
                await stopped.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name=SERVICE_THREAD)
    thread.start()
    try:
        yield Service(ready.result(_START_S), {}, outside)
    finally:
        if thread.is_alive():
            stop.result(_START_S)()
            thread.join(_START_S)


def _trust(outside: Pki, folder: Path) -> None:
    """Put another authority where an operator would."""
    folder.mkdir()
    (folder / "outside.pem").write_bytes(outside.root.certificate.pem() + outside.issuing.certificate.pem())
    for number, one in enumerate(outside.lists):
        (folder / f"{number}.crl").write_bytes(one)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests; each test gets contexts of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(chromium: Browser, service: Service) -> AsyncIterator[Visit]:
    """Open a browser window for an account, or for the public; ``expected`` are errors that the test provokes."""
    opened: list[tuple[BrowserContext, Visitor, tuple[str, ...]]] = []

    async def open_for(
        login: str | None = None,
        *,
        size: dict[str, int] | None = None,
        locale: str = "zh-CN",
        reduced_motion: str = "reduce",  # a colour that is still fading in has no contrast to be judged
        expected: tuple[str, ...] = (),
        **options: Any,
    ) -> Visitor:
        context = await chromium.new_context(
            viewport=size or WIDE, locale=locale, reduced_motion=reduced_motion, **options
        )  # type: ignore[arg-type]
        context.set_default_timeout(_PATIENCE_MS)
        await context.add_init_script(path=AXE)  # not a script of the page: the policy stays in force
        if login is not None:
            await context.add_cookies(
                [{"name": "zhecai_session", "value": service.cookie_of(login), "url": service.url}]
            )
        visitor = Visitor(await context.new_page(), service.url, [])
        visitor.page.on("console", lambda message: note(visitor, message))
        visitor.page.on("pageerror", lambda error: visitor.problems.append(f"thrown: {error}"))
        opened.append((context, visitor, expected))
        return visitor

    yield open_for
    for context, visitor, expected in opened:
        await context.close()
        assert [problem for problem in visitor.problems if not any(one in problem for one in expected)] == []
