"""
Approvals: parting a cart into orders and requests, deciding requests, and what can be read of them.

A cart is judged whole. Orders under the limit are placed; for the others nothing is reserved, a request keeps what was
asked for, and approving it places the order through :func:`market.orders.service.place`: one commit for both.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.journal import queries as journal
from kernel.journal.streams import StreamRef
from kernel.paging import Page, decode_cursor, page_of
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from market.approvals import queries
from market.approvals.lifecycle import Difference, Event, Request, Stage, evolve
from market.approvals.queries import APPROVAL, RequestBox, RequestMoment, RequestRow, Wanted
from market.approvals.rules import (
    Refusal,
    approved_of,
    asked_of,
    cart_of,
    decide_return,
    decide_withdraw,
    differences_of,
    fault_of_approval,
    fault_of_decider,
    fault_of_withdrawal,
    parted,
    seen_of,
    words_of,
)
from market.limits.service import table_of
from market.orders import service as orders
from market.orders.rules import Cart, Placement, Shop
from market.orders.service import AskedOrder, Gate, OrderDetail, Passed, PlacedOrders, Preview, PreviewProblem
from registries.controls import service as controls
from registries.controls.rules import approval_from
from registries.controls.service import CONTROL, ControlSet, ControlView
from registries.organisations.rules import today

__all__ = ["APPROVAL", "RequestBox", "RequestMoment", "RequestRow", "Wanted"]


class Ended(msgspec.Struct, frozen=True):
    """Where a request stands after a step, and the order that it became."""

    request_id: UUID
    stage: Stage
    order_id: UUID | None = None
    order_number: str = ""


class RequestDetail(NamedTuple):
    """
    A request, what changed since, what would stand in the way of placing it now, and what the reader may do.

    ``seen`` names the versions that ``differences`` and ``problems`` speak of: whoever approves says it.
    """

    request: Request
    version: int
    differences: tuple[Difference, ...]
    problems: tuple[PreviewProblem, ...]
    budget_available_fen: int | None
    seen: str
    may_decide: bool
    may_withdraw: bool
    timeline: tuple[RequestMoment, ...]


def _absent() -> NotFound:
    return NotFound("未找到该审批。", "There is no such request, or it is not yours to see.")


def _refused(refusal: Refusal, request: Request) -> Refused:
    return Refused(*words_of(refusal, request.stage), reason=refusal.value, stage=request.stage.value)


# What an organisation has set.


async def control_of(kernel: Kernel, actor: Actor, *, at: datetime) -> ControlView:
    """Read from which amount on orders of the own organisation need an approver."""
    return await controls.read_control(kernel, actor, at=at)


def most_of(kernel: Kernel, actor: Actor, at: datetime) -> int | None:
    """Tell the largest limit of one direct order in the actor's region, in fen; ``None`` where none is known."""
    policy = table_of(kernel.settings).on(today(at), actor.region)
    return max((limit.order_max_fen for limit in policy.limits), default=None) if policy else None


async def set_control(
    kernel: Kernel, by: By, *, approval_from_fen: int | None, effective_from: date, note: str
) -> ControlSet:
    """Set it, within the limits of direct orders. Raises ``Refused``."""
    return await controls.set_approval(
        kernel,
        by,
        approval_from_fen=approval_from_fen,
        effective_from=effective_from,
        note=note,
        most_fen=most_of(kernel, by.actor, by.at),
    )


# Asking.


async def preview(kernel: Kernel, actor: Actor, cart: Cart, *, at: datetime) -> Preview:
    """Show what placing the cart would do, and from which amount on an order would wait; nothing happens."""
    found = await orders.preview(kernel, actor, cart, at=at)
    assert actor.organisation_id is not None
    limit = await controls.approval_from_now(kernel, actor.organisation_id, at)
    return msgspec.structs.replace(found, approval_from_fen=limit)


async def check_out(kernel: Kernel, by: By, cart: Cart) -> PlacedOrders:
    """
    Place the orders of a cart that are under the limit, and ask for approval of the others: all of it or nothing.

    The whole cart is judged as if it were placed now. The limit is read in the same command: one that is set at this
    moment holds for the cart, or does not. Raises as :func:`market.orders.service.place`.
    """

    def gate_of(order_ids: Sequence[UUID]) -> Gate:
        organisation_id = by.actor.organisation_id
        assert organisation_id is not None
        control = CONTROL.ref(organisation_id)
        requests = {order_id: APPROVAL.new(order_id) for order_id in order_ids}

        def pass_(states: States, _: Shop, placement: Placement) -> Passed:
            limit = approval_from(states.get(control), today(by.at))
            found = parted(placement, limit)
            if limit is None:
                return Passed(found.placed)
            asked = [asked_of(id_, terms, limit, by.actor) for id_, terms in found.waiting]
            told = tuple(
                AskedOrder(
                    one.id, one.terms.number, one.terms.supplier_id, one.terms.supplier_name, one.terms.total_fen
                )
                for one in asked
            )
            return Passed(found.placed, told, tuple(Happened(requests[one.id], one) for one in asked))

        # Most organisations have no control, and a stream that does not exist is looked for each time: so it is taken
        # for one. Where that is wrong, the commit finds that it has moved, and the cart is decided again on its state.
        made: list[StreamRef[Any, Any]] = list(requests.values())
        return Gate((control, *made), made, (control,), lambda _, __: None, pass_)

    return await orders.place(kernel, by.actor, cart, origin=by.origin, at=by.at, key=by.key, gate_of=gate_of)


# Deciding.


