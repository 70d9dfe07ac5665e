"""A direct order from the shelf to its end, by a purchaser and two suppliers in windows of their own."""

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from crypto.log.receipts import read_receipt
from kernel.clock import BEIJING, SystemClock
from kernel.money import Fen, format_yuan
from portal.demo.province import APPROVAL_FROM
from tests.builders.browser import PHONE, Service, Visit, Visitor, ask_for_approval

pytestmark = pytest.mark.asyncio(loop_scope="session")

AN_ORDER = re.compile(r"/orders/[0-9a-f-]{36}$")
SUPPLIERS = {"杭州数源示例科技有限公司": "supplier1", "宁波启明示例办公设备有限公司": "supplier2"}


def _product_with_two_sellers(service: Service, words: str = "计算机", below_fen: int | None = None) -> dict[str, Any]:
    """Find a product that the two suppliers both offer, below a unit price if one is given."""
    found = httpx2.get(f"{service.url}/api/products", params={"q": words, "limit": 50}).json()["items"]
    for row in found:
        product: dict[str, Any] = httpx2.get(f"{service.url}/api/products/{row['product_id']}").json()
        prices = _prices(product)
        if SUPPLIERS.keys() <= prices.keys() and (below_fen is None or max(prices.values()) < below_fen):
            return product
    raise AssertionError("the sample province has no such product")


def _prices(product: dict[str, Any]) -> dict[str, int]:
    return {offer["supplier_name"]: offer["price_fen"] for offer in product["offers"]}


async def _add_to_cart(visitor: Visitor, product: dict[str, Any], supplier: str, quantity: int) -> None:
    page = await visitor.go(f"/catalogue/{product['product_id']}")
    row = page.get_by_role("row").filter(has_text=supplier)
    await row.get_by_role("spinbutton").fill(str(quantity))
    await row.get_by_role("button", name="加入采购车").click()
    await expect(page.get_by_text("已加入采购车")).to_be_visible()


