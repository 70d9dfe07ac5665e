"""From the application to the suspension, by an applicant and a finance department in windows of their own."""

import re
from datetime import timedelta
from hashlib import sha256

import pytest
from playwright.async_api import Page, expect

from kernel.clock import SystemClock
from tests.builders.browser import PHONE, WIDE, Visit, Visitor
from tests.builders.registries import a_credit_code

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "violet tractor seven"
NAME = "杭州晨光测试文具有限公司"
PDF = b"%PDF-1.7\n" + b"x" * 200
PAGES = ("/registration", "/registration/progress", "/organisations")


async def _next(page: Page) -> None:
    await page.get_by_role("button", name="下一步").click()


async def _choose(page: Page, label: str, option: str) -> None:
    await page.get_by_role("combobox", name=label).focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("option", name=option).first.click()


async def _fill(page: Page, **texts: str) -> None:
    for label, text in texts.items():
        await page.get_by_label(re.compile(f"^{label}")).fill(text)


async def apply(visitor: Visitor) -> str:
    """Go through the wizard; return the reference number."""
    page = await visitor.go("/registration")
    await page.get_by_text("向采购人提供货物").click()
    await _next(page)
    await _next(page)
    await expect(page.get_by_text("请填写").first).to_be_visible()
    await _fill(page, 统一社会信用代码=a_credit_code(771), 单位名称=NAME, 法定代表人="王强", 地址="解放路 1 号")
    await page.get_by_role("combobox", name="所在区划").fill("上城")
    await page.get_by_role("option", name="杭州市上城区").click()
    await _choose(page, "企业规模", "小型企业")
    await _next(page)
    await _fill(page, 联系人="李敏", 联系电话="13800138000", 开户银行="示例银行", 银行账号="6200000000000000001")
    await page.wait_for_timeout(700)  # the draft is kept
    await page.reload()
    await page.get_by_role("button", name=re.compile("联系与账户")).click()
    await expect(page.get_by_label(re.compile("^联系人"))).to_have_value("李敏")
    await _next(page)
    for box in await page.get_by_role("checkbox").all():
        await box.focus()
        await page.keyboard.press("Space")
    await _next(page)
    await _fill(page, 管理员姓名="李敏", 登录名="chenguang", 密码=PASSWORD, 再次输入密码=PASSWORD)
    await _next(page)
    await expect(page.get_by_text(NAME)).to_be_visible()
    assert await visitor.findings() == []
    await page.get_by_role("button", name="提交登记申请").click()
    await expect(page.get_by_role("heading", name="申请已提交")).to_be_visible()
    number = await page.get_by_text(re.compile(r"^ZC\d{8}-")).first.text_content()
    assert number
    return number.strip()


async def _review(visitor: Visitor, verdict: str, *, field: str = "", reason: str = "") -> None:
    page = await visitor.go("/registrations")
    await page.get_by_role("link", name=NAME).click()
    await page.locator("form").get_by_text(verdict, exact=True).first.click()
    if field:
        await page.get_by_role("group", name="选择有问题的栏目").get_by_text(field, exact=True).click()
        await page.get_by_label(re.compile("退回原因")).fill(reason)
    await page.get_by_role("button", name=verdict, exact=True).click()
    await expect(page.get_by_text("审核结果已记录")).to_be_visible()


