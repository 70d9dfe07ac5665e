"""Typed routes: what goes in, what comes out, and what is said when something is wrong."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import httpx2 as httpx
import msgspec
import pytest
import structlog
from redis.asyncio import Redis
from starlette.applications import Starlette

from kernel.access.actors import Actor, Role
from kernel.access.rates import Rates
from kernel.access.table import Action
from kernel.clock import ManualClock
from kernel.db.database import Database
from kernel.problems import Refused
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from kernel.web import edge
from kernel.web.context import COOKIE, Context
from kernel.web.direct import Direct
from kernel.web.edge import HANDLERS, Edge
from kernel.web.headers import SECURITY_HEADERS
from kernel.web.routes import Answer, Download, op
from tests.builders.database_proxy import DatabaseProxy
from tests.builders.logs import captured
from tests.conftest import NOON, KernelMaker

HOW = {"tag": "test", "summary": "test"}
OPEN = Action.SYSTEM_READ


class In(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    parts: list[Annotated[int, msgspec.Meta(ge=0)]] = []


class Out(msgspec.Struct):
    said: Any


@op("POST", "/api/keyed", action=OPEN, status=201, **HOW)  # type: ignore[arg-type]
async def keyed(ctx: Context, body: In) -> Out:
    assert ctx.key
    return Out({"name": body.name, "key": ctx.key.key, "owner": ctx.key.owner, "print": ctx.key.fingerprint.hex()})


@op("PUT", "/api/secret/{place}", action=OPEN, **HOW)  # type: ignore[arg-type]
async def secret(ctx: Context, place: int, body: In) -> Out:
    by = ctx.by_telling(["parts", place, body.parts])  # the name is what nobody may guess
    assert by.key
    same = msgspec.structs.replace(by, key=None) == msgspec.structs.replace(ctx.by, key=None)
    return Out({"by": same, "print": by.key.fingerprint.hex()})


@op("POST", "/api/keyless", action=OPEN, keyless=True, body_bytes_max=2_000, **HOW)  # type: ignore[arg-type]
async def keyless(ctx: Context, body: In) -> Out:
    return Out([body.name, ctx.key, ctx.received_at, ctx.origin])


@op("GET", "/api/things/{number}", action=OPEN, **HOW)  # type: ignore[arg-type]
async def things(_ctx: Context, number: int, wanted: UUID, limit: int = 20, q: str = "", *, flag: bool = False) -> Out:
    return Out([number, wanted, limit, q, flag])


@op("GET", "/api/fails", action=OPEN, **HOW)  # type: ignore[arg-type]
async def fails(_ctx: Context) -> Out:
    raise RuntimeError("the password is hunter2")


@op("GET", "/api/refuses", action=OPEN, **HOW)  # type: ignore[arg-type]
async def refuses(_ctx: Context) -> Out:
    raise Refused("不行", "no", reason="because", headers={"Retry-After": "9"}, available_fen=5)


@op("GET", "/api/file", action=OPEN, **HOW)  # type: ignore[arg-type]
async def file(_ctx: Context) -> Download:
    return Download(b"a,b", "text/csv", '订单 "1".csv')


@op("GET", "/api/cookie", action=OPEN, **HOW)  # type: ignore[arg-type]
async def cookie(_ctx: Context) -> Out:
    return Answer(Out(1), {"Set-Cookie": "a=b"})  # type: ignore[return-value]


@op("GET", "/api/data", action=OPEN, **HOW)  # type: ignore[arg-type]
async def data(ctx: Context) -> Out:
    async with ctx.kernel.db.read() as tx:
        return Out((await tx.exec_driver_sql("select 1")).scalar_one())


@op("POST", "/api/buy", action=Action.ORDER_PLACE, keyless=True, **HOW)  # type: ignore[arg-type]
async def buy(ctx: Context) -> Out:
    return Out(ctx.actor.login)


ROUTES = [keyed, secret, keyless, things, fails, refuses, file, cookie, data, buy]
ROLES = {UUID(int=1): Role.PURCHASER, UUID(int=2): Role.SUPPLIER}


async def somebody(_: Database, user_id: UUID) -> Actor | None:
    return Actor(user_id, f"user{user_id.int}", "某人", None, "", "", (ROLES[user_id],))


def an_app(kernel: Kernel) -> Edge:
    app = Starlette(routes=ROUTES, exception_handlers=HANDLERS)
    app.state.kernel = kernel
    return Edge(Direct(app, ROUTES) if WAY["direct"] else app, clock=kernel.clock)


WAY = {"direct": True}


@pytest.fixture(autouse=True, params=[True, False], ids=["the short way", "the long way"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way a request takes, the answer is the same."""
    monkeypatch.setitem(WAY, "direct", request.param)


