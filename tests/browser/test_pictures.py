"""Pictures of goods in a browser: sent in, arranged, shown, and taken down."""

import httpx2
import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.builders.browser import PHONE, WIDE, Service, Visit, order_of
from tests.builders.pictures import a_picture

pytestmark = pytest.mark.asyncio(loop_scope="session")

BARE = "启明 16 英寸高性能便携式计算机"
"""A product that the sample province shows without a picture; its first seller is supplier1."""


def product_of(service: Service, name: str) -> str:
    answer = httpx2.get(f"{service.url}/api/products", params={"q": name})
    (product_id,) = [row["product_id"] for row in answer.json()["items"] if row["name"] == name]
    return str(product_id)


def a_file(number: int, **how: object) -> FilePayload:
    return {"name": f"图{number}.jpg", "mimeType": "image/jpeg", "buffer": a_picture(number=number, **how)}


async def loaded(page: Page, selector: str) -> int:
    """How many pixels wide the picture is that was loaded, 0 for none."""
    image = page.locator(selector).first
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("complete", True)  # noqa: FBT003  its value, not a switch
    width: int = await image.evaluate("image => image.naturalWidth")
    return width


async def test_a_supplier_sends_pictures_in_and_the_public_sees_them(visit: Visit, service: Service) -> None:
    product = f"/catalogue/{product_of(service, BARE)}"
    seller = await visit("supplier1")
    page = await seller.go(product)
    await page.get_by_role("link", name="管理图片").click()
    await expect(page.get_by_text("还没有图片")).to_be_visible()
    choose = page.get_by_label("上传图片")
    await choose.set_input_files([a_file(1), a_file(2)])
    await expect(page.locator(".album > li")).to_have_count(2)
    assert await loaded(page, ".album img") == 360
    assert await seller.findings() == []
    await page.get_by_role("button", name="后移第 1 张图片").click()
    await page.get_by_role("button", name="保存图片").click()
    await expect(page.get_by_text("图片已保存")).to_be_visible()
    await expect(page.get_by_role("button", name="保存图片")).to_be_disabled()

    anybody = await visit(size=PHONE, locale="en-US")
    page = await anybody.go(product)
    assert await loaded(page, ".gallery .is-large img") == 800
    await page.get_by_role("button", name="Show picture 2").click()
    await expect(page.get_by_alt_text(f"{BARE}, picture 2 of 2")).to_be_visible()
    assert await anybody.findings() == []
    assert await anybody.overflow() <= 0
    await anybody.go(f"/catalogue?q={BARE}")
    assert await loaded(page, ".product img") == 360


async def test_a_file_that_is_no_picture_is_named_with_what_is_wrong_and_the_others_are_taken(
    visit: Visit, service: Service
) -> None:
    seller = await visit("supplier1", size=PHONE, expected=("status of 422",))
    page = await seller.go(f"/catalogue/{product_of(service, '启明 双路机架式服务器')}/pictures")
    text: FilePayload = {"name": "说明.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    large: FilePayload = {"name": "大图.jpg", "mimeType": "image/jpeg", "buffer": b"x" * (8 * 1024 * 1024 + 1)}
    await page.get_by_label("上传图片").set_input_files([text, large, a_file(3)])

    await expect(page.get_by_text("说明.txt：不是 JPEG、PNG 或 WebP 图片")).to_be_visible()
    await expect(page.get_by_text("大图.jpg 超过 8 MB")).to_be_visible()
    await expect(page.locator(".album > li")).to_have_count(1)
    await page.get_by_role("button", name="放弃修改").click()
    await expect(page.get_by_text("还没有图片")).to_be_visible()
    assert await seller.findings() == []
    assert await seller.overflow() <= 0


async def test_the_operator_takes_a_picture_down_with_a_reason(visit: Visit, service: Service) -> None:
    name = "海川 人体工学办公椅"
    product = f"/catalogue/{product_of(service, name)}"
    seller = await visit("supplier6")
    page = await seller.go(f"{product}/pictures")
    await page.get_by_label("上传图片").set_input_files([a_file(4)])
    await page.get_by_role("button", name="保存图片").click()
    await expect(page.get_by_text("图片已保存")).to_be_visible()

    operator = await visit("operator", size=WIDE)
    page = await operator.go(product)
    await page.get_by_role("link", name="管理图片").click()
    await page.get_by_role("button", name="下架第 1 张图片").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("与商品不符")
    assert await operator.findings() == []
    await page.get_by_role("dialog").get_by_role("button", name="下架").click()

    await expect(page.get_by_text("图片已下架")).to_be_visible()
    await expect(page.get_by_text("还没有图片")).to_be_visible()


async def test_a_supplier_that_does_not_offer_a_product_is_told_so(visit: Visit, service: Service) -> None:
    stranger = await visit("supplier6")
    page = await stranger.go(f"/catalogue/{product_of(service, BARE)}/pictures")

    await expect(page.get_by_role("alert")).to_contain_text("没有供应这个商品")
    await expect(page.get_by_label("上传图片")).to_have_count(0)


async def test_an_order_says_that_its_picture_was_taken_down_everywhere(visit: Visit, service: Service) -> None:
    product_id = product_of(service, "数源 11 英寸平板式计算机")
    seller = await visit("supplier1")
    page = await seller.go(f"/catalogue/{product_id}/pictures")
    await page.get_by_label("上传图片").set_input_files([a_file(9)])
    await page.get_by_role("button", name="保存图片").click()
    await expect(page.get_by_text("图片已保存")).to_be_visible()
    (order,) = order_of(service, product_id)["orders"]
    handler = await visit("handler", size=PHONE)
    desk = await handler.go(f"/orders/{order['order_id']}")
    assert await loaded(desk, ".is-thumb img") == 360

    operator = await visit("operator", size=WIDE)
    page = await operator.go(f"/catalogue/{product_id}/pictures")
    await page.get_by_role("button", name="下架第 1 张图片").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("radio", name="仅本商品")).to_be_checked()
    await dialog.get_by_text("全平台").click()
    await dialog.get_by_role("textbox").fill("侵权")
    assert await operator.findings() == []
    await dialog.get_by_role("button", name="下架").click()
    await expect(page.get_by_text("还没有图片")).to_be_visible()

    for visitor, view in ((handler, desk), (seller, await seller.go(f"/orders/{order['order_id']}"))):
        await view.reload()
        await visitor.settled()
        await expect(view.get_by_text("图片已下架")).to_be_visible()
        assert await visitor.findings() == []
    assert await handler.overflow() <= 0
