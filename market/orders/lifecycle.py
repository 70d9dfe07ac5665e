"""
The life of a direct order (直接订购): what it froze, its stages, what happens to it, and the state that follows.

What is allowed is in ``rules.py``; here is what is. The table ``NEXT`` is the whole truth about stages and
``BY`` about who takes which step; their picture in ``docs/lifecycles/order.md`` is drawn from them.

An order is received whole: a partial receipt is not modelled, the purchaser receives when all has come.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple, assert_never
from uuid import UUID

import msgspec

from budget.lines import rules as budget
from budget.lines.rules import Line
from catalog.offers import rules as offers
from catalog.offers.rules import Offer
from kernel.lifecycles import drawn
from market.limits import rules as limits
from market.limits.rules import category_key


class Stage(StrEnum):
    """Where an order stands."""

    PLACED = "placed"  # 已下单, 待供应商确认
    ACCEPTED = "accepted"  # 已接单
    REFUSED = "refused"  # 已拒单
    CANCELLED = "cancelled"  # 已取消
    SHIPPED = "shipped"  # 已发货
    RECEIVED = "received"  # 已验收
    CLOSED = "closed"  # 已办结


class Step(StrEnum):
    """What moves an order from one stage to the next."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    CANCEL = "cancel"
    SHIP = "ship"
    RECEIVE = "receive"
    CLOSE = "close"


class Side(StrEnum):
    """Which party to the order somebody acts for."""

    PURCHASER = "purchaser"
    SUPPLIER = "supplier"


class IllegalStepError(Exception):
    """A step that the table does not name for the stage: whoever asked had to check first."""


NEXT: Final[dict[tuple[Stage, Step], Stage]] = {
    (Stage.PLACED, Step.ACCEPT): Stage.ACCEPTED,
    (Stage.PLACED, Step.REFUSE): Stage.REFUSED,
    (Stage.PLACED, Step.CANCEL): Stage.CANCELLED,
    (Stage.ACCEPTED, Step.SHIP): Stage.SHIPPED,
    (Stage.ACCEPTED, Step.CANCEL): Stage.CANCELLED,
    (Stage.SHIPPED, Step.RECEIVE): Stage.RECEIVED,
    (Stage.RECEIVED, Step.CLOSE): Stage.CLOSED,
}

_PURCHASER: Final = frozenset({Side.PURCHASER})
_SUPPLIER: Final = frozenset({Side.SUPPLIER})

# Before acceptance only the purchaser cancels (the supplier refuses); after it either party may, with its
# reason on record, until the goods are on their way: ADR-0031.
BY: Final[dict[tuple[Stage, Step], frozenset[Side]]] = {
    (Stage.PLACED, Step.ACCEPT): _SUPPLIER,
    (Stage.PLACED, Step.REFUSE): _SUPPLIER,
    (Stage.PLACED, Step.CANCEL): _PURCHASER,
    (Stage.ACCEPTED, Step.SHIP): _SUPPLIER,
    (Stage.ACCEPTED, Step.CANCEL): _PURCHASER | _SUPPLIER,
    (Stage.SHIPPED, Step.RECEIVE): _PURCHASER,
    (Stage.RECEIVED, Step.CLOSE): _PURCHASER,
}

FINAL: Final = frozenset(Stage) - {stage for stage, _ in NEXT}
"""Stages without a way out."""


def after(stage: Stage, step: Step) -> Stage:
    """
    Tell the stage that a step leads to.

    Raises:
        IllegalStepError: the table does not name the step for this stage.
    """
    try:
        return NEXT[stage, step]
    except KeyError:
        raise IllegalStepError(f"{step} at {stage}") from None


def steps_of(stage: Stage, side: Side) -> tuple[Step, ...]:
    """List the steps that a side may take at a stage, in the order of the table."""
    return tuple(step for (at_stage, step), sides in BY.items() if at_stage is stage and side in sides)