@pytest.fixture
async def kernel(make_kernel: KernelMaker) -> Kernel:
    return await make_kernel(actors=somebody, body_bytes_max=1_024)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is logged, whatever a test before this one has set up for the whole process."""
    structlog.reset_defaults()
    monkeypatch.setattr(edge, "log", structlog.get_logger())
    with captured() as found:
        yield found


@pytest.fixture
async def bare() -> Kernel:
    """What is needed while nobody is logged in and nothing is stored: it opens in no time."""
    settings, clock = Settings(body_bytes_max=1_024), ManualClock(NOON)
    found: Any = SimpleNamespace(settings=settings, clock=clock, rates=Rates(Redis(), clock, settings))
    return found


@pytest.fixture
async def client(bare: Kernel) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=an_app(bare), client=("192.0.2.7", 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["type"], document["status"]) == (f"/problems/{code}", status)
    assert document["title"]
    assert document["detail"]
    assert UUID(document["instance"].removeprefix("urn:uuid:")).version == 7
    return document


# What goes in.

WANTED = "00000000-0000-0000-0000-000000000007"


async def test_parameters_come_as_the_types_that_the_signature_says(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/api/things/5?wanted={WANTED}&limit=3&q=%E9%87%87&flag=true")

    assert answer.json() == {"said": [5, WANTED, 3, "采", True]}


@pytest.mark.parametrize("query", ["", "&limit=&q=&flag="])
async def test_an_absent_or_empty_parameter_is_its_default(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/api/things/5?wanted={WANTED}{query}")).json()["said"][2:] == [20, "", False]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "wanted"),
        ("?wanted=", "wanted"),
        ("?wanted=7", "wanted"),
        (f"?wanted={WANTED}&limit=x", "limit"),
        (f"?wanted={WANTED}&limit=9223372036854775808", "limit"),
        (f"?wanted={WANTED}&limit=-9223372036854775809", "limit"),
        (f"?wanted={WANTED}&flag=perhaps", "flag"),
        (f"?wanted={WANTED}&q=a%00b", "q"),
    ],
)
async def test_a_parameter_that_is_missing_or_wrong_is_named(client: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await client.get(f"/api/things/5{query}", headers={"Accept-Language": "en"})

    document = problem_of(answer, 422, "invalid")
    assert document["field"] == field
    assert field in document["detail"]


@pytest.mark.parametrize("limit", [2**63 - 1, -(2**63)])
async def test_a_number_that_a_column_can_hold_is_taken(client: httpx.AsyncClient, limit: int) -> None:
    assert (await client.get(f"/api/things/5?wanted={WANTED}&limit={limit}")).json()["said"][2] == limit


async def test_an_address_with_a_word_for_a_number_is_nowhere(client: httpx.AsyncClient) -> None:
    problem_of(await client.get(f"/api/things/five?wanted={WANTED}"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "body"),
        (b'{"name": 5}', "name"),
        (b'{"name": ""}', "name"),
        (b'{"name": "abcdef"}', "name"),
        (b'{"name": "a", "parts": [1, -1]}', "parts[1]"),
        (b'{"name": "a", "other": 1}', "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"name": "a\\u0000"}', "body"),
    ],
)
async def test_a_field_that_is_wrong_is_named(client: httpx.AsyncClient, body: bytes, field: str) -> None:
    document = problem_of(await client.post("/api/keyless", content=body), 422, "invalid")

    assert document["field"] == field


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": "a"', b"name=a", b'{"name": "\xff"}', b'{"name": "\\ud800"}'])
async def test_what_is_no_json_is_unreadable(client: httpx.AsyncClient, body: bytes) -> None:
    problem_of(await client.post("/api/keyless", content=body), 400, "unreadable")


async def chunks(size: int) -> AsyncIterator[bytes]:
    yield b'{"name": "a"}'
    for _ in range(size - 13):
        yield b" "


@pytest.mark.parametrize(("path", "limit"), [("/api/keyed", 1_024), ("/api/keyless", 2_000)])
async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(
    client: httpx.AsyncClient, path: str, limit: int
) -> None:
    key = {"Idempotency-Key": "k"}
    fitting = b'{"name": "a"}'.ljust(limit)

    assert (await client.post(path, content=fitting, headers=key)).is_success
    assert (await client.post(path, content=chunks(limit), headers=key)).is_success
    problem_of(await client.post(path, content=fitting + b" ", headers=key), 413, "too-large")
    problem_of(await client.post(path, content=chunks(limit + 1), headers=key), 413, "too-large")


@pytest.mark.parametrize("key", [None, "", "k" * 101])
async def test_a_write_without_a_usable_key_is_refused(client: httpx.AsyncClient, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}

    document = problem_of(await client.post("/api/keyed", content=b'{"name": "a"}', headers=headers), 422, "invalid")

    assert document["field"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["k", "k" * 100])
async def test_a_key_belongs_to_its_caller_and_to_what_was_asked(client: httpx.AsyncClient, key: str) -> None:
    body = b'{"name": "a"}'
    said = (await client.post("/api/keyed", content=body, headers={"Idempotency-Key": key})).json()["said"]

    assert (said["key"], said["owner"]) == (key, "public")
    assert said["print"] == hashlib.sha256(b"POST /api/keyed\n" + body).hexdigest()


async def test_what_is_kept_of_a_secret_body_is_what_was_told_and_says_nothing_of_the_secret(
    client: httpx.AsyncClient,
) -> None:
    async def said(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.put(path, json=body, headers={"Idempotency-Key": "k-1"})
        return dict(answer.json()["said"])

    first = await said("/api/secret/1", name="a", parts=[1])

    told = b'PUT /api/secret/1\n["parts",1,[1]]'
    assert first == {"by": True, "print": hashlib.sha256(told).hexdigest()}
    assert await said("/api/secret/1", name="b", parts=[1]) == first
    assert await said("/api/secret/1", name="a", parts=[2]) != first
    assert await said("/api/secret/2", name="a", parts=[1]) != first


async def test_an_endpoint_knows_when_and_from_where_it_was_asked(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/keyless", content=b'{"name": "a"}')

    assert answer.json()["said"] == ["a", None, "2026-11-23T01:00:00Z", "192.0.2.7"]


# What comes out.


async def test_a_file_is_saved_under_its_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/file")

    assert answer.content == b"a,b"
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%E8%AE%A2%E5%8D%95%20%221%22.csv"


async def test_an_answer_may_carry_headers_of_its_own(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/cookie")).headers["set-cookie"] == "a=b"


async def test_a_refusal_carries_its_members_and_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/refuses")

    document = problem_of(answer, 409, "refused")
    assert (document["reason"], document["available_fen"], document["detail"]) == ("because", 5, "不行")
    assert answer.headers["retry-after"] == "9"


@pytest.mark.parametrize(
    ("accepted", "detail"),
    [
        (None, "不行"),
        ("", "不行"),
        ("en", "no"),
        ("EN-us", "no"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "不行"),
        ("en-GB,en;q=0.9,zh;q=0.8", "no"),
        ("zh;q=0.2, en;q=0.7", "no"),
        ("de, en;q=0.5", "no"),
        ("de", "不行"),
        ("zh, en", "不行"),
        ("en;q=x", "no"),
        ("en;q=0", "不行"),
        ("english", "不行"),
        (",;,;q=,", "不行"),
    ],
)
async def test_the_language_is_the_one_that_is_preferred(
    client: httpx.AsyncClient, accepted: str | None, detail: str
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}

    assert (await client.get("/api/refuses", headers=headers)).json()["detail"] == detail


async def test_a_bug_is_a_plain_problem_whose_number_finds_it_in_the_log(
    client: httpx.AsyncClient, logs: list[Any]
) -> None:
    answer = await client.get("/api/fails", headers={"Accept-Language": "en"})

    document = problem_of(answer, 500, "failed")
    number = document["instance"].removeprefix("urn:uuid:")
    assert number in document["detail"]
    assert "hunter2" not in answer.text
    assert [line["event"] for line in logs if str(line["request_id"]) == number] == ["request.failed", "request"]


async def test_a_database_that_is_away_is_a_503_and_the_next_request_after_it_works(
    kernel: Kernel, redis_url: str
) -> None:

    async with (
        DatabaseProxy(kernel.db.dsn) as proxy,
        open_kernel(
            kernel.settings, kernel.clock, database_url=proxy.url, redis_url=redis_url, load_actor=somebody
        ) as far,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=an_app(far)), base_url="http://test") as client,
    ):
        assert (await client.get("/api/data")).json() == {"said": 1}
        proxy.go_down()
        for headers in ({}, {"Authorization": "Bearer x"}):
            answer = await client.get("/api/data", headers=headers)
            problem_of(answer, 503, "unavailable")
            assert answer.headers["retry-after"]
        proxy.down = False
        assert (await client.get("/api/data")).json() == {"said": 1}


async def test_whoever_hangs_up_in_the_middle_of_a_request_is_no_failure_of_ours(bare: Kernel, logs: list[Any]) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/keyless",
        "headers": [],
        "query_string": b"",
        "client": None,
        "server": ("test", 80),
    }
    await an_app(bare)(scope, receive, send)

    assert sent[0]["status"] == 499
    (line,) = logs
    assert (line["event"], line["status"], line["origin"]) == ("request", 499, "local")


async def test_each_request_is_one_line_in_the_log_without_its_query(
    client: httpx.AsyncClient, logs: list[Any]
) -> None:
    await client.get("/api/things/5?wanted=secret")

    (line,) = logs
    assert (line["event"], line["method"], line["path"], line["route"], line["status"], line["origin"]) == (
        "request",
        "GET",
        "/api/things/5",
        "/api/things/{number}",
        422,
        "192.0.2.7",
    )
    assert "secret" not in str(line)


@pytest.mark.parametrize("path", ["/api/refuses", "/api/fails", "/api/cookie", "/elsewhere"])
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    for name, value in SECURITY_HEADERS:
        assert answer.headers[name.decode()] == value.decode()
    assert answer.headers.get("cache-control") == ("no-store" if path.startswith("/api/") else None)


# Who asks.


async def log_in(kernel: Kernel, user_id: int = 1) -> str:
    token, _ = await kernel.sessions.open(UUID(int=user_id), origin="test", user_agent="test")
    return token


@pytest.fixture
async def visitor(kernel: Kernel) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that knows its users."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=an_app(kernel)), base_url="http://test") as found:
        yield found


async def test_a_role_is_let_in_by_bearer_or_cookie_and_others_are_told_why_not(
    kernel: Kernel, visitor: httpx.AsyncClient
) -> None:
    client = visitor
    purchaser, supplier = await log_in(kernel), await log_in(kernel, 2)

    assert (await client.post("/api/buy", headers={"Authorization": f"bearer {purchaser}"})).json() == {"said": "user1"}
    assert (await client.post("/api/buy", headers={"Cookie": f"{COOKIE}={purchaser}"})).json() == {"said": "user1"}
    problem_of(await client.post("/api/buy"), 401, "unauthenticated")
    problem_of(await client.post("/api/buy", headers={"Authorization": "Bearer nonsense"}), 401, "unauthenticated")
    document = problem_of(
        await client.post("/api/buy", headers={"Authorization": f"Bearer {supplier}"}), 403, "forbidden"
    )
    assert document["action"] == "order.place"


FROM: dict[int, tuple[dict[str, str], ...]] = {
    200: (
        {},
        {"Origin": "http://test"},
        {"Origin": "https://test"},  # a proxy that ends TLS in front of us
        {"Origin": "https://market.example"},
    ),
    403: (
        {"Origin": "https://evil.example"},
        {"Origin": "http://test.evil.example"},
        {"Origin": "http://test:81"},
        {"Origin": "null"},
        {"Origin": "https://evil.example", "Authorization": "Basic dXNlcjpwYXNz"},
    ),
}


async def test_a_cookie_that_another_site_makes_a_browser_send_is_refused(make_kernel: KernelMaker) -> None:
    kernel = await make_kernel(actors=somebody, public_url="https://market.example")
    cookie = {"Cookie": f"{COOKIE}={await log_in(kernel)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=an_app(kernel)), base_url="http://test") as client:
        for status, cases in FROM.items():
            for headers in cases:
                answer = await client.post("/api/buy", headers=headers | cookie)
                assert answer.status_code == status, headers
                assert status == 200 or answer.json()["reason"] == "cross-site"
                assert (await client.get("/api/cookie", headers=headers | cookie)).status_code == 200  # only reads


async def test_a_bearer_token_needs_no_origin_and_a_login_from_another_site_is_refused(
    kernel: Kernel, visitor: httpx.AsyncClient
) -> None:
    client = visitor
    evil = {"Origin": "https://evil.example"}
    token = await log_in(kernel)

    assert (await client.post("/api/buy", headers={**evil, "Authorization": f"Bearer {token}"})).status_code == 200
    problem_of(await client.post("/api/keyless", content=b'{"name": "a"}', headers=evil), 403, "forbidden")
