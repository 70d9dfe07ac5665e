"""
Somebody else's object is not there: 404, whatever a stranger of the very same role asks of it.

Every route with an object in its path is asked, with the smallest body that its type allows. A route whose object this
test has none of fails it.
"""

import re
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple
from uuid import UUID

import httpx2
import pytest

from kernel.access.actors import Actor, Role
from kernel.access.table import ACCESS, TABLE, Nature, Scope
from kernel.commit.by import By
from kernel.runtime import Kernel
from kernel.web.routes import Operation, TypedRoute
from market.auctions import service as auctions
from portal.app import API, create_app
from registries.factors.queries import Passkey, add_passkey
from registries.licences import service as licences
from registries.organisations.rules import Kind
from registries.users.rules import ROLES_OF
from tests.builders.enrolled import a_certificate_of
from tests.builders.examples import example_of
from tests.builders.market_approvals import a_request_of
from tests.builders.market_auctions import some_terms
from tests.builders.market_orders import a_trade, an_order_of
from tests.builders.market_signings import a_signing_of
from tests.builders.registries import a_user, register

OPERATIONS: Final = [route.operation for route in API if isinstance(route, TypedRoute)]
FAR: Final = "330800"
"""Quzhou: neither the objects' region nor above it."""


class Stage(NamedTuple):
    """A client, an object for each name in a path with the accounts whose it is, and a stranger of each role."""

    client: httpx2.AsyncClient
    objects: dict[str, str]
    holders: dict[str, dict[Role, dict[str, str]]]
    strangers: dict[Role, dict[str, str]]


def objects_of(operation: Operation) -> list[str]:
    return re.findall(r"{(\w+)}", operation.path)


def everybodys(operation: Operation) -> bool:
    """Whether the objects of an action are public, all of them, or all the platform's operator's."""
    rule = TABLE[operation.action]
    if all(grant.scope is Scope.PLATFORM for grant in rule.grants):
        return True
    return rule.nature is Nature.PUBLIC and all(g.scope is Scope.PUBLIC and g.condition is None for g in rule.grants)


GUARDED: Final = [operation for operation in OPERATIONS if objects_of(operation) and not everybodys(operation)]
LISTS: Final = [
    operation
    for operation in OPERATIONS
    if operation.method == "GET"
    and not objects_of(operation)
    and TABLE[operation.action].nature is Nature.BUSINESS_READ
]


async def a_licence_of(kernel: Kernel, administrator: Actor) -> UUID:
    content = b"%PDF-" + bytes(100)
    return (await licences.file(kernel, By(administrator, "test", kernel.clock.now()), content)).id


async def session_named(kernel: Kernel, actor: Actor, user_agent: str) -> UUID:
    assert actor.user_id
    rows = await kernel.sessions.list_of(actor.user_id)
    return next(row.id for row in rows if row.user_agent == user_agent)


