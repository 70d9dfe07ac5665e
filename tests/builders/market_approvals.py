"""Requests for approval: as values, and in a kernel where a handler asks and an approver decides."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.access.actors import Actor, Role
from kernel.commit.by import By
from kernel.commit.command import Key
from kernel.runtime import Kernel
from market.approvals import service as approvals
from market.approvals.lifecycle import Request, Stage
from market.orders.rules import Wanted
from registries.organisations.rules import today
from tests.builders.budget import MORNING
from tests.builders.market_orders import PRICE_FEN, Trade, a_terms, a_trade, place
from tests.builders.registries import a_user

HANDLER: Final = UUID("01900000-0000-7000-8000-0000000000a1")
REQUEST: Final = UUID("01900000-0000-7000-8000-0000000000a2")


def a_request(**changes: Any) -> Request:
    terms = a_terms(number="SP20261123-00000-00061")
    request = Request(
        id=REQUEST,
        number=terms.number,
        terms=terms,
        approval_from_fen=5000_00,
        handler_id=HANDLER,
        handler_name="王经办",
        stage=Stage.PENDING,
        asked_at=MORNING,
        changed_at=MORNING,
        decided_by="",
        reason="",
        order_id=None,
        order_number="",
        confirmed=(),
    )
    return msgspec.structs.replace(request, **changes)


@dataclass(frozen=True)
class Desk:
    """A trade whose purchaser has an approval limit, two approvers and an administrator."""

    trade: Trade
    approver: Actor
    second: Actor
    administrator: Actor

    @property
    def handler(self) -> Actor:
        return self.trade.purchaser


async def a_desk(kernel: Kernel, *, approval_from_fen: int | None = PRICE_FEN, **trade: Any) -> Desk:
    """Set up a purchaser whose orders of at least ``approval_from_fen`` wait for a second hand."""
    return await a_desk_of(kernel, await a_trade(kernel, **trade), approval_from_fen=approval_from_fen)


async def a_desk_of(kernel: Kernel, found: Trade, *, approval_from_fen: int | None = PRICE_FEN) -> Desk:
    """Give the purchaser of a trade a limit, two approvers and an administrator."""
    school = found.purchaser.organisation_id
    assert school
    desk = Desk(
        found,
        await a_user(kernel, "approver", school, Role.APPROVER),
        await a_user(kernel, "approver2", school, Role.APPROVER),
        await a_user(kernel, "school-admin", school, Role.ADMINISTRATOR),
    )
    if approval_from_fen is not None:
        await set_limit(kernel, desk, approval_from_fen)
    return desk


def by(kernel: Kernel, actor: Actor, key: str | None = None) -> By:
    """Say that an actor asks now."""
    return By(actor, "192.0.2.1", kernel.clock.now(), Key(actor.journal, key, b"f") if key else None)


async def set_limit(kernel: Kernel, desk: Desk, approval_from_fen: int | None) -> None:
    """Have the administrator set the limit from today on."""
    asked = by(kernel, desk.administrator)
    await approvals.set_control(
        kernel, asked, approval_from_fen=approval_from_fen, effective_from=today(asked.at), note="内控制度"
    )


async def ask(kernel: Kernel, desk: Desk, *lines: Wanted) -> UUID:
    """Check out a cart of one supplier that reaches the limit, and return the request's id."""
    (asked,) = (await place(kernel, desk.trade, *lines)).requests
    return asked.request_id


async def a_request_of(kernel: Kernel, trade: Trade) -> UUID:
    """Have the purchaser of a trade ask for what its limit does not let through."""
    return await ask(kernel, await a_desk_of(kernel, trade))


async def seen_by(kernel: Kernel, actor: Actor, request_id: UUID) -> str:
    """Have an actor look at a request, and return what was seen."""
    return (await approvals.detail(kernel, actor, request_id, at=kernel.clock.now())).seen


async def approve(kernel: Kernel, actor: Actor, request_id: UUID, key: str | None = None) -> approvals.Ended:
    """Look at a request and approve it."""
    seen = await seen_by(kernel, actor, request_id)
    return await approvals.approve(kernel, by(kernel, actor, key), request_id, seen)
