"""
A whole order, and its approval, by somebody without a mouse.

Nothing is clicked and nothing is focused from outside: Tab and Shift+Tab go from place to place, Enter and Space act,
arrows move inside an open list, and text is typed.
"""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.builders.browser import Service, Visit, Visitor, ask_for_approval

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS_MAX = 160
"""No place of a page is farther away than this."""
_HAS_FOCUS = "element => element === document.activeElement"
_SHOWS_FOCUS = """() => {
    for (let at = document.activeElement; at && at !== document.body; at = at.parentElement) {
        const { outlineStyle, boxShadow } = getComputedStyle(at);
        if (outlineStyle !== "none" || boxShadow !== "none") return true;
    }
    return false;
}"""


async def _tab_to(page: Page, place: Locator, key: str = "Tab") -> None:
    """Go on until a place has the focus, and see that it shows."""
    await expect(place).to_be_visible()
    for _ in range(TABS_MAX):
        await page.keyboard.press(key)
        if await place.evaluate(_HAS_FOCUS):
            assert await page.evaluate(_SHOWS_FOCUS), f"{place} does not show that it has the focus"
            return
    raise AssertionError(f"{place} cannot be reached with {TABS_MAX} times {key}")


async def _type_into(page: Page, label: str, text: str) -> None:
    await _tab_to(page, page.get_by_role("textbox", name=label))
    await page.keyboard.press("Control+A")
    await page.keyboard.type(text)


async def _choose_first(page: Page, label: str) -> None:
    """Open a list, go to its first entry, take it."""
    await _tab_to(page, page.get_by_role("combobox", name=label))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("option").first).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("option").first).to_be_hidden()


async def _confirm(page: Page, button: str, key: str = "Enter") -> None:
    """Go to a button of the open dialog, which keeps the focus inside, and press it."""
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await _tab_to(page, dialog.get_by_role("button", name=button, exact=True))
    for _ in range(8):
        await page.keyboard.press("Tab")
        assert await dialog.evaluate("dialog => dialog.contains(document.activeElement)"), "the focus left the dialog"
    await _tab_to(page, dialog.get_by_role("button", name=button, exact=True))
    await page.keyboard.press(key)


async def _from_catalogue_to_cart(visitor: Visitor, words: str) -> Page:
    page = await visitor.go("/catalogue")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="跳到主要内容")).to_be_focused()
    await page.keyboard.press("Enter")
    await _type_into(page, "搜索", words)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("q="))
    await visitor.settled()
    await _tab_to(page, page.locator("main").get_by_role("link", name=re.compile("液晶显示器")).first)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/catalogue/[0-9a-f-]{36}$"))
    await visitor.settled()
    await _tab_to(page, page.get_by_role("button", name="加入采购车").first)
    await page.keyboard.press("Space")
    await expect(page.get_by_text("已加入采购车")).to_be_visible()
    await _tab_to(page, page.get_by_role("link", name=re.compile("^采购车，1 种商品")), "Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{visitor.url}/cart")
    await visitor.settled()
    return page


async def test_an_order_is_placed_from_the_catalogue_without_a_mouse(visit: Visit) -> None:
    purchaser = await visit("purchaser")
    page = await _from_catalogue_to_cart(purchaser, "液晶显示器")

    await _choose_first(page, "预算指标")
    await _type_into(page, "详细地址", "文三路 100 号")
    await _type_into(page, "联系电话", "0571-88000000")
    await expect(page.get_by_text("均核对无误")).to_be_visible()
    await _tab_to(page, page.get_by_role("button", name="提交订单"))
    await page.keyboard.press("Enter")
    await _confirm(page, "确认并下单", "Space")

    await expect(page).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}$"))
    await purchaser.settled()
    await expect(page.get_by_text("待接单").first).to_be_visible()


async def test_a_request_is_approved_without_a_mouse(visit: Visit, service: Service) -> None:
    request_id = ask_for_approval(service)
    approver = await visit("approver")
    page = await approver.go("/")
    await _tab_to(page, page.get_by_role("navigation", name="主导航").get_by_role("link", name=re.compile("^审批")))
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/approvals$"))
    await approver.settled()
    await _tab_to(page, page.locator(f"a[href='/approvals/{request_id}']"))
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(request_id))
    await approver.settled()

    await _tab_to(page, page.get_by_role("button", name="批准", exact=True))
    await page.keyboard.press("Enter")
    await _confirm(page, "批准")

    await expect(page.get_by_text("订单已下达").first).to_be_visible()