async def approve(kernel: Kernel, by: By, request_id: UUID, seen: str) -> Ended:
    """
    Approve a request: the order is placed in the same commit, with what it reserves.

    ``seen`` are the versions that the approver looked at (:class:`RequestDetail`). A retry with the same key gets the
    answer of the first time.

    Raises:
        NotFound: there is no such request in the approver's organisation.
        Refused: the own request, decided already, changed since it was looked at, or the order cannot be placed
            now; ``reason`` says which, ``faults`` names all of the last kind.
    """
    request = await _seen(kernel, by.actor, request_id)
    ref = APPROVAL.ref(request_id)

    def gate_of(order_ids: Sequence[UUID]) -> Gate:
        del order_ids

        def admit(states: States, shop: Shop) -> Problem | None:
            now = _there(states.get(ref))
            seen_now = seen_of(shop.lines)
            fault = fault_of_approval(now, by.actor, seen=seen, seen_now=seen_now)
            return _refused(fault, now) if fault else None

        def pass_(_: States, shop: Shop, placement: Placement) -> Passed:
            ((order_id, event),) = placement.orders
            changed = differences_of(request.terms, shop.lines)
            return Passed(placement, (), (Happened(ref, approved_of(by.actor, event.terms, order_id, changed)),))

        return Gate((ref,), (), (), admit, pass_)

    done = await orders.place(
        kernel, by.actor, cart_of(request.terms), origin=by.origin, at=by.at, key=by.key, gate_of=gate_of
    )
    (order,) = done.orders
    return Ended(request_id, Stage.APPROVED, order.order_id, order.number)


async def send_back(kernel: Kernel, by: By, request_id: UUID, reason: str) -> Ended:
    """Return a request with a reason. Raises ``NotFound``, ``Refused``."""
    return await _end(kernel, by, request_id, lambda request: decide_return(request, by.actor, reason))


async def withdraw(kernel: Kernel, by: By, request_id: UUID) -> Ended:
    """Ask no longer, as who asked. Raises ``NotFound``, ``Refused``."""
    return await _end(kernel, by, request_id, lambda request: decide_withdraw(request, by.actor))


async def _end(kernel: Kernel, by: By, request_id: UUID, decide_: Callable[[Request], Event | Refusal]) -> Ended:
    await _seen(kernel, by.actor, request_id)
    ref = APPROVAL.ref(request_id)

    def decide(states: States) -> Decided[Ended] | Problem:
        request = _there(states.get(ref))
        decision = decide_(request)
        if isinstance(decision, Refusal):
            return _refused(decision, request)
        return Decided(Ended(request_id, evolve(request, decision, by.at).stage), [Happened(ref, decision)])

    return await kernel.committer.submit(by.command([ref], decide, Ended))


# What can be read.


async def list_requests(
    kernel: Kernel, actor: Actor, wanted: Wanted, *, cursor: str | None, limit: int
) -> Page[RequestRow]:
    """Read the requests of the own organisation, the newest first. Raises ``Invalid`` on a bad cursor."""
    last = decode_cursor(cursor, (UUID,))[0] if cursor else None
    async with kernel.db.read() as tx:
        rows = await queries.page(tx, actor, wanted, after=last, limit=limit + 1)
    return page_of(rows, limit, lambda row: row, lambda row: (row.request_id,))


async def count_to_decide(kernel: Kernel, actor: Actor) -> int:
    """Count what waits for the actor's decision."""
    async with kernel.db.read() as tx:
        return await queries.to_decide(tx, actor)


async def detail(kernel: Kernel, actor: Actor, request_id: UUID, *, at: datetime) -> RequestDetail:
    """Read a request with its timeline; while it is pending, also what changed and what is in the way. ``NotFound``."""
    await _seen(kernel, actor, request_id)
    async with kernel.db.pool.acquire() as connection:
        version, request = (await APPROVAL.load(connection, [request_id]))[request_id]
        entries = await journal.read(connection, str(APPROVAL.ref(request_id)))
    async with kernel.db.read() as tx:
        moments = await queries.timeline(tx, entries)
    pending = request.stage is Stage.PENDING
    cart = cart_of(request.terms)
    shop = await orders.shop_of(kernel, actor, cart, at=at) if pending else None
    now = await orders.preview(kernel, actor, cart, at=at) if pending else None
    return RequestDetail(
        request=request,
        version=version,
        differences=differences_of(request.terms, shop.lines) if shop else request.confirmed,
        problems=now.problems if now else (),
        budget_available_fen=now.budget_available_fen if now else None,
        seen=seen_of(shop.lines) if shop else "",
        may_decide=fault_of_decider(request, actor) is None,
        may_withdraw=fault_of_withdrawal(request, actor) is None,
        timeline=moments,
    )


async def order_of(kernel: Kernel, actor: Actor, order_id: UUID) -> OrderDetail:
    """Read an order, and which request it was placed by where the actor may see that. Raises ``NotFound``."""
    found = await orders.detail(kernel, actor, order_id)
    async with kernel.db.read() as tx:
        approval = await queries.approval_of(tx, actor, order_id)
    return msgspec.structs.replace(found, approval=approval)


async def _seen(kernel: Kernel, actor: Actor, request_id: UUID) -> Request:
    async with kernel.db.read() as tx:
        if not await queries.seen(tx, actor, request_id):
            raise _absent()
    return (await APPROVAL.load(kernel.db.pool, [request_id]))[request_id].state


def _there(request: Request | None) -> Request:
    assert request is not None, "seen before, and no stream ever goes"
    return request
