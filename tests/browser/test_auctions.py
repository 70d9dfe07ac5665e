"""A reverse auction in the browser: from the wizard to the award, with a cut connection in between."""

import asyncio
import re
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page, WebSocket, expect

from kernel.clock import SystemClock
from tests.builders.browser import PHONE, Service, Visit, Visitor
from tests.proxy import Cut, CuttingProxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUPPLIERS = {
    "supplier1": "杭州数源示例科技有限公司",
    "supplier2": "宁波启明示例办公设备有限公司",
    "supplier3": "温州恒达示例电子有限公司",
}
CLOSING_S = 90
"""How long a test waits for the close of its auction."""


class Office:
    """The purchaser and the suppliers as far as a test does not need their browsers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def call(self, login: str, method: str, path: str, body: object = None) -> Any:
        """Ask the service as somebody; raises for whatever is refused."""
        answer = httpx2.request(
            method,
            self._service.url + path,
            json=body,
            headers={
                "Idempotency-Key": secrets.token_hex(16),
                "Cookie": f"zhecai_session={self._service.cookie_of(login)}",
            },
        )
        return answer.raise_for_status().json()

    def announce(self, *, starts_in_s: float = 6, publish: bool = True, **terms: object) -> str:
        """Draft an auction of the three suppliers, publish it, and give its id."""
        found = self.call("purchaser", "GET", "/api/organisations?role=supplier")["items"]
        body = {
            "title": f"台式计算机 50 台 {secrets.token_hex(4)}",
            "items": [{"quantity": 50, "name": "台式计算机", "unit": "台", "spec": "内存 16 GB，三年质保"}],
            "ceiling_fen": 260_000_00,
            "step": {"amount_fen": 1_000_00},
            "starts_at": (SystemClock().now() + timedelta(seconds=starts_in_s)).isoformat(),
            "duration_s": 600,
            "admission": "invited",
            "invited": [one["organisation_id"] for one in found if one["name"] in SUPPLIERS.values()],
            "short_extension_s": 0,
            **terms,
        }
        auction_id: str = self.call("purchaser", "POST", "/api/auctions", body)["auction_id"]
        if publish:
            self.call("purchaser", "POST", f"/api/auctions/{auction_id}/publish")
        return auction_id

    def offer(self, login: str, auction_id: str, yuan: int) -> None:
        """Offer over HTTP."""
        self.call(login, "POST", f"/api/auctions/{auction_id}/offers", {"price_fen": yuan * 100})

    def act(self, what: str, auction_id: str, reason: str) -> None:
        """Do something as the host."""
        self.call("purchaser", "POST", f"/api/auctions/{auction_id}/{what}", {"reason": reason})

    def prices(self, auction_id: str) -> list[int]:
        """List the accepted prices in fen, from the record."""
        lines = self.call("purchaser", "GET", f"/api/auctions/{auction_id}/record")["items"]
        return [line["price_fen"] for line in lines if line["kind"] == "auction.offered"]


@pytest.fixture
def office(service: Service) -> Office:
    return Office(service)


async def _live(office: Office, auction_id: str) -> None:
    """Wait until the worker has started the auction."""
    for _ in range(100):
        if office.call("purchaser", "GET", f"/api/auctions/{auction_id}")["stage"] == "live":
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the auction did not start")


async def _fill_in(page: Page, yuan: int) -> None:
    box = page.get_by_role("region", name="我的报价")
    await box.get_by_label("新报价").fill(str(yuan))
    await box.get_by_role("button", name="提交报价").click()


async def _confirm(page: Page) -> None:
    await page.get_by_role("dialog", name="确认报价").get_by_role("button", name="确认提交").click()


async def _bid(visitor: Visitor, yuan: int) -> None:
    await _fill_in(visitor.page, yuan)
    await _confirm(visitor.page)
    await expect(visitor.page.get_by_text(f"报价 {yuan:,}.00 元已被接受")).to_be_visible()


async def _act(page: Page, what: str, title: str, *, confirm: str = "确认", reason: str = "") -> None:
    await page.get_by_role("button", name=what, exact=True).click()
    dialog = page.get_by_role("dialog", name=title)
    if reason:
        await dialog.get_by_label("理由").fill(reason)
    await dialog.get_by_role("button", name=confirm, exact=True).click()
    await expect(dialog).to_have_count(0)


def _is_pong(payload: str | bytes) -> bool:
    return "pong" in str(payload)


def _pill(page: Page, stage: str) -> Any:
    return page.locator(".page-head .pill").filter(has_text=stage)


async def test_three_suppliers_bid_before_a_purchaser_and_the_public_until_the_award(
    visit: Visit, office: Office
) -> None:
    auction_id = office.announce(
        duration_s=30,
        extension={"window_s": 3_600, "extend_by_s": 35, "extensions_max": 20},
    )
    await _live(office, auction_id)
    office.act("pause", auction_id, "核对参与方")  # the clock stands still while slow machines open their pages
    host, public = await visit("purchaser"), await visit()
    first, second = await visit("supplier1"), await visit("supplier2", size=PHONE)
    third = await visit("supplier3")
    everybody = [host, public, first, second, third]
    for visitor in everybody:
        await visitor.go(f"/auctions/{auction_id}")
        await expect(visitor.page.get_by_text("实时连接")).to_be_visible()
        await expect(visitor.page.get_by_text("理由：核对参与方")).to_be_visible()
        assert await visitor.findings() == []
        assert await visitor.overflow() == 0
    await expect(first.page.get_by_role("button", name="提交报价")).to_be_disabled()
    await _act(host.page, "恢复", "恢复竞价")
    for visitor in everybody:
        await expect(_pill(visitor.page, "竞价中")).to_be_visible()

    await _bid(first, 258_000)
    await expect(second.page.get_by_text("已延时：截止时间顺延至")).to_be_visible()
    await _bid(second, 255_000)
    await expect(first.page.get_by_text("您已被超过，目前排名第 2")).to_be_visible()
    await _bid(third, 256_000)
    await expect(first.page.get_by_text("3 / 3", exact=True)).to_be_visible()
    await _fill_in(third.page, 255_500)
    box = third.page.get_by_role("region", name="我的报价")
    await expect(box.get_by_text("降幅不足，报价须不高于 255,000.00 元")).to_be_visible()
    await expect(public.page.get_by_text("¥255,000.00").first).to_be_visible()
    for name in SUPPLIERS.values():
        await expect(public.page.get_by_text(name)).to_have_count(0)
        await expect(host.page.get_by_role("table").get_by_text(name)).to_have_count(0)

    for visitor in everybody:
        await expect(_pill(visitor.page, "已截止，待定标")).to_be_visible(timeout=CLOSING_S * 1_000)
    await _act(host.page, "定标给第一名", "确认定标")
    for visitor in everybody:
        await expect(visitor.page.get_by_text(f"成交：{SUPPLIERS['supplier2']}")).to_be_visible()
        await expect(visitor.page.get_by_text("成交价 255,000.00 元（贰拾伍万伍仟元整）")).to_be_visible()
    await expect(second.page.get_by_text("恭喜，贵单位成交。")).to_be_visible()
    await expect(first.page.get_by_text("恭喜")).to_have_count(0)
    assert office.prices(auction_id) == [258_000_00, 255_000_00, 256_000_00]

    page = await public.go(f"/auctions/{auction_id}/record")
    await expect(page.get_by_text("定标", exact=True).first).to_be_visible()
    assert await public.findings() == []
    await page.get_by_role("button", name="最早").click()
    await expect(page.get_by_text(re.compile("第 1 条，共 "))).to_be_visible()
    async with page.expect_download() as started:
        await page.get_by_role("button", name="导出 CSV").click()
    text = (await (await started.value).path()).read_text("utf-8-sig")
    assert "255000.00" in text
    assert SUPPLIERS["supplier2"] in text


async def test_an_offer_whose_answer_was_lost_is_made_once_and_nothing_is_missed(
    visit: Visit, office: Office, service: Service
) -> None:
    auction_id = office.announce(duration_s=600)
    await _live(office, auction_id)
    address = urlsplit(service.url)
    async with CuttingProxy(address.hostname or "", address.port or 0) as proxy:
        supplier = (await visit("supplier1", expected=("WebSocket",)))._replace(url=proxy.url)
        lines: list[WebSocket] = []
        supplier.page.on("websocket", lambda line: lines.append(line))  # noqa: PLW0108 - Playwright takes no builtin
        page = await supplier.go(f"/auctions/{auction_id}")
        await expect(page.get_by_text("实时连接")).to_be_visible()
        await _fill_in(page, 258_000)
        await lines[-1].wait_for_event("framereceived", predicate=_is_pong)  # none other is due for some seconds
        proxy.cut = Cut.REPLY
        await _confirm(page)
        await expect(page.get_by_text("连接中断，第")).to_be_visible()
        await expect(page.get_by_text("258,000.00 元正在等待服务器确认")).to_be_visible()
        await expect(page.get_by_role("button", name="正在提交")).to_be_disabled()
        office.offer("supplier2", auction_id, 257_000)
        proxy.cut = Cut.NOTHING
        await expect(page.get_by_text("报价 258,000.00 元已被接受")).to_be_visible()
        await expect(page.get_by_text("2 / 2", exact=True)).to_be_visible()
        await expect(page.get_by_text("实时连接")).to_be_visible()
        assert proxy.cuts >= 1
    office.act("pause", auction_id, "测试结束")
    office.act("fail", auction_id, "测试结束")
    assert office.prices(auction_id) == [258_000_00, 257_000_00]


async def test_a_purchaser_starts_an_auction_with_the_wizard_and_withdraws_it(visit: Visit, service: Service) -> None:
    product = httpx2.get(f"{service.url}/api/products", params={"limit": 1}).json()["items"][0]
    purchaser = await visit("purchaser2")
    page = await purchaser.go(f"/auctions/new?product={product['product_id']}")
    await expect(page.get_by_text("来自商品目录")).to_be_visible()
    await page.get_by_role("button", name="添加自由填写的内容").click()
    await page.get_by_role("button", name="下一步").click()
    await expect(page.get_by_text("请填写名称")).to_be_visible()
    assert await purchaser.findings() == []
    await page.get_by_label("名称", exact=False).last.fill("安装调试服务")
    await page.get_by_label("单位").last.fill("项")
    await page.get_by_label("单位").last.press("Enter")

    await page.get_by_label("最高限价").fill("120000")
    await page.get_by_label("每次至少降低（元）").fill("500")
    await page.get_by_role("button", name="5 分钟后", exact=True).click()
    await expect(page.get_by_text("至少低 500.00 元")).to_be_visible()
    await page.keyboard.press("Control+Home")
    assert await purchaser.findings() == []
    await page.get_by_role("button", name="下一步").click()

    await page.get_by_text("邀请供应商", exact=True).click()
    for name in SUPPLIERS.values():
        await page.get_by_label("邀请的供应商").fill(name)
        await page.get_by_role("option", name=name).click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("已邀请 3 家")).to_be_visible()
    assert await purchaser.findings() == []
    await page.get_by_role("button", name="下一步").click()

    await expect(page.get_by_text("内容完整，可以发布。")).to_be_visible()
    await page.get_by_role("button", name="保存草稿").click()
    await expect(page.get_by_text("草稿已保存")).to_be_visible()
    await page.reload()
    await purchaser.settled()
    await expect(page.get_by_text("安装调试服务")).to_have_count(0)  # it is in an input now
    await page.get_by_role("button", name="核对发布").click()
    await page.get_by_role("button", name="发布竞价").click()
    await page.get_by_role("dialog", name="确认发布").get_by_role("button", name="发布竞价").click()
    await expect(_pill(page, "未开始")).to_be_visible()
    await _act(page, "撤回竞价", "撤回竞价", reason="需求有变化")
    await expect(page.get_by_text("竞价终止：采购人撤回")).to_be_visible()
    await expect(page.get_by_text("理由：需求有变化")).to_be_visible()


async def test_an_unfinished_form_is_there_again_after_a_reload(visit: Visit) -> None:
    purchaser = await visit("purchaser3")
    page = await purchaser.go("/auctions/new")
    await page.get_by_label("竞价名称").fill("还没写完的竞价")
    await expect(page.get_by_text("已自动保存在本机")).to_be_visible()
    await page.reload()
    await purchaser.settled()
    await expect(page.get_by_label("竞价名称")).to_have_value("还没写完的竞价")
    await page.get_by_role("button", name="清空重填").click()
    await page.get_by_role("dialog").get_by_role("button", name="确认").click()
    await expect(page.get_by_label("竞价名称")).to_have_value("")


async def test_a_far_too_low_price_is_questioned_before_it_is_sent(visit: Visit, office: Office) -> None:
    auction_id = office.announce()
    await _live(office, auction_id)
    supplier = await visit("supplier1")
    page = await supplier.go(f"/auctions/{auction_id}")
    await _fill_in(page, 25_800)
    dialog = page.get_by_role("dialog", name="确认报价")
    await expect(dialog.get_by_text("降幅超过 10%")).to_be_visible()
    await expect(dialog.get_by_text("贰万伍仟捌佰元整")).to_be_visible()
    assert await supplier.findings() == []
    await dialog.get_by_role("button", name="取消").click()
    assert office.call("purchaser", "GET", f"/api/auctions/{auction_id}")["offers"] == 0


@pytest.mark.parametrize("visibility", ["rank", "best"])
async def test_what_the_terms_hide_is_not_shown(visit: Visit, office: Office, visibility: str) -> None:
    auction_id = office.announce(visibility=visibility)
    await _live(office, auction_id)
    supplier = await visit("supplier1")
    page = await supplier.go(f"/auctions/{auction_id}")
    office.offer("supplier2", auction_id, 251_500)
    office.offer("supplier1", auction_id, 252_000)
    if visibility == "rank":
        await expect(page.get_by_text("2 / 2", exact=True)).to_be_visible()
        await expect(page.get_by_text("251,500.00")).to_have_count(0)
    else:
        await expect(page.get_by_text("¥251,500.00").first).to_be_visible()
        await expect(page.get_by_text("本场竞价期间不公开排名。")).to_be_visible()
    assert await supplier.findings() == []


PAGES = [
    (None, "/auctions"),
    (None, "/auctions?scope=ended"),
    (None, "/auctions?q=没有这场竞价"),
    ("purchaser", "/auctions?scope=mine"),
    ("supplier1", "/auctions?scope=invited"),
    ("purchaser", "/auctions/new"),
    ("purchaser", "/auctions/{draft}"),
    ("supplier1", "/auctions/{coming}"),
    (None, "/auctions/{coming}"),
    (None, "/auctions/{coming}/record"),
    (None, "/auctions/{withdrawn}"),
    (None, "/auctions/{withdrawn}/record"),
]


@pytest.fixture(scope="module")
def auctions(service: Service) -> dict[str, str]:
    office = Office(service)
    withdrawn = office.announce(starts_in_s=600)
    office.act("withdraw", withdrawn, "需求有变化")
    return {
        "draft": office.announce(starts_in_s=600, publish=False),
        "coming": office.announce(starts_in_s=600),
        "withdrawn": withdrawn,
    }


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize(("login", "path"), PAGES)
async def test_every_page_about_auctions_fits_and_can_be_used_by_all(
    visit: Visit, auctions: dict[str, str], login: str | None, path: str, locale: str
) -> None:
    visitor = await visit(login, locale=locale, size=PHONE if locale == "zh-CN" else None)
    page = await visitor.go(path.format(**auctions))
    await expect(page.locator("main h1")).to_be_visible()
    assert await visitor.findings() == []
    assert await visitor.overflow() == 0


async def test_a_stranger_does_not_find_a_draft(visit: Visit, auctions: dict[str, str]) -> None:
    visitor = await visit("purchaser2", expected=("404",))
    page = await visitor.go(f"/auctions/{auctions['draft']}")
    await expect(page.get_by_text("没有找到")).to_be_visible()


async def test_a_supervisor_says_why_before_every_price_is_shown_and_an_auditor_reads_it(
    visit: Visit, office: Office
) -> None:
    auction_id = office.announce(visibility="rank")
    await _live(office, auction_id)
    office.offer("supplier1", auction_id, 251_500)
    supervisor = await visit("supervisor")
    page = await supervisor.go(f"/auctions/{auction_id}")
    card = page.get_by_role("region", name="监督查看")
    await expect(card).to_be_visible()
    await expect(page.get_by_text("251,500.00")).to_have_count(0)
    await card.get_by_text("投诉举报核查").click()
    await card.get_by_role("button", name="登记并查看").click()
    await expect(card.get_by_text("请填写")).to_be_visible()
    assert await supervisor.findings() == []
    await card.get_by_label("说明").fill("第12号投诉")
    await card.get_by_role("button", name="登记并查看").click()
    await expect(page.get_by_role("heading", name="监督视图")).to_be_visible()
    await expect(page.get_by_text("251,500.00").first).to_be_visible()
    await page.reload()  # still the same visit
    await expect(page.get_by_role("heading", name="监督视图")).to_be_visible()

    auditor = await visit("auditor")
    log = await auditor.go("/log")
    row = log.get_by_role("region", name="监督查看记录").get_by_role("row").filter(has_text="第12号投诉")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("周监督 · 浙江省财政厅（示例）")
    assert await auditor.findings() == []
    await row.get_by_role("link", name="查看日志").click()
    await expect(log).to_have_url(re.compile(r"stream=oversight(/|%2F)"))
    await expect(log.get_by_text("oversight.visited")).to_be_visible()
