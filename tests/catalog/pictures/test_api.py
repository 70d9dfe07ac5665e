"""Pictures over HTTP: who may send them in, how they are shown, and whose they are on a product."""

import asyncio
import hashlib
import itertools
from typing import Any
from uuid import UUID

import httpx2
import pytest

from catalog.products import service as products
from kernel.access.actors import Actor, Role
from kernel.pictures import BYTES_MAX
from kernel.problems import NotFound
from kernel.runtime import Kernel
from registries.organisations.rules import Kind
from tests.builders.admin import act
from tests.builders.catalog import Market, a_market, an_offer_of, some_details
from tests.builders.pictures import a_picture
from tests.builders.registries import OPERATOR, a_user, register

_keys = itertools.count()
AT_ONCE = 12


class Person:
    """Somebody with an account."""

    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    async def send_in(self, content: bytes, *, key: str = "") -> httpx2.Response:
        headers = {**self.headers, "Idempotency-Key": key or f"key-{next(_keys)}", "Content-Type": "image/jpeg"}
        return await self.client.post("/api/pictures", content=content, headers=headers)

    async def picture(self, number: int = 1) -> str:
        answer = await self.send_in(a_picture(number=number))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["digest"])

    async def album(self, product_id: UUID) -> Any:
        answer = await self.client.get(f"/api/products/{product_id}/pictures", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def show(self, product_id: UUID, pictures: list[str], revision: int, key: str = "") -> httpx2.Response:
        headers = {**self.headers, "Idempotency-Key": key or f"key-{next(_keys)}"}
        body = {"revision": revision, "pictures": pictures}
        return await self.client.put(f"/api/products/{product_id}/pictures", json=body, headers=headers)


class Fair:
    """A product offered by the first supplier; the second offers nothing yet."""

    def __init__(self, market: Market, people: list[Person]) -> None:
        self.market, self.product_id = market, market.product_id
        self.seller, self.other, self.operator, self.buyer = people


@pytest.fixture
async def fair(kernel: Kernel, client: httpx2.AsyncClient) -> Fair:
    market = await a_market(kernel)
    await an_offer_of(kernel, market)
    operator, buyer = await register(kernel, 201, Kind.OPERATOR), await register(kernel, 202, Kind.PURCHASER)
    actors = [
        await a_user(kernel, "seller", market.suppliers[0]),
        await a_user(kernel, "other", market.suppliers[1]),
        await a_user(kernel, "operator", operator, Role.OPERATOR),
        await a_user(kernel, "buyer", buyer, Role.PURCHASER),
    ]
    return Fair(market, [Person(client, await token_of(kernel, actor)) for actor in actors])


async def token_of(kernel: Kernel, actor: Actor) -> str:
    assert actor.user_id
    token, _ = await kernel.sessions.open(actor.user_id, origin="test", user_agent="test")
    return token


async def test_a_picture_that_was_sent_in_is_seen_by_everybody_under_its_digest(
    fair: Fair, client: httpx2.AsyncClient
) -> None:
    digest = await fair.seller.picture()

    seen = await client.get(f"/api/pictures/{digest}")
    thumbnail = await client.get(f"/api/pictures/{digest}/thumbnail")

    assert hashlib.sha256(seen.content).hexdigest() == digest
    assert len(thumbnail.content) < len(seen.content)
    for answer in (seen, thumbnail):
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["", "/thumbnail"])
async def test_whoever_has_a_picture_is_not_sent_it_again(fair: Fair, client: httpx2.AsyncClient, path: str) -> None:
    address = f"/api/pictures/{await fair.seller.picture()}{path}"
    etag = (await client.get(address)).headers["etag"]

    for known in (etag, f"W/{etag}", f'"x", {etag}'):
        again = await client.get(address, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await client.get(address, headers={"If-None-Match": '"x"'})).status_code == 200


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 63, "A" * 64, "..%2F..%2Fetc%2Fpasswd"])
async def test_what_is_no_picture_is_not_there(client: httpx2.AsyncClient, digest: str) -> None:
    assert (await client.get(f"/api/pictures/{digest}")).status_code == 404
    assert (await client.get(f"/api/pictures/{digest}/thumbnail")).status_code == 404


