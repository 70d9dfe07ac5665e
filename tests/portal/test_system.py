"""What the service says of itself."""

import re
from typing import Any

import httpx2 as httpx
import pytest

from kernel.clock import ManualClock, SystemClock
from kernel.engines.locate import redis_program
from kernel.engines.valkey import ValkeyServer
from kernel.problems import PROBLEMS, Problem
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from kernel.web.edge import Failed
from portal.app import VERSION, create_app, load_actor
from tests.builders.database_proxy import DatabaseProxy
from tests.conftest import NOON, KernelMaker

KNOWN: tuple[type[Problem], ...] = (*PROBLEMS, Failed)


def a_client(kernel: Kernel) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(kernel)), base_url="http://test")


async def test_it_says_its_version_its_time_and_whether_it_is_a_demonstration(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/system")).json() == {"version": VERSION, "now": "2026-11-23T01:00:00Z", "demo": True}


async def test_it_is_alive_and_ready_while_its_engines_answer(make_kernel: KernelMaker) -> None:
    async with a_client(await make_kernel(SystemClock())) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"ready": True, "faults": {}})


async def test_it_is_alive_but_not_ready_while_an_engine_is_away_or_its_clock_is_wrong(
    kernel: Kernel, tmp_path: Any
) -> None:
    with ValkeyServer(redis_program(), tmp_path / "valkey") as valkey:
        async with (
            DatabaseProxy(kernel.db.dsn) as proxy,
            open_kernel(
                Settings(), ManualClock(NOON), database_url=proxy.url, redis_url=valkey.url, load_actor=load_actor
            ) as far,
            a_client(far) as client,
        ):
            assert (await client.get("/readyz")).status_code == 200
            await far.skew.measure()  # this clock stands still at another time
            proxy.go_down()
            valkey.stop()
            answer = await client.get("/readyz")
            assert (await client.get("/healthz")).status_code == 200
            proxy.down = False
    assert answer.status_code == 503
    assert set(answer.json()["faults"]) == {"database", "redis", "clock"}


async def test_its_metrics_count_requests_by_route(client: httpx.AsyncClient) -> None:
    def counted(text: str) -> float:
        found = re.search(r'zhecai_http_requests_total{method="GET",route="/api/regions",status="200"} (\S+)', text)
        return float(found[1]) if found else 0.0

    before = counted((await client.get("/metrics")).text)
    await client.get("/api/regions")
    answer = await client.get("/metrics")

    assert counted(answer.text) == before + 1
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_each_problem_explains_itself(client: httpx.AsyncClient, language: str) -> None:
    for problem in KNOWN:
        answer = await client.get(f"/problems/{problem.code}", headers={"Accept-Language": language})
        assert answer.status_code == 200
        zh, en = problem.title
        assert answer.text.index(zh) < answer.text.index(en) if language == "zh" else answer.text.index(en) >= 0
        assert f"{problem.status} · {problem.code}" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_problem_that_does_not_exist_is_one(client: httpx.AsyncClient) -> None:
    answer = await client.get("/problems/%3Cscript%3E")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/orders", "GET, HEAD, POST"),
        ("DELETE", "/api/auctions", "GET, HEAD, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/api/openapi.json", "GET, HEAD"),
        ("POST", "/orders", "GET, HEAD"),
        ("PATCH", "/", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["type"] == "/problems/wrong-method"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/orders/x/y/z"])
async def test_an_unknown_address_of_the_api_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "text/html"})

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/", "/orders", "/icon.svg", "/gone.js", "/healthz", "/metrics", "/api/system", "/api/nothing"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["cross-origin-opener-policy"] == "same-origin", path


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/api/openapi.json")).json()
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


async def test_the_document_of_the_api_is_whole(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemas = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= set(schemas)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    schemes = document["components"]["securitySchemes"]
    assert {name for one in operations for need in one.get("security", ()) for name in need} <= set(schemes)


async def test_the_document_describes_every_parameter_of_every_address(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parameters = operation.get("parameters", [])
            in_path = {one["name"] for one in parameters if one["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path)), path
            assert all(one["required"] for one in parameters if one["in"] == "path")
            assert len({(one["in"], one["name"]) for one in parameters}) == len(parameters)
            assert (method == "get") <= ("requestBody" not in operation), path
            assert any(code.startswith("2") for code in operation["responses"]), path


async def test_what_an_operation_answers_to_nonsense_is_documented(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            address = re.sub(r"{\w+}", "nonsense", path)
            for content in (b"", b"{", b"{}", b" " * (1 << 21)):
                if method == "get" and content:
                    continue
                answer = await client.request(method, address, content=content or None)
                assert str(answer.status_code) in operation["responses"], f"{method} {path}: {answer.status_code}"