async def _choose_first(page: Page, label: str) -> None:
    """Choose by keyboard, as somebody without a mouse does."""
    await page.get_by_role("combobox", name=label).focus()
    for key in ("Enter", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
        await page.wait_for_timeout(200)  # the list unfolds


async def _fill_in_delivery(page: Page) -> None:
    await _choose_first(page, "预算指标")
    await page.get_by_label("详细地址").fill("文三路 100 号 2 号楼")
    await page.get_by_label("联系人").fill("陈老师")
    await page.get_by_label("联系电话").fill("0571-88000000")


async def _submit(page: Page) -> None:
    await expect(page.get_by_text("均核对无误")).to_be_visible()
    await page.get_by_role("button", name="提交订单").click()
    dialog = page.get_by_role("dialog", name="确认下单")
    await expect(dialog).to_contain_text("大写")
    await dialog.get_by_role("button", name="确认并下单").click()


async def _take(page: Page, step: str, *, confirm: str | None = None, fields: dict[str, str] | None = None) -> None:
    await page.get_by_role("button", name=step, exact=True).click()
    dialog = page.get_by_role("dialog")
    for label, text in (fields or {}).items():
        await dialog.get_by_label(label).fill(text)
    await dialog.get_by_role("button", name=confirm or step, exact=True).click()
    await expect(dialog).to_have_count(0)


async def _download_receipt(page: Page, service: Service, *, kind: str) -> None:
    """Take the receipt of the last entry; the log has it within a second or two."""
    link = page.get_by_role("link", name="下载回执")
    address = f"{service.url}{await link.get_attribute('href')}"
    while (await page.request.get(address)).status == 503:
        await page.wait_for_timeout(200)
    async with page.expect_download() as downloading:
        await link.click()
    file = await (await downloading.value).path()
    statement = read_receipt(file.read_bytes()).receipt
    assert kind in statement


async def test_a_cart_of_two_suppliers_becomes_two_orders_and_one_goes_all_the_way(
    visit: Visit, service: Service
) -> None:
    product = _product_with_two_sellers(service)
    purchaser = await visit("purchaser")
    for supplier in SUPPLIERS:
        await _add_to_cart(purchaser, product, supplier, 1)

    page = await purchaser.go("/cart")
    await _fill_in_delivery(page)
    await expect(page.get_by_text("将按供应商生成 2 个订单")).to_be_visible()
    await expect(page.get_by_text("均核对无误")).to_be_visible()
    assert await purchaser.findings() == []
    await _submit(page)
    await expect(page).to_have_url(f"{service.url}/orders")
    await purchaser.settled()
    row = page.get_by_role("row").filter(has_text="杭州数源示例科技有限公司").first
    await expect(row).to_contain_text("待接单")
    await row.get_by_role("link").click()
    await expect(page).to_have_url(AN_ORDER)
    await purchaser.settled()
    number = await page.get_by_role("heading", level=1).inner_text()
    address = page.url

    supplier = await visit("supplier1")
    desk = await supplier.go("/orders")
    await desk.get_by_role("link", name=number).click()
    await expect(desk).to_have_url(AN_ORDER)
    await supplier.settled()
    await _take(desk, "接单")
    await expect(desk.get_by_text("已接单").first).to_be_visible()
    await _take(desk, "发货", fields={"承运单位": "示例物流", "运单号": "YD20261123"})
    await expect(desk.get_by_text("示例物流 YD20261123")).to_be_visible()
    assert await supplier.findings() == []

    await page.goto(address)
    await purchaser.settled()
    await _take(page, "验收", fields={"验收意见": "数量与规格相符"})
    await _take(page, "办结")

    timeline = page.get_by_role("region", name="办理过程").or_(page.locator("section", has_text="办理过程").last)
    for entry in ("下单", "供应商接单", "供应商发货", "采购单位验收", "订单办结", "数量与规格相符"):
        await expect(timeline).to_contain_text(entry)
    await expect(page.get_by_role("list", name="订单进度").locator("[aria-current=step]")).to_contain_text("已办结")
    shown = page.get_by_role("table", name="订购商品").locator(".picture img")
    assert await shown.count() == (1 if product["pictures"] else 0)
    assert await purchaser.findings() == []
    await _download_receipt(page, service, kind="order.closed")


async def test_a_supplier_refuses_with_a_reason_and_the_budget_comes_back(visit: Visit, service: Service) -> None:
    product = _product_with_two_sellers(service)
    purchaser = await visit("purchaser2", size=PHONE)
    await _add_to_cart(purchaser, product, "宁波启明示例办公设备有限公司", 1)
    page = await purchaser.go("/cart")
    await _fill_in_delivery(page)
    assert await purchaser.overflow() == 0
    await _submit(page)
    await expect(page).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}$"))
    await purchaser.settled()
    assert await purchaser.overflow() == 0
    assert await purchaser.findings() == []
    number = await page.get_by_role("heading", level=1).inner_text()

    supplier = await visit("supplier2", size=PHONE)
    desk = await supplier.go("/orders?stage=placed")
    await desk.get_by_role("link", name=number).click()
    await expect(desk).to_have_url(AN_ORDER)
    await supplier.settled()
    await desk.get_by_role("button", name="拒单", exact=True).click()
    dialog = desk.get_by_role("dialog")
    await dialog.get_by_role("button", name="拒单", exact=True).click()
    await expect(dialog.get_by_text("请填写理由")).to_be_visible()
    await dialog.get_by_label("理由").fill("本型号已停产")
    await dialog.get_by_role("button", name="拒单", exact=True).click()
    await expect(dialog).to_have_count(0)
    await expect(desk.get_by_text("本型号已停产").first).to_be_visible()

    page = await purchaser.go("/budget")
    await expect(page.get_by_role("rowheader").first).to_be_visible()
    await page.get_by_role("link", name="流水").first.click()
    await purchaser.settled()
    await expect(page.get_by_role("row").nth(1)).to_contain_text("已占用")
    assert await purchaser.overflow() == 0


async def test_a_price_that_has_changed_is_shown_before_the_order_and_can_be_taken(
    visit: Visit, service: Service
) -> None:
    product = _product_with_two_sellers(service)
    purchaser = await visit("purchaser3")
    seller = "杭州数源示例科技有限公司"
    lower = format_yuan(Fen(_prices(product)[seller] - 1_01))
    await _add_to_cart(purchaser, product, seller, 1)

    supplier = await visit("supplier1")
    shelf = await supplier.go(f"/offers?q={product['name']}")
    await shelf.get_by_role("button", name="调价").first.click()
    dialog = shelf.get_by_role("dialog")
    await dialog.get_by_label("新单价").fill(lower)
    await expect(dialog.get_by_text("大写")).to_be_visible()
    assert await supplier.findings() == []
    await dialog.get_by_role("button", name="确认").click()
    await expect(dialog).to_have_count(0)

    page = await purchaser.go("/cart")
    await expect(page.get_by_text("请先处理以下问题")).to_be_visible()
    await page.get_by_role("button", name=re.compile("采用新价格")).click()
    await _fill_in_delivery(page)
    await _submit(page)

    await expect(page).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}$"))
    await expect(page.get_by_text(f"¥{float(lower):,.2f}").first).to_be_visible()


