"""
Two people sign one record, each in a browser of their own with a key that only it has; others check the file.

The site asks for a certificate before something is signed, as outside a demonstration, and has a seal and a time stamp
authority. Its clock stands still.
"""

import asyncio
import hashlib
import io
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from crypto.documents.checking import check
from kernel.access.actors import Actor, Role
from kernel.access.assurance import Assurance
from kernel.clock import ManualClock
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from market.auctions import service as auctions
from portal.app import load_actor
from portal.server import listen, service_up
from tests.builders.browser import PHONE, Visit, Visitor, enrol_certificate
from tests.builders.databases import Databases
from tests.builders.market_auctions import a_world
from tests.builders.market_signings import believed, stamping, tsa_settings
from tests.builders.registries import a_user
from tests.builders.stamps import ALWAYS, AStampingHouse
from tests.conformance.test_documents import pdfsig
from tests.conftest import NOON

pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE: Final = {
    "handler": ("林经办", Role.PURCHASER),
    "approver": ("何审批", Role.APPROVER),
    "signatory": ("赵签署", Role.SIGNATORY),
}
EXPECTED: Final = ("403", "404", "409")
"""What the pages log when the service asks for a certificate, or says that something is not there or was overtaken."""
AWARDED: Final = 3


class Site(NamedTuple):
    """A service, its people, and auctions whose records nobody has signed yet."""

    url: str
    kernel: Kernel
    people: dict[str, Actor]
    auctions: list[UUID]

    async def enter(self, visit: Visit, name: str, **options: object) -> Visitor:
        """Open a window for somebody who has logged in with a password and a code."""
        user_id = self.people[name].user_id
        assert user_id
        level = Assurance.SECOND_FACTOR
        token, _ = await self.kernel.sessions.open(user_id, origin="test", user_agent="test", level=level)
        visitor = (await visit(expected=EXPECTED, **options))._replace(url=self.url)
        await visitor.page.context.add_cookies([{"name": "zhecai_session", "value": token, "url": self.url}])
        return visitor

    async def with_certificate(self, visit: Visit, name: str, **options: object) -> Visitor:
        visitor = await self.enter(visit, name, **options)
        await enrol_certificate(await visitor.go("/certificates"))
        return visitor


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(databases: Databases, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    data, house = tmp_path_factory.mktemp("signings"), AStampingHouse(valid=ALWAYS)
    settings = Settings(
        demo=True, port=0, data_dir=data, assurance=Assurance.CERTIFICATE, **tsa_settings(house, data, NOON)
    )
    async with (
        databases.fresh() as database_url,
        open_kernel(
            settings, ManualClock(NOON), database_url=database_url, redis_url=redis_url, load_actor=load_actor
        ) as opened,
        stamping(opened, house) as kernel,
    ):
        world = await a_world(kernel)
        awarded = []
        for _ in range(AWARDED):
            auction_id = await world.closed()
            await auctions.award(kernel, world.by(), auction_id, "最低价成交")
            awarded.append(auction_id)
        people = {}
        for login, (name, role) in PEOPLE.items():
            of = world.suppliers[1] if role is Role.SIGNATORY else world.purchaser
            assert of.organisation_id
            people[login] = await a_user(kernel, login, of.organisation_id, role, name)
        async with service_up(kernel, listen(settings)) as url:
            yield Site(url, kernel, people, awarded)


async def ask(visitor: Visitor, auction_id: UUID, *names: str, order: str = "依次签署") -> None:
    """Ask for signatures on the page of the record."""
    page = await visitor.go(f"/auctions/{auction_id}/record")
    await page.get_by_role("button", name="发起签署").or_(page.get_by_role("button", name="重新发起签署")).click()
    dialog = page.get_by_role("dialog", name="发起签署")
    for name in names:
        await dialog.locator("label").filter(has_text=PEOPLE[name][0]).click()
    await dialog.locator("label").filter(has_text=order).click()
    assert await visitor.findings() == []
    await dialog.get_by_role("button", name="生成文件并发起").click()
    await expect(page).to_have_url(re.compile("/signings/"))
    await visitor.settled()


async def read(page: Page, button: str = "下载文件") -> bytes:
    """Download the file to be signed and say that it was read."""
    panel = page.get_by_role("region", name="我的签署")
    async with page.expect_download() as got:
        await panel.get_by_role("button", name=button).click()
    path = await (await got.value).path()
    await expect(panel.get_by_text("已下载，指纹一致")).to_be_visible()
    await panel.get_by_text("我已阅读这份文件").click()
    return await asyncio.to_thread(path.read_bytes)


async def sign(page: Page) -> None:
    await page.get_by_role("region", name="我的签署").get_by_role("button", name="签署", exact=True).click()
    dialog = page.get_by_role("dialog", name="签署文件")
    await expect(dialog.get_by_role("radio")).to_have_count(1)
    await dialog.get_by_role("button", name="签署", exact=True).click()


async def prove(page: Page) -> None:
    """Show the certificate, where the service asks for it before it lets somebody sign."""
    dialog = page.get_by_role("dialog", name="再次验证身份")
    await dialog.get_by_role("button", name="验证", exact=True).click()
    await expect(dialog).to_be_hidden()


async def download(page: Page) -> bytes:
    async with page.expect_download() as got:
        await page.get_by_role("link", name="下载文件").click()
    path = await (await got.value).path()
    return await asyncio.to_thread(path.read_bytes)


async def test_two_people_sign_one_after_another_and_others_find_it_good(
    visit: Visit, site: Site, tmp_path: Path
) -> None:
    handler = await site.with_certificate(visit, "handler")
    page = handler.page
    await ask(handler, site.auctions[0], "handler", "signatory")
    await expect(page.get_by_text("轮到您签署")).to_be_visible()
    assert (await handler.findings(), await handler.overflow()) == ([], 0)
    supplier = await site.with_certificate(visit, "signatory", size=PHONE)
    await supplier.go("/signings")
    await expect(supplier.page.get_by_text("没有待您签署的文件")).to_be_visible()

    first = await read(page)
    await sign(page)
    await prove(page)
    await expect(page.get_by_text("您已签署，正在等待其他签署人")).to_be_visible()
    assert await handler.findings() == []

    page = await supplier.go("/")
    await page.get_by_role("button", name="菜单").click()
    await expect(page.get_by_role("link", name="签署 1 份待您签署")).to_be_visible()
    await page.get_by_role("link", name="去签署").click()
    await supplier.settled()
    assert (await supplier.findings(), await supplier.overflow()) == ([], 0)
    second = await read(page)
    await sign(page)
    await prove(page)
    await expect(page.get_by_text("签署已完成：所有人都已签署，平台已加盖电子印章")).to_be_visible()
    assert (await supplier.findings(), await supplier.overflow()) == ([], 0)
    await expect(page.get_by_role("region", name="我的签署")).to_have_count(0)
    await expect(handler.page.get_by_text("签署已完成")).to_be_visible()
    pdf = await download(handler.page)

    assert pdf.startswith(second)
    assert second.startswith(first)
    await expect(page.get_by_text(hashlib.sha256(pdf).hexdigest())).to_be_visible()
    found = await asyncio.to_thread(check, pdf, believed(site.kernel), at=site.kernel.clock.now())
    assert [one.field for one in found[:3]] == ["signer-1", "signer-2", "seal"]
    names = await asyncio.to_thread(_seen_by_pyhanko, site.kernel, pdf)
    assert names == ["林经办", "赵签署"]
    if shutil.which("pdfsig"):
        said = await asyncio.to_thread(pdfsig, tmp_path, pdf)
        assert said.count("Signature is Valid.") == 3
        assert [line.split(": ")[1] for line in said.splitlines() if "Common Name" in line][:2] == names


def _seen_by_pyhanko(kernel: Kernel, pdf: bytes) -> list[str]:
    """Have each person's signature validated with the roots alone; give the names of who signed."""
    whom = believed(kernel)
    roots = [one.parsed for one in whom.people.roots]
    names = []
    for signature in PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures[:2]:
        context = ValidationContext(trust_roots=roots, allow_fetching=False, moment=kernel.clock.now())
        status = validate_pdf_signature(signature, context)
        assert status.intact
        assert status.valid
        assert status.trusted, status.pretty_print_details()
        assert status.timestamp_validity is not None
        names.append(str(status.signing_cert.subject.native["common_name"]))
    return names


async def test_who_was_overtaken_is_told_so_and_signs_the_new_file(visit: Visit, site: Site) -> None:
    approver = await site.with_certificate(visit, "approver")
    page = approver.page
    handler = await site.with_certificate(visit, "handler")
    await ask(handler, site.auctions[1], "handler", "approver", order="不分先后")
    address = handler.page.url.removeprefix(site.url)
    await approver.go(address)
    overtaken = asyncio.Event()

    async def late(route: Route) -> None:
        await overtaken.wait()
        await route.continue_()

    await page.route("**/api/signings/*/signature", late)
    old = await read(page)
    await sign(page)
    async with page.expect_request("**/api/signings/*/signature"):
        await prove(page)
    await read(handler.page)
    await sign(handler.page)
    await prove(handler.page)
    await expect(handler.page.get_by_text("您已签署，正在等待其他签署人")).to_be_visible()
    overtaken.set()

    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("其他签署人刚刚签署，文件已更新")
    await expect(page.get_by_role("dialog", name="签署文件")).to_have_count(0)
    button = page.get_by_role("region", name="我的签署").get_by_role("button", name="签署", exact=True)
    await expect(button).to_be_disabled()
    assert await approver.findings() == []
    new = await read(page, "下载新文件")
    await expect(alert).to_have_count(0)
    await sign(page)
    await expect(page.get_by_text("签署已完成")).to_be_visible()
    assert new.startswith(old)
    assert len(new) > len(old)


async def test_one_declines_another_is_asked_anew_and_that_is_withdrawn(visit: Visit, site: Site) -> None:
    handler = await site.enter(visit, "handler")
    supplier = await site.enter(visit, "signatory", size=PHONE)
    await ask(handler, site.auctions[2], "signatory")
    await expect(handler.page.get_by_text("正在等待签署人签署")).to_be_visible()

    page = await supplier.go(handler.page.url.removeprefix(site.url))
    await page.get_by_role("button", name="拒绝签署").click()
    dialog = page.get_by_role("dialog", name="拒绝签署")
    await dialog.get_by_role("button", name="拒绝签署").click()
    await expect(dialog.get_by_text("请填写理由")).to_be_visible()
    await dialog.get_by_label("理由").fill("单价与报价不符")
    assert (await supplier.findings(), await supplier.overflow()) == ([], 0)
    await dialog.get_by_role("button", name="拒绝签署").click()
    await expect(page.get_by_text("赵签署 拒绝签署，本次签署已结束")).to_be_visible()
    assert (await supplier.findings(), await supplier.overflow()) == ([], 0)
    await expect(handler.page.get_by_text("单价与报价不符")).to_be_visible()

    await ask(handler, site.auctions[2], "handler", "signatory")
    page = handler.page
    await page.get_by_role("button", name="撤回签署").click()
    dialog = page.get_by_role("dialog", name="撤回签署")
    await dialog.get_by_label("理由").fill("签署人有误")
    await dialog.get_by_role("button", name="撤回签署").click()
    await expect(page.get_by_text("林经办 撤回了本次签署")).to_be_visible()
    assert await handler.findings() == []
    await page.get_by_role("link", name="查看竞价记录").click()
    await expect(page.get_by_role("region", name="签署")).to_contain_text("已拒签")
    await expect(page.get_by_role("button", name="重新发起签署")).to_be_visible()
    await supplier.go("/signings")
    await expect(supplier.page.get_by_text("没有待您签署的文件")).to_be_visible()


async def test_the_order_is_changed_with_the_keyboard(visit: Visit, site: Site) -> None:
    handler = await site.enter(visit, "handler", locale="en-GB")
    page = await handler.go(f"/auctions/{site.auctions[2]}/record")
    await page.get_by_role("button", name="Ask for signatures").press("Enter")
    dialog = page.get_by_role("dialog", name="Ask for signatures")
    for name in ("handler", "approver"):
        await dialog.get_by_role("checkbox", name=PEOPLE[name][0]).press("Space")
    await expect(dialog.get_by_role("listitem").first).to_contain_text("林经办")
    await dialog.get_by_role("button", name="Move 何审批 up").press("Enter")

    await expect(dialog.get_by_role("listitem").first).to_contain_text("何审批")
    await expect(dialog.get_by_text("何审批 is number 1 now")).to_be_attached()
    assert await handler.findings() == []


async def test_a_document_that_is_not_there_is_said_to_be_missing(visit: Visit, site: Site) -> None:
    supplier = await site.enter(visit, "signatory")
    page = await supplier.go("/signings/01936b00-0000-7000-8000-000000000000")

    await expect(page.get_by_text("它不存在，或者您无权查看")).to_be_visible()
    assert await supplier.findings() == []
