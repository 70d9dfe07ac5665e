"""Every page for every role: it loads, it fits a phone, axe finds nothing serious, and nothing is logged."""

import httpx2
import pytest
from playwright.async_api import expect

from tests.builders.browser import PHONE, WIDE, Service, Visit, ask_for_approval

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = [
    (None, "/"),
    (None, "/login"),
    (None, "/catalogue"),
    (None, "/catalogue?view=table"),
    (None, "/catalogue?category=A02010105&sort=price"),
    (None, "/catalogue?q=没有这种商品"),
    (None, "/catalogue/{product}"),
    (None, "/catalogue/compare?ids={product},{another}"),
    (None, "/catalogue/compare"),
    (None, "/agreements"),
    (None, "/agreements/{agreement}"),
    (None, "/receipts"),
    (None, "/nowhere"),
    ("purchaser", "/"),
    ("purchaser", "/catalogue"),
    ("purchaser", "/catalogue/{product}"),
    ("purchaser", "/cart"),
    ("purchaser", "/orders"),
    ("purchaser", "/signings"),
    ("purchaser", "/signings?box=all"),
    ("purchaser", "/budget"),
    ("purchaser", "/budget/{line}"),
    ("purchaser", "/offers"),
    ("purchaser", "/approvals"),
    ("purchaser", "/organisation/approvals"),
    ("handler", "/approvals"),
    ("handler", "/approvals/{request}"),
    ("handler", "/approvals?q=没有这样的"),
    ("approver", "/"),
    ("approver", "/approvals?box=to-decide"),
    ("approver", "/approvals/{request}"),
    ("approver", "/organisation/approvals"),
    ("supplier1", "/"),
    ("supplier1", "/orders"),
    ("supplier1", "/offers"),
    ("supplier1", "/signings"),
    ("supervisor", "/"),
    ("supervisor", "/signings"),
    ("supervisor", "/orders"),
    ("supervisor", "/budget"),
    ("auditor", "/"),
    ("auditor", "/orders"),
    ("auditor", "/log"),
    ("auditor", "/log?kind=nothing.like.it"),
    ("purchaser", "/log"),
    ("operator", "/"),
    ("supplier1", "/account/security"),
    ("operator", "/admin/access"),
    ("operator", "/certificates"),
    ("supervisor", "/certificates"),
]

ENGLISH = [
    (None, "/"),
    (None, "/catalogue/{product}"),
    ("purchaser", "/cart"),
    ("purchaser", "/orders"),
    ("purchaser", "/signings"),
    ("supplier1", "/offers"),
    ("approver", "/approvals/{request}"),
    ("approver", "/organisation/approvals"),
    ("supervisor", "/admin/access"),
    ("auditor", "/log"),
    (None, "/receipts"),
    ("supplier1", "/account/security"),
    (None, "/login"),
]


@pytest.fixture(scope="session")
def places(service: Service) -> dict[str, str]:
    """Identifiers of the sample province that addresses are made of."""
    cookies = {"zhecai_session": service.cookie_of("purchaser")}
    with httpx2.Client(base_url=service.url, cookies=cookies) as client:

        def items(path: str) -> list[dict[str, str]]:
            found: list[dict[str, str]] = client.get(path).raise_for_status().json()["items"]
            return found

        products = items("/api/products")
        return {
            "product": products[0]["product_id"],
            "another": products[1]["product_id"],
            "agreement": items("/api/agreements")[0]["agreement_id"],
            "line": items("/api/budget-lines")[0]["budget_line_id"],
            "request": ask_for_approval(service),
        }


@pytest.mark.parametrize(("login", "path"), PAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_a_page_loads_under_the_policy_fits_and_is_accessible(
    visit: Visit, places: dict[str, str], login: str | None, path: str, size: dict[str, int]
) -> None:
    visitor = await visit(login, size=size)

    await visitor.go(path.format(**places))

    assert await visitor.overflow() == 0
    assert await visitor.findings() == []


@pytest.mark.parametrize(("login", "path"), ENGLISH)
async def test_a_page_speaks_english(visit: Visit, places: dict[str, str], login: str | None, path: str) -> None:
    visitor = await visit(login, locale="en-GB")

    page = await visitor.go(path.format(**places))

    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.locator("body")).not_to_contain_text("frame.")
    await expect(page.locator("nav[aria-label='Main menu']")).to_be_visible()


async def test_the_language_is_switched_and_kept(visit: Visit) -> None:
    visitor = await visit()
    page = await visitor.go("/catalogue")

    await page.get_by_role("button", name="EN · Switch to English").click()
    await expect(page.get_by_role("button", name="Table")).to_have_count(0)
    await expect(page.get_by_role("radio", name="Table")).to_be_attached()
    await page.reload()

    await expect(page.get_by_role("navigation", name="Main menu")).to_contain_text("Catalogue")


async def test_a_page_of_another_role_says_so(visit: Visit) -> None:
    visitor = await visit("supplier1")

    page = await visitor.go("/cart")

    await expect(page.get_by_text("没有权限查看")).to_be_visible()


async def test_who_is_not_logged_in_comes_back_after_the_login(visit: Visit) -> None:
    visitor = await visit()

    page = await visitor.go("/budget")
    await expect(page).to_have_url(f"{visitor.url}/login?next=/budget")
    await page.get_by_label("登录名").fill("purchaser2")
    await page.get_by_label("密码").fill("zhecai-demo-2026")
    await page.get_by_role("button", name="登录", exact=True).last.click()

    await expect(page).to_have_url(f"{visitor.url}/budget")
    await expect(page.get_by_role("heading", name="预算指标")).to_be_visible()


async def test_a_session_that_has_ended_leads_back_after_the_login(visit: Visit) -> None:
    visitor = await visit("purchaser2", expected=("401",))
    page = await visitor.go("/catalogue")

    await page.context.clear_cookies()
    await page.get_by_role("navigation", name="主导航").get_by_role("link", name="订单").click()

    await expect(page).to_have_url(f"{visitor.url}/login?next=/orders")
    await expect(page.get_by_text("登录已失效")).to_be_visible()


async def test_a_wrong_password_is_said(visit: Visit) -> None:
    visitor = await visit(expected=("401",))
    page = await visitor.go("/login")

    await page.get_by_label("登录名").fill("purchaser3")
    await page.get_by_label("密码").fill("wrong")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_be_visible()


async def test_a_demo_account_is_one_click(visit: Visit) -> None:
    visitor = await visit()
    page = await visitor.go("/login")

    await page.get_by_role("button", name="浙江示例图书馆").click()

    await expect(page.locator("aside").first).to_contain_text("采购人 · 浙江示例图书馆")