class OrderLine(msgspec.Struct, frozen=True, gc=False):
    """
    One line, frozen as it was ordered; prices in fen for one unit.

    ``offer_revision`` and ``product_revision`` name the exact versions; ``specs`` are the product's attributes
    as definition ``definition_revision`` of its category describes them.
    """

    offer_id: UUID
    offer_revision: int
    product_id: UUID
    product_revision: int
    definition_revision: int
    agreement_id: UUID
    agreement_number: str
    package: int
    edition: str
    category_code: str
    category_name: str
    name: str
    brand: str
    model: str
    unit: str
    specs: dict[str, bool | int | str]
    quantity: int
    price_fen: int
    agreement_price_fen: int
    amount_fen: int


class LimitApplied(msgspec.Struct, frozen=True, gc=False):
    """A limit as it was when the order was placed; ``year_fen`` had been ordered in the group before."""

    group: str
    order_max_fen: int
    year_max_fen: int
    year_fen: int
    effective_from: date
    verified: bool
    source: str


class Terms(msgspec.Struct, frozen=True, gc=False):
    """All that an order froze when it was placed; ``region`` is where to deliver, ``year`` the fiscal year."""

    number: str
    purchaser_id: UUID
    purchaser_name: str
    purchaser_region: str
    supplier_id: UUID
    supplier_name: str
    budget_line_id: UUID
    budget_line_number: str
    year: int
    region: str
    address: str
    contact: str
    phone: str
    note: str
    total_fen: int
    lines: tuple[OrderLine, ...]
    limits: tuple[LimitApplied, ...]


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order as it stands; ``reason`` says why it was refused or cancelled, ``ended_by`` which side did."""

    terms: Terms
    stage: Stage
    placed_at: datetime
    changed_at: datetime
    reason: str = ""
    ended_by: Side | None = None
    carrier: str = ""
    tracking: str = ""


class ApprovedBy(msgspec.Struct, frozen=True, gc=False):
    """The request that an order was placed by approving (经审批下单): who asked, who approved, and when."""

    request_id: UUID
    number: str
    handler_name: str
    asked_at: datetime
    approver_name: str
    approved_at: datetime


class Placed(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.placed"):
    """The purchaser ordered (下单)."""

    terms: Terms


class Accepted(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.accepted"):
    """The supplier took the order on (接单)."""


class Refused(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.refused"):
    """The supplier turned the order down (拒单)."""

    reason: str


class Cancelled(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.cancelled"):
    """The order was called off before the goods were on their way (取消)."""

    side: Side
    reason: str


class Shipped(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.shipped"):
    """The goods are on their way (发货)."""

    carrier: str
    tracking: str


class Received(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.received"):
    """The purchaser has examined and received all of the goods (验收)."""

    note: str


class Closed(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order.closed"):
    """Nothing is left to do (办结)."""


Event = Placed | Accepted | Refused | Cancelled | Shipped | Received | Closed


def evolve(order: Order | None, event: Event, at: datetime) -> Order:
    """Apply what was decided."""
    if isinstance(event, Placed):
        return Order(event.terms, Stage.PLACED, at, at)
    assert order is not None
    more: dict[str, object] = {}
    match event:
        case Accepted():
            step = Step.ACCEPT
        case Refused(reason=reason):
            step, more = Step.REFUSE, {"reason": reason, "ended_by": Side.SUPPLIER}
        case Cancelled(side=side, reason=reason):
            step, more = Step.CANCEL, {"reason": reason, "ended_by": side}
        case Shipped(carrier=carrier, tracking=tracking):
            step, more = Step.SHIP, {"carrier": carrier, "tracking": tracking}
        case Received():
            step = Step.RECEIVE
        case Closed():
            step = Step.CLOSE
        case _:
            assert_never(event)
    return msgspec.structs.replace(order, stage=after(order.stage, step), changed_at=at, **more)


class StepRefusal(StrEnum):
    """Why a step is refused, in precedence order."""

    NOT_AT_THIS_STAGE = "not-at-this-stage"
    NOT_YOUR_STEP = "not-your-step"


STEP_TEXTS: Final[dict[StepRefusal, tuple[str, str]]] = {
    StepRefusal.NOT_AT_THIS_STAGE: (
        "订单当前状态（{stage}）不能执行此操作，请刷新后查看。",
        "The order stands at {stage}, where this cannot be done; reload it and look.",
    ),
    StepRefusal.NOT_YOUR_STEP: (
        "此操作应由交易对方执行。",
        "This step is the other party's to take.",
    ),
}


class Details(msgspec.Struct, frozen=True, gc=False):
    """What is said along with a step: ``reason`` for refuse and cancel, the rest for ship and receive."""

    reason: str = ""
    carrier: str = ""
    tracking: str = ""
    note: str = ""


def decide_step(stage: Stage, step: Step, side: Side, details: Details) -> Event | StepRefusal:
    """
    Decide a step of one side.

    Refusing and cancelling need a reason: the edge has seen to it.

    Source: 财政部令第110号 第十九条 (a supplier that turns awards down may be removed: the reason is on record).
    """
    if (stage, step) not in NEXT:
        return StepRefusal.NOT_AT_THIS_STAGE
    if side not in BY[stage, step]:
        return StepRefusal.NOT_YOUR_STEP
    match step:
        case Step.ACCEPT:
            event: Event = Accepted()
        case Step.REFUSE:
            assert details.reason
            event = Refused(details.reason)
        case Step.CANCEL:
            assert details.reason
            event = Cancelled(side, details.reason)
        case Step.SHIP:
            event = Shipped(details.carrier, details.tracking)
        case Step.RECEIVE:
            event = Received(details.note)
        case Step.CLOSE:
            event = Closed()
        case _:
            assert_never(step)
    return event


class Undone(NamedTuple):
    """What an order gives back when it comes to nothing."""

    offers: list[tuple[UUID, offers.Released]]
    budget: budget.Released
    spending: limits.Uncounted


class Fulfilled(NamedTuple):
    """What an order uses up when it is received."""

    offers: list[tuple[UUID, offers.Consumed]]
    budget: budget.Consumed


def undone(order_id: UUID, terms: Terms, held: Mapping[UUID, Offer | None], line: Line) -> Undone:
    """Give back all that a placed order holds: quota, budget and its part of the yearly sum."""
    released: list[tuple[UUID, offers.Released]] = []
    for one in terms.lines:
        event = offers.decide_release(held[one.offer_id], quantity=one.quantity, order_id=order_id)
        assert not isinstance(event, offers.Refusal), "an offer lost what an order holds"
        released.append((one.offer_id, event))
    refund = budget.decide_release(line, order_id=order_id, amount_fen=terms.total_fen)
    assert not isinstance(refund, budget.Refusal), "a budget line lost what an order holds"
    return Undone(released, refund, limits.Uncounted(order_id, amounts_by_category(terms)))


def fulfilled(order_id: UUID, terms: Terms, held: Mapping[UUID, Offer | None], line: Line) -> Fulfilled:
    """Use up what a received order holds; the yearly sum keeps counting it."""
    consumed: list[tuple[UUID, offers.Consumed]] = []
    for one in terms.lines:
        event = offers.decide_consume(held[one.offer_id], quantity=one.quantity, order_id=order_id)
        assert not isinstance(event, offers.Refusal), "an offer lost what an order holds"
        consumed.append((one.offer_id, event))
    spent = budget.decide_consume(line, order_id=order_id, amount_fen=terms.total_fen)
    assert not isinstance(spent, budget.Refusal), "a budget line lost what an order holds"
    return Fulfilled(consumed, spent)


def amounts_by_category(terms: Terms) -> dict[str, int]:
    """Sum up an order by category, as spending counts it."""
    amounts: dict[str, int] = {}
    for line in terms.lines:
        key = category_key(line.edition, line.category_code)
        amounts[key] = amounts.get(key, 0) + line.amount_fen
    return amounts


def counted_of(order_id: UUID, terms: Terms) -> limits.Counted:
    """Count an order towards the year of its purchaser."""
    return limits.Counted(terms.purchaser_id, terms.year, order_id, amounts_by_category(terms))


def picture() -> str:
    """Draw the table as the page ``docs/lifecycles/order.md``."""
    ways = [
        f"{stage} --> {target}: {step} ({' or '.join(sorted(BY[stage, step]))})"
        for (stage, step), target in NEXT.items()
    ]
    return drawn(
        "The life of a direct order",
        __name__,
        ways=[f"[*] --> {Stage.PLACED}: place (purchaser)", *ways],
        ends=[stage for stage in Stage if stage in FINAL],
        note="Refused and cancelled release budget, quota and the yearly sum; received consumes budget and quota.",
    )