@pytest.fixture
async def stage(kernel: Kernel) -> AsyncIterator[Stage]:
    trade = await a_trade(kernel)
    order_id = await an_order_of(kernel, trade)
    invited = (*trade.market.suppliers, await register(kernel, 898))
    by = By(trade.purchaser, "192.0.2.1", kernel.clock.now())
    draft = await auctions.create_draft(kernel, by, some_terms(invited=invited))

    async def session(user_id: Any) -> dict[str, str]:
        token, _ = await kernel.sessions.open(user_id, origin="test", user_agent="test")
        return {"Authorization": f"Bearer {token}"}

    strangers: dict[Role, dict[str, str]] = {Role.PUBLIC: {}}
    for number, (kind, roles) in enumerate(ROLES_OF.items(), 900):
        organisation_id = await register(kernel, number, kind, region=FAR)
        for role in roles:
            account = await a_user(kernel, f"stranger-{kind}-{role}", organisation_id, role)
            strangers[role] = await session(account.user_id)
    buying = {Role.PURCHASER: await session(trade.purchaser.user_id)}
    selling = {Role.SUPPLIER: await session(trade.supplier.user_id)}
    overseeing = {Role.SUPERVISOR: await session(trade.supervisor.user_id)}
    for role, known, held in ((Role.APPROVER, trade.purchaser, buying), (Role.SIGNATORY, trade.supplier, selling)):
        assert known.organisation_id
        held[role] = await session((await a_user(kernel, f"own-{role}", known.organisation_id, role)).user_id)
    auditors = await register(kernel, 899, Kind.AUDITOR, region="330100")
    overseeing[Role.AUDITOR] = await session((await a_user(kernel, "own-auditor", auditors, Role.AUDITOR)).user_id)
    assert trade.purchaser.user_id
    await kernel.sessions.open(trade.purchaser.user_id, origin="test", user_agent="the object")
    certificate = await a_certificate_of(kernel, trade.purchaser)
    assert trade.supplier.organisation_id
    first = await a_user(kernel, "own-administrator", trade.supplier.organisation_id, Role.ADMINISTRATOR)
    colleague = await a_user(kernel, "own-colleague", trade.supplier.organisation_id, Role.SUPPLIER)
    administering = {Role.ADMINISTRATOR: await session(first.user_id)}
    passkey = Passkey(UUID(int=55), trade.purchaser.user_id, b"credential", b"key", 0, "电脑")
    assert await add_passkey(kernel.db.pool, passkey, kernel.clock.now())
    objects = {
        "licence_id": str(await a_licence_of(kernel, first)),
        "certificate_id": str(certificate.id),
        "passkey_id": str(passkey.id),
        "session_id": str(await session_named(kernel, trade.purchaser, "the object")),
        "organisation_id": str(trade.supplier.organisation_id),
        "user_id": str(colleague.user_id),
        "order_id": str(order_id),
        "budget_line_id": str(trade.budget_line_id),
        "offer_id": str(trade.offer_id),
        "product_id": str(trade.market.product_id),
        "auction_id": str(draft.auction_id),
        "signing_id": str(await a_signing_of(kernel, purchaser=trade.purchaser, supplier=trade.supplier)),
        "request_id": str(await a_request_of(kernel, trade)),
        "entry": f"order.{order_id}.1",
    }
    holders = {
        "licence_id": administering | {Role.SUPERVISOR: overseeing[Role.SUPERVISOR]},
        "certificate_id": {Role.PURCHASER: buying[Role.PURCHASER]},
        "passkey_id": {Role.PURCHASER: await session(trade.purchaser.user_id)},
        "session_id": {Role.PURCHASER: await session(trade.purchaser.user_id)},
        "organisation_id": administering | overseeing,
        "user_id": administering,
        "order_id": buying | selling | overseeing,
        "budget_line_id": buying | overseeing,
        "offer_id": selling,
        "product_id": selling,
        "auction_id": buying,
        "signing_id": buying | selling | overseeing,
        "request_id": buying,
        "entry": {Role.PURCHASER: buying[Role.PURCHASER]},
    }
    await kernel.transparency.step()
    transport = httpx2.ASGITransport(create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Stage(client, objects, holders, strangers)


async def ask(stage: Stage, operation: Operation, headers: dict[str, str], key: str) -> httpx2.Response:
    path = re.sub(r"{(\w+)}", lambda name: stage.objects[name[1]], operation.path)
    body = example_of(operation.body) if operation.body is not None else None
    return await stage.client.request(
        operation.method,
        path,
        headers={**headers, "Idempotency-Key": key},
        **({"json": body} if operation.body is not None else {}),
    )


async def test_a_stranger_of_the_same_role_is_told_that_there_is_no_such_thing(stage: Stage) -> None:
    wrong: list[str] = []
    asked = 0
    for operation in GUARDED:
        for role in sorted(ACCESS[operation.action]):
            answer = await ask(stage, operation, stage.strangers[role], f"stranger-{role}")
            asked += 1
            if answer.status_code != 404:
                wrong.append(f"{operation.method} {operation.path} as {role}: {answer.status_code} {answer.text[:200]}")

    assert not wrong
    assert asked >= len(GUARDED)


async def test_whose_it_is_finds_it(stage: Stage) -> None:
    """Without this a route that is never found would pass for one that keeps strangers out."""
    wrong: list[str] = []
    for operation in sorted(GUARDED, key=lambda operation: operation.method != "GET"):
        (name,) = objects_of(operation)
        for role in sorted(ACCESS[operation.action] & set(stage.holders[name])):
            answer = await ask(stage, operation, stage.holders[name][role], f"holder-{role}")
            if answer.status_code in {401, 403, 404, 422} or answer.status_code >= 500:
                wrong.append(f"{operation.method} {operation.path} as {role}: {answer.status_code} {answer.text[:200]}")

    assert not wrong


async def test_a_list_holds_what_is_its_readers_and_nothing_else(stage: Stage) -> None:
    wrong: list[str] = []
    shown = 0
    for operation in LISTS:
        for role in sorted(ACCESS[operation.action]):
            there = (await ask(stage, operation, stage.strangers[role], "k")).text
            wrong += [
                f"{operation.path} shows {role} a stranger's {name}"
                for name, id_ in stage.objects.items()
                if id_ in there
            ]
            for name, holders in stage.holders.items():
                shown += (
                    role in holders and stage.objects[name] in (await ask(stage, operation, holders[role], "k")).text
                )

    assert not wrong
    assert shown >= len(LISTS) - 1  # an export names orders by their numbers


async def test_an_operator_reads_no_business_and_of_auctions_what_the_public_reads(stage: Stage) -> None:
    """Separation of duties: who runs the platform sees no business data (网络安全等级保护: 三权分立)."""
    operator = stage.strangers[Role.OPERATOR]
    asked = [operation for operation in OPERATIONS if TABLE[operation.action].nature is Nature.BUSINESS_READ]
    statuses = {(await ask(stage, operation, operator, "k")).status_code for operation in asked}

    assert statuses == {403}
    assert (await stage.client.get("/api/auctions", headers=operator)).json() == (
        await stage.client.get("/api/auctions")
    ).json()
