"""Pictures over HTTP: who may send them in, how they are shown, and whose they are on a product."""

import asyncio
import hashlib
import itertools
from typing import Any
from uuid import UUID

import httpx2
import pytest

from kernel.access.actors import Actor, Role
from kernel.pictures import BYTES_MAX
from kernel.runtime import Kernel
from registries.organisations.rules import Kind
from tests.builders.catalog import Market, a_market, an_offer_of
from tests.builders.pictures import a_picture
from tests.builders.registries import a_user, register

_keys = itertools.count()


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
