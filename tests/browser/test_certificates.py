"""
Certificates in a real browser: enrolled there, kept there, and what opens the door the next time.
"""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from crypto.certificates import keyfiles
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from portal.demo import province
from tests.builders.browser import PHONE, Service, Visit, enrol_certificate
from tests.builders.certificates import a_key, spki_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_enrol_log_out_and_log_in_with_the_certificate(visit: Visit, tmp_path: Path) -> None:
    supplier = await visit("supplier3")
    page = await supplier.go("/certificates")
    await expect(page.get_by_role("heading", name="数字证书")).to_be_visible()
    assert await supplier.findings() == []
    await enrol_certificate(page)
    assert await supplier.findings() == []
    assert await supplier.overflow() <= 0
    extractable = await page.evaluate(
        """async () => {
          const opened = await new Promise((resolve) => {
            const asked = indexedDB.open("zhecai-keys");
            asked.onsuccess = () => resolve(asked.result);
          });
          const keys = await new Promise((resolve) => {
            const asked = opened.transaction("keys").objectStore("keys").getAll();
            asked.onsuccess = () => resolve(asked.result);
          });
          opened.close();
          return keys.map((key) => key.privateKey.extractable);
        }"""
    )
    assert extractable == [False]

    await page.context.clear_cookies()
    await supplier.go("/login?next=/certificates")
    await page.get_by_text("证书", exact=True).click()
    await expect(page.get_by_role("radiogroup", name="选择证书")).to_contain_text("有效期至")
    assert await supplier.findings() == []
    await page.get_by_role("button", name="用证书登录").click()

    await expect(page.get_by_role("heading", name="数字证书")).to_be_visible()
    await expect(page.get_by_role("table")).to_contain_text("有效")
    current = await page.evaluate("async () => (await fetch('/api/sessions/current')).json()")
    assert (current["actor"]["login"], current["session"]["level"]) == ("supplier3", "certificate")
    async with page.expect_download() as got:
        await page.get_by_role("link", name="下载", exact=True).click()
    chain = tmp_path / "chain.pem"
    await (await got.value).save_as(chain)
    text = await asyncio.to_thread(chain.read_text, "utf-8")
    assert text.count("BEGIN CERTIFICATE") == 3


async def test_a_certificate_is_renewed_and_revoked(visit: Visit) -> None:
    supplier = await visit("supplier4")
    page = await supplier.go("/certificates")
    await enrol_certificate(page)

    await page.get_by_role("button", name="更新").click()
    dialog = page.get_by_role("dialog", name="更新证书")
    await dialog.get_by_role("button", name="生成私钥并办理").click()
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("table")).to_contain_text("已更新")

    row = page.get_by_role("row").filter(has_text="有效").filter(has_not_text="已更新")
    await row.get_by_role("button", name="吊销").click()
    dialog = page.get_by_role("dialog", name="吊销证书")
    await dialog.get_by_role("textbox").fill("电脑丢失")
    await dialog.get_by_role("button", name="确认").click()
    await expect(page.get_by_role("table")).to_contain_text("电脑丢失")
    assert await supplier.findings() == []


async def test_a_certificate_in_a_file_logs_in_after_it_was_registered(
    visit: Visit, service: Service, tmp_path: Path
) -> None:
    """The file is one that ``zhecai ca`` or OpenSSL would write; its authority is trusted by configuration."""
    supplier = await visit("supplier5")
    key, body = a_key(number=50), next(one for one in province.BODIES if one.login == "supplier5")
    made = await asyncio.to_thread(
        service.outside.issuing.issue,
        Profile.SUPPLIER,
        Subject(body.person, body.name, body.credit_code),
        spki_of(key),
        at=service.outside.at,
    )
    file = tmp_path / "mine.p12"
    chain = [service.outside.issuing.certificate.der]
    file.write_bytes(keyfiles.pkcs12_file(key, made.der, chain, name="mine", passphrase="correct horse"))
    page = await supplier.go("/certificates")

    await page.get_by_role("button", name="登记外部证书").click()
    dialog = page.get_by_role("dialog", name="登记外部证书")
    await dialog.get_by_label("证书文件").set_input_files(file)
    await dialog.get_by_label("文件口令").fill("wrong horse")
    await dialog.get_by_role("button", name="打开文件").click()
    # One wrong password in 256 leaves a padding that looks right, and then what is inside cannot be read.
    await expect(dialog).to_contain_text(re.compile("口令不正确|无法读取"))
    await dialog.get_by_label("文件口令").fill("correct horse")
    await dialog.get_by_role("button", name="打开文件").click()
    await expect(dialog).to_contain_text("文件已打开")
    assert await supplier.findings() == []
    await dialog.get_by_role("button", name="验证并登记").click()
    await expect(page.get_by_role("table")).to_contain_text("外部机构")

    await page.context.clear_cookies()
    await supplier.go("/login?next=/certificates")
    await page.get_by_text("证书", exact=True).click()
    await page.get_by_role("button", name="使用证书文件").click()
    await page.get_by_label("证书文件").set_input_files(file)
    await page.get_by_label("文件口令").fill("correct horse")
    await page.get_by_role("button", name="打开文件").click()
    await page.get_by_role("button", name="用证书登录").click()
    await expect(page.get_by_role("heading", name="数字证书")).to_be_visible()


async def test_a_phone_shows_certificates_in_english(visit: Visit) -> None:
    purchaser = await visit("purchaser", size=PHONE, locale="en-US")
    page = await purchaser.go("/certificates")

    await expect(page.get_by_role("heading", name="Certificates")).to_be_visible()
    await expect(page.get_by_role("button", name="Get a certificate")).to_be_visible()
    assert await purchaser.findings() == []
    assert await purchaser.overflow() <= 0
    await page.get_by_role("button", name="Get a certificate").click()
    await expect(page.get_by_role("dialog")).to_contain_text("cannot be exported")
    assert await purchaser.findings() == []
    assert await purchaser.overflow() <= 0


async def test_the_login_page_takes_certificates_on_a_phone(visit: Visit) -> None:
    guest = await visit(size=PHONE)
    page = await guest.go("/login")
    await page.get_by_text("证书", exact=True).click()

    await expect(page.get_by_text("本浏览器没有证书")).to_be_visible()
    assert await guest.findings() == []
    assert await guest.overflow() <= 0