async def _plan_and_cancel(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_role("button", name="暂停交易").click()
    dialog = page.get_by_role("dialog", name="暂停交易")
    day = (SystemClock().now() + timedelta(days=30)).date().isoformat()
    await dialog.get_by_label(re.compile("^自")).fill(day)
    await dialog.get_by_label(re.compile("理由")).fill("行政处罚下月起执行")
    await dialog.get_by_role("button", name="暂停交易").click()
    planned = page.get_by_role("status").filter(has_text="行政处罚下月起执行")
    await expect(planned).to_contain_text("已预定自")
    assert await visitor.findings() == []
    await page.get_by_role("button", name="撤销预定暂停").click()
    dialog = page.get_by_role("dialog", name="撤销预定暂停")
    await dialog.get_by_label(re.compile("理由")).fill("复议撤销处罚")
    await dialog.get_by_role("button", name="撤销预定暂停").click()
    await expect(planned).to_have_count(0)
    await expect(page.get_by_text("复议撤销处罚")).to_be_visible()


async def test_from_the_application_to_the_suspension(visit: Visit) -> None:
    applicant = await visit(expected=("409", "401", "403"))
    number = await apply(applicant)
    page = await applicant.go("/registration/progress")
    await _fill(page, 申请编号=number, 联系电话="13800138000")
    await page.get_by_role("button", name="查询").click()
    await expect(page.get_by_text("待审核")).to_be_visible()

    finance = await visit("supervisor", expected=("409",))
    await _review(finance, "退回补正", field="联系电话", reason="该号码无人接听")
    await applicant.page.get_by_role("button", name="查询").click()
    await expect(applicant.page.get_by_text("该号码无人接听")).to_be_visible()

    page = await applicant.go("/login?next=/organisation")
    await page.locator("#login").fill("chenguang")
    await page.locator("#password").fill(PASSWORD)
    await page.get_by_role("button", name="登录", exact=True).click()
    card = page.get_by_role("region", name="营业执照")
    for content in (PDF, PDF + b"x"):
        await card.locator("input[type=file]").set_input_files(
            {"name": "licence.pdf", "mimeType": "application/pdf", "buffer": content}
        )
        await expect(card.get_by_text(sha256(content).hexdigest()[:16])).to_be_visible()
    await expect(card.get_by_role("link", name="现行")).to_have_count(1)
    await expect(card.get_by_role("link", name="以前的")).to_have_count(1)
    assert await applicant.findings() == []
    await page.get_by_role("link", name="修改并重新提交").click()
    await expect(page.get_by_role("heading", name="修改登记申请")).to_be_visible()
    await expect(page.get_by_text("该号码无人接听")).to_be_visible()
    await _fill(page, 联系电话="13900139000")
    await page.get_by_role("button", name="提交", exact=True).click()
    await expect(page.get_by_text("重新提交").first).to_be_visible()
    assert await applicant.findings() == []

    page = await finance.go("/registrations")
    await page.get_by_role("link", name=NAME).click()
    async with page.expect_download() as saved:
        await page.get_by_role("region", name="营业执照").get_by_role("link", name="现行").click()
    assert (await (await saved.value).path()).read_bytes() == PDF + b"x"
    await expect(page.get_by_text("上传执照")).to_have_count(0)
    await _review(finance, "通过")
    await applicant.go("/organisation")
    await expect(applicant.page.get_by_text("正常").first).to_be_visible()
    await applicant.go("/organisation/members")
    await expect(applicant.page.get_by_text("chenguang")).to_be_visible()
    assert await applicant.findings() == []

    page = finance.page
    await _plan_and_cancel(finance)
    await page.get_by_role("button", name="暂停交易").click()
    dialog = page.get_by_role("dialog", name="暂停交易")
    await dialog.get_by_label(re.compile("理由")).fill("提供虚假材料")
    await dialog.get_by_role("button", name="暂停交易").click()
    await expect(page.get_by_text("已暂停交易").first).to_be_visible()
    assert await finance.findings() == []
    public = await visit()
    page = await public.go("/organisations?q=" + a_credit_code(771))
    await expect(page.get_by_text("提供虚假材料")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_public_page_fits_and_can_be_read_by_everybody(visit: Visit, path: str, size: dict[str, int]) -> None:
    visitor = await visit(size=size)
    await visitor.go(path)
    assert await visitor.overflow() <= 0
    assert await visitor.findings() == []


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize(("login", "path"), [("supervisor", "/registrations"), ("suspended", "/organisation")])
async def test_a_page_behind_a_login_does_as_well(visit: Visit, login: str, path: str, size: dict[str, int]) -> None:
    visitor = await visit(login, size=size)
    await visitor.go(path)
    assert await visitor.overflow() <= 0
    assert await visitor.findings() == []
