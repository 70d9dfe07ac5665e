"""
The life of an approval request (提请审批): an order that a handler asks a second hand for, before it is one.

What is allowed is in ``rules.py``; here is what is. ``NEXT`` is the whole truth about stages; its picture in
``docs/lifecycles/approval.md`` is drawn from it. Source: ADR-0057; 政府采购法 第六十一条.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, assert_never
from uuid import UUID

import msgspec

from kernel.lifecycles import drawn
from market.orders.lifecycle import Terms


class Stage(StrEnum):
    """Where a request stands."""

    PENDING = "pending"  # 待审批
    APPROVED = "approved"  # 已批准: the order was placed in the same commit
    RETURNED = "returned"  # 已退回
    WITHDRAWN = "withdrawn"  # 已撤回


class Step(StrEnum):
    """What ends a request."""

    APPROVE = "approve"
    RETURN = "return"
    WITHDRAW = "withdraw"


class IllegalStepError(Exception):
    """A step that the table does not name for the stage: whoever asked had to check first."""


NEXT: Final[dict[tuple[Stage, Step], Stage]] = {
    (Stage.PENDING, Step.APPROVE): Stage.APPROVED,
    (Stage.PENDING, Step.RETURN): Stage.RETURNED,
    (Stage.PENDING, Step.WITHDRAW): Stage.WITHDRAWN,
}

FINAL: Final = frozenset(Stage) - {stage for stage, _ in NEXT}
"""Stages without a way out."""

_BY: Final = {Step.APPROVE: "an approver", Step.RETURN: "an approver", Step.WITHDRAW: "who asked"}


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


class What(StrEnum):
    """What about a line is no longer as it was asked for."""

    PRICE = "price"
    AGREEMENT_PRICE = "agreement-price"
    NAME = "name"
    BRAND = "brand"
    MODEL = "model"
    UNIT = "unit"
    SPECIFICATIONS = "specifications"
    PRODUCT = "product"  # something else of it: description or pictures
    OFFER = "offer"  # something else of it: regions, or it was off the shelf meanwhile


class Difference(msgspec.Struct, frozen=True):
    """One thing that changed since a request was made; ``line`` counts from 1, prices are in yuan."""

    line: int
    what: What
    before: str
    after: str


class Request(msgspec.Struct, frozen=True):
    """
    A request as it stands.

    ``terms`` is the order as it would have been placed when it was asked for; its number is the request's.
    ``approval_from_fen`` is the limit that it reached. ``decided_by`` names who approved or returned it, ``order_id``
    the order that it became, ``confirmed`` what had changed meanwhile and was approved as it had become.
    """

    id: UUID
    number: str
    terms: Terms
    approval_from_fen: int
    handler_id: UUID
    handler_name: str
    stage: Stage
    asked_at: datetime
    changed_at: datetime
    decided_by: str
    reason: str
    order_id: UUID | None
    order_number: str
    confirmed: tuple[Difference, ...]


class Asked(msgspec.Struct, frozen=True, tag_field="kind", tag="approval.asked"):
    """A handler asked for an order that needs a second hand (提请审批)."""

    id: UUID
    terms: Terms
    approval_from_fen: int
    handler_id: UUID
    handler_name: str


class Approved(msgspec.Struct, frozen=True, tag_field="kind", tag="approval.approved"):
    """An approver approved it, and the order was placed (批准)."""

    user_id: UUID
    name: str
    order_id: UUID
    order_number: str
    confirmed: tuple[Difference, ...]


class Returned(msgspec.Struct, frozen=True, tag_field="kind", tag="approval.returned"):
    """An approver sent it back, and said why (退回)."""

    user_id: UUID
    name: str
    reason: str


class Withdrawn(msgspec.Struct, frozen=True, tag_field="kind", tag="approval.withdrawn"):
    """The handler no longer asks for it (撤回)."""


Event = Asked | Approved | Returned | Withdrawn


def evolve(request: Request | None, event: Event, at: datetime) -> Request:
    """Apply what was decided; pure and total."""
    if isinstance(event, Asked):
        return Request(
            id=event.id,
            number=event.terms.number,
            terms=event.terms,
            approval_from_fen=event.approval_from_fen,
            handler_id=event.handler_id,
            handler_name=event.handler_name,
            stage=Stage.PENDING,
            asked_at=at,
            changed_at=at,
            decided_by="",
            reason="",
            order_id=None,
            order_number="",
            confirmed=(),
        )
    assert request is not None
    match event:
        case Approved(_, name, order_id, order_number, confirmed):
            order = {"order_id": order_id, "order_number": order_number, "confirmed": confirmed}
            return _moved(request, Step.APPROVE, at, decided_by=name, **order)
        case Returned(_, name, reason):
            return _moved(request, Step.RETURN, at, decided_by=name, reason=reason)
        case Withdrawn():
            return _moved(request, Step.WITHDRAW, at)
        case _:
            assert_never(event)


def _moved(request: Request, step: Step, at: datetime, **changes: Any) -> Request:
    return msgspec.structs.replace(request, stage=after(request.stage, step), changed_at=at, **changes)


def picture() -> str:
    """Draw the table as the page ``docs/lifecycles/approval.md``."""
    ways = [f"{stage} --> {target}: {step} ({_BY[step]})" for (stage, step), target in NEXT.items()]
    return drawn(
        "The life of an approval request",
        __name__,
        ways=[f"[*] --> {Stage.PENDING}: ask (handler)", *ways],
        ends=[stage for stage in Stage if stage in FINAL],
        note="Nothing is reserved while it is pending. Approving places the order in the same commit.",
    )
