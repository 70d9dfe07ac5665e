"""An auditor searches the log and checks the chain; anybody checks a receipt, in the browser."""

import re

import httpx2
import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.builders.browser import Service, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="session")
def receipt(service: Service) -> bytes:
    """A receipt of the first product that the log holds, as an auditor downloads it."""
    with httpx2.Client(base_url=service.url, cookies={"zhecai_session": service.cookie_of("auditor")}) as client:
        row = client.get("/api/log/entries?kind=product&limit=1").raise_for_status().json()["items"][0]
        entry = f"{row['stream'].replace('/', '.')}.{row['version']}"
        return client.get(f"/api/log/entries/{entry}/receipt").raise_for_status().content


async def choose(page: Page, content: bytes) -> None:
    file: FilePayload = {"name": "receipt.json", "mimeType": "application/json", "buffer": content}
    await page.locator("input[type=file]").set_input_files(file)


async def verdict(page: Page) -> str:
    return " ".join((await page.locator(".verdict").inner_text()).split())


async def test_an_auditor_finds_entries_and_gets_a_receipt(visit: Visit) -> None:
    visitor = await visit("auditor")
    page = await visitor.go("/log")
    await page.get_by_label("事项").fill("organisation")
    await page.get_by_role("button", name="搜索").click()
    found = page.get_by_role("table", name="日志检索")
    await expect(found.get_by_role("rowheader").first).to_contain_text("organisation.")
    assert "kind=organisation" in page.url

    async with page.expect_download() as downloading:
        await found.get_by_role("link", name=re.compile("的回执")).first.click()
    download = await downloading.value

    assert re.fullmatch(r"organisation\.[0-9a-f-]{36}\.\d+\.json", download.suggested_filename)
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="导出 CSV").click()
    assert (await downloading.value).suggested_filename == "log.csv"


async def test_from_a_page_that_cannot_be_loaded_there_is_a_way_back(visit: Visit) -> None:
    visitor = await visit("auditor", expected=("ERR_FAILED",))
    page = await visitor.go("/log")
    card = page.locator("section").filter(has=page.get_by_role("heading", name="日志检索"))
    await page.route(re.compile("/api/log/entries.*cursor="), lambda route: route.abort())

    await card.get_by_role("button", name="下一页").click()
    await expect(card.get_by_text("连接不上服务器")).to_be_visible()
    await expect(card.get_by_text("第 2 页")).to_be_visible()
    await expect(card.get_by_role("button", name="下一页")).to_be_disabled()
    await card.get_by_role("button", name="上一页").click()

    await expect(card.get_by_role("rowheader").first).to_be_visible()
    await expect(card.get_by_text("第 1 页")).to_be_visible()
    await page.unroute_all()
    await card.get_by_role("button", name="下一页").click()
    await expect(card.get_by_text("第 2 页")).to_be_visible()
    await expect(card.get_by_role("rowheader").first).to_be_visible()


async def test_the_auditors_browser_remembers_what_it_checked(visit: Visit) -> None:
    visitor = await visit("auditor")
    page = await visitor.go("/log")
    button = page.get_by_role("button", name="核验日志")

    await button.click()
    await expect(page.locator(".verdict")).to_contain_text("检查点由日志签名")
    first = await verdict(page)
    await button.click()
    await expect(page.locator(".verdict")).to_contain_text("日志延续了本浏览器上次核验的")

    assert "上次" not in first
    assert await visitor.findings() == []


async def test_a_history_that_was_changed_is_told(visit: Visit) -> None:
    visitor = await visit("auditor")
    page = await visitor.go("/log")
    button = page.get_by_role("button", name="核验日志")
    await button.click()
    await expect(page.locator(".verdict")).to_be_visible()
    await page.evaluate(
        """() => {
            const kept = JSON.parse(localStorage.getItem("zhecai.log.checkpoint"));
            const lines = kept.note.split("\\n");
            lines[2] = "A".repeat(43) + "=";
            localStorage.setItem("zhecai.log.checkpoint", JSON.stringify({ ...kept, note: lines.join("\\n") }));
        }"""
    )
    await button.click()

    await expect(page.locator(".verdict.bad")).to_contain_text("历史已被改动")
    assert await visitor.findings() == []


async def test_anybody_checks_a_receipt_without_logging_in(visit: Visit, receipt: bytes) -> None:
    visitor = await visit(None)
    page = await visitor.go("/")
    await page.get_by_role("link", name="回执核验").click()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))

    await choose(page, receipt)

    await expect(page.locator(".verdict")).to_contain_text("核验通过")
    assert "未通过" not in await verdict(page)
    await expect(page.get_by_text("product.")).to_be_visible()
    assert "POST" not in sent
    assert await visitor.findings() == []
    assert await visitor.overflow() == 0


async def test_a_receipt_that_was_changed_fails_and_says_where(visit: Visit, receipt: bytes) -> None:
    visitor = await visit(None, locale="en-GB")
    page = await visitor.go("/receipts")
    await choose(page, receipt.replace(b"product.", b"product_"))
    await expect(page.locator(".verdict.bad")).to_contain_text("The platform's signature is wrong")
    await choose(page, b"no receipt")

    await expect(page.locator(".verdict.bad")).to_contain_text("The file is not a receipt")
    assert await visitor.findings() == []


async def test_a_hash_is_looked_up_and_its_proof_checked(visit: Visit, service: Service) -> None:
    with httpx2.Client(base_url=service.url, cookies={"zhecai_session": service.cookie_of("auditor")}) as client:
        leaf = client.get("/api/log/entries?kind=product&limit=1").raise_for_status().json()["items"][0]["leaf"]
    visitor = await visit(None, expected=("404",))
    page = await visitor.go("/receipts")
    field = page.get_by_label("记录摘要（SHA-256）")
    button = page.get_by_role("button", name="按摘要核验")

    await field.fill("abc")
    await button.click()
    await expect(page.get_by_text("请输入 64 个十六进制字符。")).to_be_visible()
    await field.fill(f"{leaf[:32]} {leaf[32:].upper()}")
    await button.click()
    await expect(page.locator(".verdict")).to_contain_text("记录在日志的该位置")
    await field.fill("0" * 64)
    await button.click()

    await expect(page.get_by_text("日志中没有这个摘要")).to_be_visible()
    await expect(page.locator(".verdict")).to_have_count(0)
