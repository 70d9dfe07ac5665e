"""What a page shows whose account or address has asked too often."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from kernel.clock import SystemClock
from kernel.runtime import open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from portal.server import listen, service_up
from tests.builders.browser import Visit
from tests.builders.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("zh-CN", r"您所在网络的请求过于频繁，请在 (?:[1-9]|\d\d) 秒后再试。"),
        ("en-GB", r"Too many requests from your network; try again in (?:[1-9]|\d\d) seconds\."),
    ],
)
async def test_a_page_says_how_long_to_wait(
    visit: Visit, databases: Databases, redis_url: str, tmp_path: Path, locale: str, said: str
) -> None:
    settings = Settings(port=0, data_dir=tmp_path, demo=True, address_heavy_per_min=1)
    async with (
        databases.fresh() as database_url,
        open_kernel(
            settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
        ) as kernel,
        service_up(kernel, listen(settings)) as url,
    ):
        visitor = (await visit(expected=("429",), locale=locale))._replace(url=url)
        page = await visitor.go("/catalogue")
        await expect(page.locator(".el-message--warning").get_by_text(re.compile(said))).to_be_visible()
        await page.context.close()
