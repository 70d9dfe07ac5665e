"""A service that is away, comes back, or is a newer build than the page."""

import pytest
from playwright.async_api import Page, Route, expect

from tests.builders.browser import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

_AWAY = ("ERR_", "Failed to fetch", "Failed to load resource", "dynamically imported module")
_CATALOGUE = "**/assets/CataloguePage-*.js"
_HEALTH = "**/healthz"


async def _abort(route: Route) -> None:
    await route.abort("internetdisconnected")


async def _gone(route: Route) -> None:
    await route.fulfill(status=404, body="")


async def _to_catalogue(page: Page) -> None:
    await page.get_by_role("navigation", name="主导航").get_by_role("link", name="商品目录").click()


async def test_a_lost_service_is_said_and_its_return_too(visit: Visit) -> None:
    visitor = await visit(expected=_AWAY)
    page = await visitor.go("/catalogue")

    await page.context.set_offline(True)
    await page.get_by_label("搜索商品").fill("打印")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("连接不上服务器")).to_be_visible()
    await expect(page.get_by_text("与服务器的连接已断开")).to_be_visible()
    await page.context.set_offline(False)
    await page.get_by_role("button", name="重试").click()

    await expect(page.get_by_text("连接不上服务器")).to_have_count(0)
    await expect(page.get_by_text("与服务器的连接已断开")).to_have_count(0)
    await expect(page.locator("article").first).to_contain_text("打印")


async def test_a_first_page_whose_code_does_not_arrive_says_so_and_comes_when_it_can(visit: Visit) -> None:
    visitor = await visit(expected=_AWAY)
    page = visitor.page
    await page.route(_CATALOGUE, _abort)
    await page.route(_HEALTH, _abort)
    await page.goto(f"{visitor.url}/catalogue")
    await expect(page.get_by_role("alert")).to_contain_text("连接不上服务器")
    await expect(page.get_by_text("与服务器的连接已断开")).to_be_visible()
    await expect(page.get_by_role("button", name="重试")).to_be_visible()

    await page.unroute(_CATALOGUE)
    await page.unroute(_HEALTH)

    await expect(page.get_by_label("搜索商品")).to_be_visible()  # by itself, when the service answers again
    await expect(page.get_by_text("与服务器的连接已断开")).to_have_count(0)


async def test_a_page_that_cannot_be_fetched_leaves_what_is_there(visit: Visit) -> None:
    visitor = await visit(expected=_AWAY)
    page = await visitor.go("/login")
    await page.get_by_label("登录名").fill("purchaser3")

    await page.context.set_offline(True)
    await _to_catalogue(page)
    await expect(page.get_by_text("连接不上服务器")).to_be_visible()

    await expect(page.get_by_label("登录名")).to_have_value("purchaser3")
    await page.context.set_offline(False)
    await expect(page.get_by_text("与服务器的连接已断开")).to_have_count(0)
    await _to_catalogue(page)
    await expect(page.get_by_label("搜索商品")).to_be_visible()


async def test_code_that_is_gone_for_good_is_fetched_anew_once_and_then_said(visit: Visit) -> None:
    visitor = await visit(expected=_AWAY)
    page = await visitor.go("/login")
    opened: list[str] = []
    page.on("request", lambda request: opened.append(request.url) if request.is_navigation_request() else None)
    await page.route(_CATALOGUE, _gone)

    await _to_catalogue(page)
    await expect(page.get_by_role("alert")).to_contain_text("没有加载成功")
    await expect(page.get_by_role("alert")).to_contain_text("请稍后重试")

    assert opened == [f"{visitor.url}/catalogue"]
    await page.unroute(_CATALOGUE)
    await page.get_by_role("button", name="重试").click()
    await expect(page.get_by_label("搜索商品")).to_be_visible()


async def test_an_act_without_an_answer_says_in_words_that_there_was_none(visit: Visit) -> None:
    visitor = await visit(expected=_AWAY)
    page = await visitor.go("/login")
    await page.get_by_label("登录名").fill("purchaser3")
    await page.get_by_label("密码").fill("whatever it is")

    await page.context.set_offline(True)
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("连接不上服务器")
    await page.context.set_offline(False)