async def test_what_the_store_holds_but_was_not_entered_as_a_picture_is_not_given_out(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    digest = await kernel.blobs.put(b"something sealed")

    assert (await client.get(f"/api/pictures/{digest}")).status_code == 404


async def test_a_picture_whose_file_was_tampered_with_is_not_shown(
    fair: Fair, kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    digest = await fair.seller.picture()
    place = kernel.blobs.place_of(digest)
    place.chmod(0o644)
    content = place.read_bytes()
    place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    assert (await client.get(f"/api/pictures/{digest}")).status_code == 404
    place.unlink()
    assert (await client.get(f"/api/pictures/{digest}")).status_code == 404


async def test_the_same_picture_sent_in_at_once_and_again_is_one_entry(fair: Fair, kernel: Kernel) -> None:
    content = a_picture(number=7)

    answers = await asyncio.gather(*(fair.seller.send_in(content) for _ in range(6)))
    answers += [await fair.seller.send_in(content, key="k"), await fair.seller.send_in(content, key="k")]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["digest"] for answer in answers}) == 1
    assert await kernel.db.pool.fetchval("select count(*) from journal where kind = 'picture.stored'") == 1


@pytest.mark.parametrize("language", [0, 1])
@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 422, "picture-empty"),
        (b"<svg/>", 422, "not-a-picture"),
        (a_picture(size=(20, 20)), 422, "picture-too-small"),
        (b"x" * (BYTES_MAX + 1), 413, None),
    ],
)
async def test_what_is_not_taken_is_refused_with_what_to_do(
    fair: Fair, content: bytes, status: int, reason: str | None, language: int
) -> None:
    fair.seller.headers["Accept-Language"] = ("zh", "en")[language]

    answer = await fair.seller.send_in(content)

    assert answer.status_code == status
    assert answer.json().get("reason") == reason
    assert answer.json()["detail"].isascii() == bool(language)


async def test_who_may_not_send_pictures_in_is_told_before_they_are_read(
    fair: Fair, client: httpx2.AsyncClient
) -> None:
    assert (await fair.buyer.send_in(b"x" * (BYTES_MAX + 1))).status_code == 403
    assert (await client.post("/api/pictures", content=b"x" * (BYTES_MAX + 1))).status_code == 401


async def test_a_supplier_shows_its_product_by_pictures(fair: Fair, client: httpx2.AsyncClient) -> None:
    first, second = await fair.seller.picture(1), await fair.seller.picture(2)

    answer = await fair.seller.show(fair.product_id, [second, first], 1, "k")

    assert answer.json() == {"product_id": str(fair.product_id), "revision": 2}
    assert (await fair.seller.show(fair.product_id, [second, first], 1, "k")).json() == answer.json()
    detail = (await client.get(f"/api/products/{fair.product_id}")).json()
    (row,) = (await client.get("/api/products")).json()["items"]
    album = await fair.seller.album(fair.product_id)
    assert (detail["pictures"], detail["revision"], row["picture"]) == ([second, first], 2, second)
    assert [(one["digest"], one["own"], one["width"]) for one in album["pictures"]] == [
        (second, True, 800),
        (first, True, 800),
    ]
    assert (album["right"], album["revision"], album["pictures_max"]) == ("illustrate", 2, 10)


async def test_a_supplier_that_does_not_offer_the_product_may_not_touch_its_pictures(fair: Fair) -> None:
    digest = await fair.other.picture()

    assert (await fair.other.album(fair.product_id))["right"] is None
    refused = await fair.other.show(fair.product_id, [digest], 1)

    assert refused.status_code == 404


