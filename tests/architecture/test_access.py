"""Every route names its action, and lets in exactly the roles that the access table says."""

import inspect
import re
from collections.abc import AsyncIterator
from pkgutil import resolve_name
from typing import Any, Final
from uuid import UUID

import httpx2
import pytest
from starlette.routing import BaseRoute, Route, WebSocketRoute

from kernel.access.actors import Actor, Role
from kernel.access.duties import faults_of
from kernel.access.table import ACCESS, CONDITIONS, TABLE, Action, Condition, Nature, Scope
from kernel.db.database import Database
from kernel.web.routes import Operation, TypedRoute
from portal.app import API, create_app

OPEN: Final = {
    "/healthz": "for load balancers",
    "/readyz": "for load balancers",
    "/metrics": "for the operator's collector; a proxy keeps it inside, see docs/production.md",
    "/problems/{code}": "what a problem document links to",
    "/checkpoint": "the transparency log is public (C2SP tlog-tiles)",
    "/tile/{path:path}": "the transparency log is public (C2SP tlog-tiles)",
    "/tile/entries/{path:path}": "the transparency log is public (C2SP tlog-tiles)",
}
"""Routes without an action, each with its reason."""

UNUSED: Final[dict[Action, str]] = {}
"""Actions that no route names, each with its reason."""

OPERATIONS: Final = [route.operation for route in API if isinstance(route, TypedRoute)]
ROLES: Final = {UUID(int=number): role for number, role in enumerate(Role, 1)}


def action_of(route: BaseRoute) -> Action | None:
    if isinstance(route, TypedRoute):
        return route.operation.action
    if isinstance(route, WebSocketRoute):
        action: Action = inspect.getclosurevars(route.endpoint).nonlocals["action"]
        return action
    return None


def test_a_route_names_its_action_or_is_known_to_be_open() -> None:
    nameless = {route.path for route in API if isinstance(route, Route) and action_of(route) is None}

    assert nameless == set(OPEN)


def test_every_action_is_named_by_a_route() -> None:
    assert set(Action) - {action_of(route) for route in API} == set(UNUSED)


def test_every_action_is_held_by_a_role() -> None:
    assert set(ACCESS) == set(Action)
    assert all(ACCESS.values())


def test_no_two_routes_answer_one_request() -> None:
    asked = [(operation.method, re.sub(r"{\w+}", "{}", operation.path)) for operation in OPERATIONS]

    assert len(set(asked)) == len(asked)


@pytest.fixture
async def people(make_kernel: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, dict[Role, dict[str, str]]]]:
    """A client of the application, and the headers with which it speaks as each role."""

    async def load(_: Database, user_id: UUID) -> Actor | None:
        return Actor(user_id, "somebody", "某人", UUID(int=99), "某单位", "330000", (ROLES[user_id],))

    kernel = await make_kernel(actors=load)
    headers: dict[Role, dict[str, str]] = {Role.PUBLIC: {}}
    for user_id, role in ROLES.items():
        if role is not Role.PUBLIC:
            token, _ = await kernel.sessions.open(user_id, origin="test", user_agent="test")
            headers[role] = {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client, headers


def path_of(operation: Operation) -> str:
    """An address of the route that leads to nothing."""
    return re.sub(r"{\w+}", str(UUID(int=7)), operation.path)


async def test_a_route_lets_in_the_roles_of_its_action_and_no_other(
    people: tuple[httpx2.AsyncClient, dict[Role, dict[str, str]]],
) -> None:
    client, headers = people
    wrong: list[str] = []
    for operation in sorted(OPERATIONS, key=lambda operation: operation.action is Action.SESSION_CLOSE):
        permitted = ACCESS[operation.action]
        for role, header in headers.items():
            answer = await client.request(
                operation.method,
                path_of(operation),
                headers={**header, "Idempotency-Key": f"as-{role}"},
                content=None if operation.method == "GET" else b"{}",
            )
            if role in permitted or Role.PUBLIC in permitted:
                good = answer.status_code < 500 and answer.status_code not in {401, 403}
            else:
                good = answer.status_code == (401 if role is Role.PUBLIC else 403)
            if not good:
                wrong.append(f"{operation.method} {operation.path} as {role}: {answer.status_code} {answer.text[:200]}")

    assert not wrong


NONSENSE: Final = (b"", b"{", b"[]", b"null", b'{"\xff": 1}', b'{"strange": 1}', b"[" * 100_000)


async def test_a_route_answers_nonsense_with_a_problem_that_says_what_to_do(
    people: tuple[httpx2.AsyncClient, dict[Role, dict[str, str]]],
) -> None:
    client, headers = people
    wrong: list[str] = []
    for operation in OPERATIONS:
        role = next(iter(ACCESS[operation.action] - {Role.PUBLIC}))
        for content in NONSENSE if operation.body is not None else ():
            answer = await client.request(
                operation.method,
                path_of(operation),
                headers={**headers[role], "Idempotency-Key": "k"},
                content=content,
            )
            problem = answer.headers.get("content-type") == "application/problem+json" and answer.json()["detail"]
            if not (400 <= answer.status_code < 500 and problem):
                wrong.append(f"{operation.method} {operation.path} {content[:20]!r}: {answer.status_code}")

    assert not wrong


def test_the_table_keeps_duties_apart() -> None:
    assert faults_of(TABLE) == []


def test_a_condition_is_used_and_decided_by_a_function_that_exists() -> None:
    used = {grant.condition for rule in TABLE.values() for grant in rule.grants if grant.condition}

    assert used == set(Condition) == set(CONDITIONS)
    assert all(callable(resolve_name(meaning.where)) for meaning in CONDITIONS.values())


def test_a_role_is_granted_an_action_once() -> None:
    assert all(len(rule.grants) == len(rule.roles) for rule in TABLE.values())


def test_a_nature_and_a_scope_fit_each_other() -> None:
    """What is everybody's is public, what is an account's own is nobody else's, business has an owner."""
    scopes = {
        Nature.PUBLIC: {Scope.PUBLIC, Scope.ORGANISATION},
        Nature.ACCOUNT: {Scope.OWN},
        Nature.BUSINESS_READ: {Scope.ORGANISATION, Scope.REGION},
        Nature.BUSINESS_ACT: {Scope.ORGANISATION},
    }
    wrong = [
        f"{action}: {grant}"
        for action, rule in TABLE.items()
        for grant in rule.grants
        if grant.scope not in scopes.get(rule.nature, set(Scope))
    ]

    assert not wrong
