"""The account and what protects it, as outside a demonstration: a real browser, its own virtual authenticator."""

import re
from base64 import b32decode
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from kernel.access.actors import Role
from kernel.clock import SystemClock
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from portal.demo import province
from portal.server import listen, service_up
from registries.factors.rules import STEP_S, code_at, step_of
from tests.builders.browser import PHONE, WIDE, Visit, Visitor
from tests.builders.databases import Databases
from tests.builders.registries import PASSWORD as OWN_PASSWORD
from tests.builders.registries import a_user, register

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = province.PASSWORD
EXPECTED = ("401", "403", "409", "demo-accounts")


class ShiftedClock(SystemClock):
    """The machine's clock, put forward: nobody waits for a quarter of an hour."""

    shift = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.shift


class Site(NamedTuple):
    """A service as outside a demonstration. Passkeys want a name, so it is asked by one."""

    url: str
    kernel: Kernel
    clock: ShiftedClock

    def code(self, secret: str, steps: int = 0) -> str:
        return code_at(b32decode(secret.replace(" ", "")), step_of(self.clock.now()) + steps)

    def wait(self, seconds: float) -> None:
        self.clock.shift += timedelta(seconds=seconds)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(databases: Databases, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    settings = Settings(demo=False, port=0, data_dir=tmp_path_factory.mktemp("site"))
    clock = ShiftedClock()
    async with (
        databases.fresh() as database_url,
        open_kernel(settings, clock, database_url=database_url, redis_url=redis_url, load_actor=load_actor) as kernel,
    ):
        await province.set_up(kernel)
        async with service_up(kernel, listen(settings)) as url:
            yield Site(url.replace("127.0.0.1", "localhost"), kernel, clock)


@pytest_asyncio.fixture(loop_scope="session")
async def door(visit: Visit, site: Site) -> Visitor:
    """A window of that service; refusals that a test provokes are no errors of the page."""
    return (await visit(expected=EXPECTED))._replace(url=site.url)


async def log_in(visitor: Visitor, login: str, password: str = PASSWORD) -> Page:
    page = await visitor.go("/login")
    await page.get_by_label("登录名").fill(login)
    await page.get_by_label("密码", exact=True).fill(password)
    await page.keyboard.press("Enter")
    return page


async def enrol(visitor: Visitor, site: Site, login: str, password: str = PASSWORD) -> str:
    """Log in for the first time and set up one-time codes; give the secret."""
    page = await log_in(visitor, login, password)
    await expect(page).to_have_url(re.compile("/account/security"))
    return await turn_on(visitor, site)


async def turn_on(visitor: Visitor, site: Site) -> str:
    """Set up one-time codes where the page asks for it; give the secret."""
    page = visitor.page
    card = page.get_by_role("region", name="动态口令")
    await card.get_by_role("button", name="设置").click()
    await expect(card.get_by_role("img", name="含动态口令密钥的二维码")).to_be_visible()
    secret = await card.locator(".secret").inner_text()
    await card.get_by_label("输入应用中显示的验证码").fill(site.code(secret))
    await card.get_by_role("button", name="启用").click()
    await expect(card.get_by_text("已启用")).to_be_visible()
    return secret


async def log_out(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()
    await page.get_by_role("menuitem", name="退出登录").click()
    await expect(page.get_by_role("link", name="登录", exact=True).first).to_be_visible()


async def virtual_authenticator(page: Page) -> None:
    """Give the browser a passkey holder that knows its owner (Chrome DevTools Protocol, WebAuthn)."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def test_the_first_login_sets_up_one_time_codes_and_the_next_asks_for_one(door: Visitor, site: Site) -> None:
    secret = await enrol(door, site, "purchaser")
    page = door.page
    await page.get_by_role("button", name="继续").click()
    await expect(page).to_have_url(f"{site.url}/")
    await expect(page.get_by_role("button", name="陈采购")).to_be_visible()

    await log_out(page, "陈采购")
    site.wait(STEP_S)
    await log_in(door, "purchaser")
    field = page.get_by_label("验证码", exact=True)
    await field.fill("000000")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("验证码不正确")
    await field.fill(site.code(secret))
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("button", name="陈采购")).to_be_visible()


async def test_a_passkey_of_the_browser_is_added_and_logs_in(door: Visitor) -> None:
    page = await log_in(door, "purchaser2")
    await virtual_authenticator(page)
    await expect(page).to_have_url(re.compile("/account/security"))
    card = page.get_by_role("region", name="通行密钥")
    await card.get_by_label("名称").fill("办公室电脑")
    await card.get_by_role("button", name="添加通行密钥").click()
    await expect(card.get_by_text("办公室电脑")).to_be_visible()

    await log_out(page, "林采购")
    await door.go("/login")
    await page.get_by_role("button", name="通行密钥", exact=True).click()
    await page.get_by_role("button", name="使用通行密钥").click()
    await expect(page.get_by_role("button", name="林采购")).to_be_visible()

    await log_out(page, "林采购")
    await log_in(door, "purchaser2")  # the password, and then the passkey
    await page.get_by_role("button", name="使用通行密钥").click()
    await expect(page.get_by_role("button", name="林采购")).to_be_visible()


async def test_an_old_proof_is_asked_for_again_without_losing_the_form(door: Visitor, site: Site) -> None:
    secret = await enrol(door, site, "purchaser3")
    page = await door.go("/account/security")
    site.wait(16 * 60)
    card = page.get_by_role("region", name="密码")
    await card.get_by_label("当前密码").fill(PASSWORD)
    for label in ("新密码*", "再次输入新密码"):
        await card.get_by_label(re.compile(f"^{re.escape(label)}")).fill("another long password")
    await card.get_by_role("button", name="修改密码").click()

    dialog = page.get_by_role("dialog", name="再次验证身份")
    await dialog.get_by_role("button", name="Close").or_(dialog.get_by_role("button", name="关闭此对话框")).click()
    await expect(card.get_by_label("当前密码")).to_have_value(PASSWORD)
    await card.get_by_role("button", name="修改密码").click()
    await expect(dialog).to_be_visible()
    assert await door.findings() == []
    await dialog.get_by_label("验证码", exact=True).fill(site.code(secret))
    await page.keyboard.press("Enter")

    await expect(card.get_by_text("密码已修改")).to_be_visible()
    await expect(dialog).to_have_count(0)


async def test_a_session_that_ended_is_renewed_without_losing_the_form(visit: Visit) -> None:
    """In a demonstration, where a password is enough."""
    visitor = await visit("supplier2", expected=EXPECTED)
    page = await visitor.go("/account/security")
    card = page.get_by_role("region", name="密码")
    await card.get_by_label("当前密码").fill("wrong password")
    for label in ("新密码*", "再次输入新密码"):
        await card.get_by_label(re.compile(f"^{re.escape(label)}")).fill("another long password")
    await page.context.clear_cookies()
    await card.get_by_role("button", name="修改密码").click()

    dialog = page.get_by_role("dialog", name="登录已失效")
    await dialog.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")

    await expect(card.get_by_role("alert")).to_contain_text("密码不正确")
    await expect(card.get_by_label("当前密码")).to_have_value("wrong password")


async def test_recovery_codes_are_made_once_and_sessions_are_ended(visit: Visit, door: Visitor, site: Site) -> None:
    await enrol(door, site, "supplier1")
    page = door.page  # the first second factor brings the codes with it
    codes = page.get_by_role("region", name="恢复码").locator(".codes li")
    await expect(codes).to_have_count(10)
    first = await codes.first.inner_text()

    other = (await visit(expected=EXPECTED))._replace(url=site.url)
    elsewhere = await log_in(other, "supplier1")
    await elsewhere.get_by_label("验证码", exact=True).fill(first)
    await elsewhere.keyboard.press("Enter")
    await expect(elsewhere.get_by_role("button", name="王经理")).to_be_visible()
    await door.go("/account/security")
    card = page.get_by_role("region", name="登录记录")
    await expect(card.locator("tbody tr")).to_have_count(2)
    await card.get_by_role("button", name="退出其他全部设备").click()
    await expect(card.locator("tbody tr")).to_have_count(1)

    await elsewhere.reload()
    await expect(elsewhere.get_by_role("link", name="登录", exact=True).first).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_setting_up_codes_fits_and_is_accessible(visit: Visit, site: Site, size: dict[str, int]) -> None:
    visitor = (await visit(size=size, expected=EXPECTED))._replace(url=site.url)
    page = await log_in(visitor, "supplier3")
    await page.get_by_role("button", name="设置").click()
    await expect(page.get_by_role("img", name="含动态口令密钥的二维码")).to_be_visible()

    assert await visitor.overflow() == 0
    assert await visitor.findings() == []


async def test_lost_factors_are_reset_by_an_administrator_and_set_up_anew(
    visit: Visit, door: Visitor, site: Site
) -> None:
    organisation_id = await register(site.kernel, 781)
    await a_user(site.kernel, "reset-admin", organisation_id, Role.ADMINISTRATOR)
    await a_user(site.kernel, "reset-member", organisation_id)
    secret = await enrol(door, site, "reset-member", OWN_PASSWORD)
    page = door.page
    office = (await visit(expected=EXPECTED))._replace(url=site.url)
    await enrol(office, site, "reset-admin", OWN_PASSWORD)

    members = await office.go("/organisation/members")
    row = members.get_by_role("row", name="reset-member")
    await expect(row.get_by_text("已设置")).to_be_visible()
    await expect(
        members.get_by_role("row", name="reset-admin").get_by_role("button", name="重置第二因素")
    ).to_have_count(0)
    await row.get_by_role("button", name="重置第二因素").click()
    dialog = members.get_by_role("dialog", name="重置第二因素：测试员")
    await dialog.get_by_label("理由").fill("手机遗失，已当面核实")
    assert await office.findings() == []
    await dialog.get_by_role("button", name="确认").click()
    await expect(row.get_by_text("已重置，待本人设置")).to_be_visible()

    await page.reload()  # the session is over
    await log_in(door, "reset-member", OWN_PASSWORD)
    await expect(page).to_have_url(re.compile("/account/security"))
    notice = page.get_by_role("region", name="您的第二因素已被重置")
    await expect(notice).to_contain_text("原因：手机遗失，已当面核实")
    assert await door.findings() == []
    await door.go("/orders")
    await expect(page).to_have_url(re.compile("/login"))

    await door.go("/account/security?enrol=second-factor")
    again = await turn_on(door, site)
    assert again != secret
    await expect(page.get_by_role("region", name="恢复码").locator(".codes li")).to_have_count(10)
    await page.get_by_role("button", name="继续").click()
    await expect(page.get_by_role("button", name="测试员")).to_be_visible()