async def test_the_catalogue_is_narrowed_compared_and_kept_in_the_address(visit: Visit) -> None:
    visitor = await visit("purchaser")
    page = await visitor.go("/catalogue?q=打印机")
    await page.get_by_role("group", name="品牌").get_by_role("button").first.click()
    await expect(page).to_have_url(re.compile("brand="))
    await visitor.go("/catalogue?q=打印机")
    boxes = page.get_by_role("checkbox", name=re.compile("加入对比"))
    for number in range(2):
        await boxes.nth(number).focus()
        await page.keyboard.press("Space")
        await expect(boxes.nth(number)).to_be_checked()
    await page.get_by_role("link", name="开始对比").click()
    await visitor.settled()

    await expect(page.get_by_role("columnheader")).to_have_count(3)
    await expect(page.get_by_text("最低价").first).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="导出 CSV").click()
    assert (await download.value).suggested_filename == "商品对比.csv"


async def test_what_the_form_lacks_is_pointed_out(visit: Visit, service: Service) -> None:
    visitor = await visit("purchaser2")
    await _add_to_cart(visitor, _product_with_two_sellers(service), "杭州数源示例科技有限公司", 1)
    page = await visitor.go("/cart")
    await expect(page.get_by_text("均核对无误")).to_be_visible()

    await page.get_by_role("button", name="提交订单").click()

    await expect(page.get_by_text("此项必填").first).to_be_visible()
    await expect(page.get_by_text("请先填完带 * 的配送与预算信息")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_handler_asks_a_second_hand_approves_and_the_supplier_has_the_order(
    visit: Visit, service: Service
) -> None:
    product = _product_with_two_sellers(service, "显示器", below_fen=APPROVAL_FROM)
    large, small = SUPPLIERS
    enough = -(-APPROVAL_FROM // _prices(product)[large])
    supplier = await visit("supplier1")
    desk = await supplier.go("/orders?stage=placed")
    ours = desk.get_by_role("row").filter(has_text="宁波市示例档案馆").filter(has_text=product["name"])
    handler = await visit("handler")
    await _add_to_cart(handler, product, large, enough)
    await _add_to_cart(handler, product, small, 1)

    page = await handler.go("/cart")
    await _fill_in_delivery(page)
    await expect(page.get_by_text("1 个订单达到本单位审批起点 ¥5,000.00")).to_be_visible()
    await expect(page.get_by_text("均核对无误")).to_be_visible()
    assert await handler.findings() == []
    await page.get_by_role("button", name="提交订单并提请审批").click()
    dialog = page.get_by_role("dialog", name="确认下单")
    await expect(dialog).to_contain_text("须审批")
    await dialog.get_by_role("button", name="确认下单并提请审批").click()
    await expect(page).to_have_url(re.compile(r"/approvals/[0-9a-f-]{36}$"))
    await handler.settled()
    await expect(page.get_by_text("等待本单位审批人办理")).to_be_visible()
    await expect(page.get_by_role("button", name="批准", exact=True)).to_have_count(0)
    number, address = await page.get_by_role("heading", level=1).inner_text(), page.url
    assert await handler.findings() == []

    await desk.reload()
    await supplier.settled()
    await expect(desk.get_by_role("heading", level=1, name="订单")).to_be_visible()
    await supplier.settled()
    await expect(ours).to_have_count(0)

    approver = await visit("approver")
    table = await approver.go("/")
    await expect(table.get_by_role("navigation", name="主导航")).to_contain_text("项待您审批")
    await table.get_by_role("link", name=number).click()
    await approver.settled()
    await expect(table.get_by_text("价格、商品与报价均无变化")).to_be_visible()
    assert await approver.findings() == []
    await _take(table, "批准")
    await expect(table.get_by_text("订单已下达").first).to_be_visible()
    order = await table.get_by_role("link", name=re.compile("查看订单")).inner_text()

    await desk.reload()
    await supplier.settled()
    await desk.get_by_role("link", name=order.removeprefix("查看订单").strip()).click()
    await supplier.settled()
    await expect(desk.get_by_text("宁波市示例档案馆").first).to_be_visible()
    await _take(desk, "接单")

    await page.goto(address)
    await handler.settled()
    await expect(page.get_by_text("叶审批 已批准")).to_be_visible()
    await expect(page.get_by_role("button", name="撤回", exact=True)).to_have_count(0)


async def test_an_order_placed_by_approval_tells_its_own_side_who_asked_and_leads_there(
    visit: Visit, service: Service
) -> None:
    request_id = ask_for_approval(service)
    approver = await visit("approver", size=PHONE)
    page = await approver.go(f"/approvals/{request_id}")
    await _take(page, "批准")
    await page.get_by_role("link", name=re.compile("查看订单")).click()
    await approver.settled()

    await expect(page.get_by_text("经审批下单：徐经办 提请，叶审批 批准。")).to_be_visible()
    asked, placed = (page.get_by_role("listitem").filter(has_text=text) for text in ("提请审批", "批准并下单"))
    await expect(asked).to_contain_text("徐经办")
    await expect(placed).to_contain_text("叶审批")
    assert await approver.findings() == []
    assert await approver.overflow() == 0
    order = page.url.removeprefix(service.url)
    seller = await page.locator("dt:has-text('供应商') + dd").inner_text()
    supplier = await visit(SUPPLIERS[seller])
    desk = await supplier.go(order)
    await expect(desk.get_by_role("listitem").filter(has_text="宁波市示例档案馆")).to_contain_text("下单")
    await expect(desk.get_by_text("审批下单")).to_have_count(0)
    await page.get_by_role("link", name=re.compile("查看审批")).click()
    await expect(page).to_have_url(f"{service.url}/approvals/{request_id}")


async def test_a_request_comes_back_with_a_reason_and_goes_into_the_cart_again(visit: Visit, service: Service) -> None:
    product = _product_with_two_sellers(service, "显示器", below_fen=APPROVAL_FROM)
    seller = next(iter(SUPPLIERS))
    handler = await visit("handler", size=PHONE)
    await _add_to_cart(handler, product, seller, -(-APPROVAL_FROM // _prices(product)[seller]))
    page = await handler.go("/cart")
    await _fill_in_delivery(page)
    await expect(page.get_by_text("均核对无误")).to_be_visible()
    await page.get_by_role("button", name="提请审批").click()
    await page.get_by_role("dialog", name="确认提请审批").get_by_role("button", name="确认提请审批").click()
    await expect(page).to_have_url(re.compile(r"/approvals/[0-9a-f-]{36}$"))
    await handler.settled()
    assert await handler.overflow() == 0

    approver = await visit("approver", size=PHONE)
    table = await approver.go(page.url.removeprefix(service.url))
    await table.get_by_role("button", name="退回", exact=True).click()
    dialog = table.get_by_role("dialog")
    await dialog.get_by_role("button", name="退回", exact=True).click()
    await expect(dialog.get_by_text("请填写理由")).to_be_visible()
    await dialog.get_by_label("理由").fill("请改用第二条预算指标")
    await dialog.get_by_role("button", name="退回", exact=True).click()
    await expect(dialog).to_have_count(0)
    assert await approver.overflow() == 0

    await page.reload()
    await handler.settled()
    await expect(page.get_by_text("请改用第二条预算指标").first).to_be_visible()
    await page.get_by_role("button", name="重新放入采购车").click()
    await expect(page).to_have_url(f"{service.url}/cart")
    await expect(page.get_by_role("spinbutton")).to_be_visible()


async def test_an_administrator_raises_the_limit_from_a_later_day_and_the_history_says_so(visit: Visit) -> None:
    administrator = await visit("approver", size=PHONE, expected=("409",))
    page = await administrator.go("/organisation/approvals")
    await page.get_by_label("审批起点金额（元）").fill("9999999999")
    await page.get_by_role("button", name="保存设置").click()
    await expect(page.get_by_role("alert")).to_contain_text("没有订单会达到")
    await page.get_by_label("审批起点金额（元）").fill("8000")
    day = (SystemClock().now().astimezone(BEIJING) + timedelta(days=30)).date().isoformat()
    await page.get_by_label("生效日期").fill(day)
    await page.get_by_label("依据或说明").fill("调高试行")
    await page.get_by_role("button", name="保存设置").click()

    await expect(page.get_by_text(f"{day} 起：¥8,000.00 起须经审批")).to_be_visible()
    await expect(page.get_by_text("调高试行")).to_be_visible()
    assert await administrator.overflow() == 0
    assert await administrator.findings() == []
