"""
What the API document promises, asked of the service with generated requests, as each role, owner and stranger.

The same requests go out as everybody: no answer is a failure of ours, and every status is one that the route documents.
``ZHECAI_TEST_FUZZ`` says how many requests of each kind are made for a route (default 2; a night bears 100).
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from kernel.access.actors import Role
from kernel.access.assurance import Assurance
from kernel.access.table import ACCESS
from kernel.runtime import Kernel
from kernel.settings import NAMES
from kernel.web.routes import TypedRoute
from portal.app import API, api_document
from tests.architecture.test_strangers import Stage, stage
from tests.conftest import KernelMaker

__all__ = ["stage"]

EXAMPLES: Final = int(os.environ.get("ZHECAI_TEST_FUZZ", "2"))
SEED: Final = 20261125
AT_ONCE: Final = 8

PERMITTED: Final = {
    (route.operation.method, route.operation.path): ACCESS[route.operation.action]
    for route in API
    if isinstance(route, TypedRoute)
}

Request = dict[str, Any]


@pytest.fixture
async def kernel(make_kernel: KernelMaker) -> Kernel:
    """A kernel with budgets that nobody here can spend: a service that says "too many" shows nothing else."""
    return await make_kernel(**dict.fromkeys((name for name in NAMES if name.endswith("_per_min")), 10**9))


class Person(NamedTuple):
    """Somebody who asks, by one role."""

    role: Role
    user_id: UUID | None


def generated(operation: Any, mode: GenerationMode) -> Iterator[Request]:
    """Make requests for a route: such as its document allows, or such as it does not."""
    made: list[Request] = []

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def make(case: Any) -> None:
        how = case.as_transport_kwargs(base_url="http://test")
        headers = {name: value for name, value in (how.get("headers") or {}).items() if _sendable(name, value)}
        made.append({**{name: how[name] for name in ("method", "url", "params") if name in how}, "headers": headers})
        for name in ("json", "data"):
            if how.get(name) is not None:
                made[-1]["json" if name == "json" else "content"] = how[name]

    try:
        make()
    except Unsatisfiable:  # nothing about this route can be wrong
        assert mode is GenerationMode.NEGATIVE
    yield from made


def _sendable(name: str, value: Any) -> bool:
    """Who asks is ours to say, and some generated headers no client can send."""
    return name.lower() not in {"authorization", "cookie"} and str(value).isascii() and str(value).isprintable()


def aimed(operation: Any, request: Request, objects: Mapping[str, str]) -> Request:
    """Aim a request at an object that exists: most generated names lead nowhere."""
    path = re.sub(r"{(\w+)}", lambda name: objects.get(name[1], name[0]), operation.path)
    return request | {"url": f"http://test{path}"}


async def people_of(stage: Stage, kernel: Kernel) -> list[Person]:
    """Everybody: the public, a stranger of each role, and for each role somebody who holds an object."""
    found: list[Person] = [Person(Role.PUBLIC, None)]
    known = [stage.strangers, *stage.holders.values()]
    for role, headers in [pair for one in known for pair in one.items() if pair[1]]:
        session = await kernel.sessions.find(headers["Authorization"].removeprefix("Bearer "))
        assert session
        person = Person(role, session.actor.user_id)
        if person not in found:
            found.append(person)
    return found


@pytest.mark.timeout(600 if EXAMPLES > 2 else 240)
async def test_no_generated_request_breaks_the_service_or_its_promises(stage: Stage, kernel: Kernel) -> None:
    await kernel.trust.create_trial()  # a site that has no authority says so with 503
    schema = schemathesis.openapi.from_dict(api_document())
    people = await people_of(stage, kernel)
    wrong: set[str] = set()
    asked = 0

    async def ask(operation: Any, request: Request, person: Person) -> None:
        headers = dict(request["headers"])
        if person.user_id is not None:
            token, _ = await kernel.sessions.open(
                person.user_id, origin="test", user_agent="fuzz", level=Assurance.CERTIFICATE
            )
            headers["Authorization"] = f"Bearer {token}"
        answer = await stage.client.request(**(request | {"headers": headers}))
        documented = operation.definition.raw["responses"]
        if answer.status_code >= 500 or str(answer.status_code) not in documented:
            body = str(request.get("json", request.get("content", "")))[:200]
            wrong.add(
                f"{operation.label} as {person.role}: {answer.status_code} {answer.text[:300]}"
                f" to {request['url']} {request.get('params')} {body}"
            )

    for found in schema.get_all_operations():
        operation = found.ok()
        requests = [*generated(operation, GenerationMode.POSITIVE), *generated(operation, GenerationMode.NEGATIVE)]
        if "{" in operation.path:
            requests = [aimed(operation, request, stage.objects) for request in requests[:EXAMPLES]] + requests
        permitted = PERMITTED[operation.method.upper(), operation.path]
        calls = [
            (operation, request, person)
            for person in people
            for request in (requests if person.role in permitted else requests[:1])
        ]
        asked += len(calls)
        await _together(ask, calls)

    assert sorted(wrong) == []
    assert asked > 100 * len(people)


async def _together(ask: Callable[..., Awaitable[None]], calls: list[tuple[Any, ...]]) -> None:
    """Send some at once: a service is never asked by one alone."""
    for start in range(0, len(calls), AT_ONCE):
        await asyncio.gather(*(ask(*call) for call in calls[start : start + AT_ONCE]))