async def test_a_supplier_takes_away_its_own_pictures_alone(kernel: Kernel, fair: Fair) -> None:
    await an_offer_of(kernel, fair.market, supplier=1)
    mine, theirs = await fair.seller.picture(1), await fair.other.picture(2)
    await fair.seller.show(fair.product_id, [mine], 1)

    added = await fair.other.show(fair.product_id, [mine, theirs], 2)
    taken = await fair.other.show(fair.product_id, [theirs], 3)
    back = await fair.other.show(fair.product_id, [mine], 3)

    assert (added.status_code, back.status_code) == (200, 200)
    assert (taken.status_code, taken.json()["reason"]) == (409, "picture-of-others")


async def test_the_operator_takes_a_picture_down_with_a_reason_that_stays(fair: Fair, kernel: Kernel) -> None:
    digest = await fair.seller.picture()
    await fair.seller.show(fair.product_id, [digest], 1)
    album = await fair.operator.album(fair.product_id)
    path, body = f"/api/products/{fair.product_id}/pictures/take-down", {"picture": digest, "reason": "与商品不符"}

    refused = await fair.seller.client.post(path, json=body, headers={**fair.seller.headers, "Idempotency-Key": "k"})
    headers = {**fair.operator.headers, "Idempotency-Key": "k"}
    first, again = [await fair.operator.client.post(path, json=body, headers=headers) for _ in range(2)]

    assert (album["right"], [one["own"] for one in album["pictures"]]) == ("take-down", [False])
    assert refused.status_code == 403
    assert (first.status_code, first.json()) == (200, again.json())
    assert (await fair.seller.album(fair.product_id))["pictures"] == []
    body_kept = await kernel.db.pool.fetchval("select body from journal where kind = 'product.picture-taken-down'")
    assert "与商品不符" in bytes(body_kept).decode()


async def take_down(fair: Fair, product_id: UUID, digest: str, extent: str) -> httpx2.Response:
    body = {"picture": digest, "reason": "侵权", "extent": extent}
    headers = {**fair.operator.headers, "Idempotency-Key": f"key-{next(_keys)}"}
    return await fair.operator.client.post(f"/api/products/{product_id}/pictures/take-down", json=body, headers=headers)


async def seen(fair: Fair, digest: str) -> list[int]:
    """How the addresses of a picture answer somebody, one who has it already, and the thumbnail's."""
    client, known = fair.buyer.client, {"If-None-Match": f'"{digest}"'}
    return [
        (await client.get(f"/api/pictures/{digest}")).status_code,
        (await client.get(f"/api/pictures/{digest}", headers=known)).status_code,
        (await client.get(f"/api/pictures/{digest}/thumbnail")).status_code,
    ]


async def test_what_is_taken_down_from_one_product_is_still_there_for_orders_and_other_products(fair: Fair) -> None:
    digest = await fair.seller.picture()
    await fair.seller.show(fair.product_id, [digest], 1)

    assert (await take_down(fair, fair.product_id, digest, "product")).status_code == 200
    assert await seen(fair, digest) == [200, 304, 200]
    assert (await fair.seller.show(fair.product_id, [digest], 3)).status_code == 200


async def test_what_is_taken_down_everywhere_nobody_gets_any_more(fair: Fair, kernel: Kernel) -> None:
    another = await products.create_product(kernel, OPERATOR, some_details(model="另一型号"))
    await an_offer_of(kernel, fair.market, product_id=another)
    digest, kept = await fair.seller.picture(1), await fair.seller.picture(2)
    assert await fair.other.picture(1) == digest
    await fair.seller.show(fair.product_id, [digest, kept], 1)
    await fair.seller.show(another, [kept, digest], 1)

    done = await take_down(fair, fair.product_id, digest, "everywhere")

    assert (done.status_code, done.json()["revision"]) == (200, 3)
    assert await seen(fair, digest) == [404, 404, 404]
    assert await seen(fair, kept) == [200, 304, 200]
    for product_id in (fair.product_id, another):
        assert (await fair.buyer.client.get(f"/api/products/{product_id}")).json()["pictures"] == [kept]
    for person in (fair.seller, fair.other):
        again = await person.send_in(a_picture(number=1))
        assert (again.status_code, again.json()["reason"]) == (422, "picture-withheld")
    shown = await fair.seller.show(fair.product_id, [kept, digest], 3)
    assert (shown.status_code, shown.json()["reason"]) == (409, "picture-unknown")
    assert (await take_down(fair, fair.product_id, digest, "everywhere")).status_code == 409


