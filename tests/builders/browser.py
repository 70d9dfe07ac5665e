"""Who looks at a page in a browser test, and the service that is looked at; see ``tests/browser/conftest.py``."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from playwright.async_api import ConsoleMessage, Page, expect

from portal.demo import province
from tests.builders.certificates import Pki

WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 375, "height": 740}
AXE = Path(__file__).parents[2] / "portal/ui/node_modules/axe-core/axe.min.js"
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class Service(NamedTuple):
    """A running service and how to get in."""

    url: str
    cookies: dict[str, str]
    outside: Pki

    def cookie_of(self, login: str) -> str:
        """Log in once per account: logins are counted, browsers are not."""
        if login not in self.cookies:
            body = {"login": login, "password": province.PASSWORD}
            answer = httpx2.post(f"{self.url}/api/sessions", json=body)
            self.cookies[login] = answer.raise_for_status().json()["token"]
        return self.cookies[login]


class Visitor(NamedTuple):
    """A page that somebody looks at, and what went wrong in it so far."""

    page: Page
    url: str
    problems: list[str]

    async def go(self, path: str) -> Page:
        """Open an address and wait until nothing is loading."""
        await self.page.goto(self.url + path)
        await self.settled()
        return self.page

    async def settled(self) -> None:
        """Wait until the page's code has come and its skeletons have gone."""
        await expect(self.page.locator("main")).to_be_visible()
        await expect(self.page.locator("main[aria-busy=true], main [aria-busy=true]")).to_have_count(0)

    async def findings(self) -> list[str]:
        """Run axe against WCAG 2.2 AA; give what is serious or critical."""
        found = await self.page.evaluate("standards => axe.run(document, { runOnly: standards })", _STANDARDS)
        return [
            f"{one['impact']} {one['id']} at {[node['target'] for node in one['nodes']][:3]}: {one['help']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
        ]

    async def overflow(self) -> int:
        """Tell by how many pixels the page is wider than the window."""
        width: int = await self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width


def order_of(service: Service, product_id: str, *, at_least_fen: int = 1) -> dict[str, Any]:
    """Have the handler order as many of a product as come to an amount, and return what became of it."""
    cookies = {"zhecai_session": service.cookie_of("handler")}
    with httpx2.Client(base_url=service.url, cookies=cookies) as client:
        offer = client.get(f"/api/products/{product_id}").json()["offers"][0]
        enough = -(-at_least_fen // offer["price_fen"])
        lines = client.get("/api/budget-lines").json()["items"]
        body = {
            "budget_line_id": max(lines, key=lambda line: line["available_fen"])["budget_line_id"],
            "region": "330203",
            "address": "档案路 8 号",
            "contact": "徐经办",
            "phone": "0574-88000000",
            "lines": [{"offer_id": offer["offer_id"], "quantity": enough, "price_fen": offer["price_fen"]}],
        }
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        answer: dict[str, Any] = client.post("/api/orders", json=body, headers=headers).raise_for_status().json()
        return answer


def ask_for_approval(service: Service) -> str:
    """Have the handler order something that needs an approver, and return the request's id."""
    found = httpx2.get(f"{service.url}/api/products", params={"q": "计算机", "limit": 1}).json()["items"]
    (asked,) = order_of(service, found[0]["product_id"], at_least_fen=province.APPROVAL_FROM)["requests"]
    return str(asked["request_id"])


def note(visitor: Visitor, message: ConsoleMessage) -> None:
    """Keep what the page logs as wrong."""
    if message.type in {"error", "warning"}:
        visitor.problems.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


Visit = Callable[..., Awaitable[Visitor]]


async def enrol_certificate(page: Page) -> None:
    """Get a certificate on its page; the key stays in this browser."""
    await page.get_by_role("button", name="办理证书").click()
    dialog = page.get_by_role("dialog", name="办理证书")
    await expect(dialog).to_contain_text("不可导出")
    await dialog.get_by_role("button", name="生成私钥并办理").click()
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("table")).to_contain_text("在本浏览器")