async def test_what_no_product_shows_any_more_can_still_be_withheld(fair: Fair, kernel: Kernel) -> None:
    digest = await fair.seller.picture(1)
    assert await fair.other.picture(1) == digest
    await fair.seller.show(fair.product_id, [digest], 1)
    await fair.seller.show(fair.product_id, [], 2)
    assert (await take_down(fair, fair.product_id, digest, "everywhere")).status_code == 409
    assert await seen(fair, digest) == [200, 304, 200]  # orders show it

    for _asked_again in range(2):
        await act(kernel, "withhold", digest, "--reason", "侵权")

    assert await seen(fair, digest) == [404, 404, 404]
    rows = await kernel.db.pool.fetch("select actor, body from journal where kind = 'picture.withheld'")
    assert [row["actor"] for row in rows] == ["system/admin"] * 2  # of each who had sent it in, once
    with pytest.raises(NotFound):
        await act(kernel, "withhold", "0" * 64, "--reason", "侵权")


async def test_a_picture_that_is_shown_anew_while_it_is_taken_down_everywhere_ends_on_no_product(
    fair: Fair, kernel: Kernel
) -> None:
    others = [await products.create_product(kernel, OPERATOR, some_details(model=f"型号{n}")) for n in range(AT_ONCE)]
    for product_id in others:
        await an_offer_of(kernel, fair.market, product_id=product_id)
    digest = await fair.seller.picture()
    await fair.seller.show(fair.product_id, [digest], 1)
    shown = [fair.seller.show(product_id, [digest], 1) for product_id in others]

    answers = await asyncio.gather(
        *shown[: AT_ONCE // 2], take_down(fair, fair.product_id, digest, "everywhere"), *shown[AT_ONCE // 2 :]
    )

    assert answers[AT_ONCE // 2].status_code == 200
    assert {answer.status_code for answer in answers} <= {200, 409}
    for product_id in others:
        assert (await fair.buyer.client.get(f"/api/products/{product_id}")).json()["pictures"] == []


async def test_another_file_that_is_the_same_picture_is_not_taken_either(fair: Fair) -> None:
    digest = await fair.seller.picture()
    await fair.seller.show(fair.product_id, [digest], 1)
    await take_down(fair, fair.product_id, digest, "everywhere")

    answer = await fair.seller.send_in(a_picture(number=1) + b"\0")

    assert (answer.status_code, answer.json()["reason"]) == (422, "picture-withheld")


async def test_of_two_who_change_the_pictures_at_once_one_is_told(kernel: Kernel, fair: Fair) -> None:
    await an_offer_of(kernel, fair.market, supplier=1)
    first, second = await fair.seller.picture(1), await fair.other.picture(2)

    answers = await asyncio.gather(
        fair.seller.show(fair.product_id, [first], 1), fair.other.show(fair.product_id, [second], 1)
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert {answer.json().get("reason") for answer in answers} == {None, "product-changed-meanwhile"}


async def test_pictures_of_what_is_not_there_are_not_found(fair: Fair) -> None:
    answer = await fair.operator.client.get(f"/api/products/{UUID(int=7)}/pictures", headers=fair.operator.headers)

    assert answer.status_code == 404
    assert (await fair.seller.show(UUID(int=7), [], 1)).status_code == 404
