"""
Approvals, decided purely: which orders of a cart wait for a second hand, what changed since, and who may decide.

Source: 政府采购法 第六十一条 (who handles and who examines are different persons, 经办与审批分离); ADR-0057.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from catalog.offers.rules import Offer
from catalog.products.rules import Product
from kernel.access.actors import Actor
from kernel.access.duties import Clash, decide_second_hand
from kernel.money import Fen, format_yuan
from market.approvals.lifecycle import Approved, Asked, Difference, Request, Returned, Stage, What, Withdrawn
from market.orders.lifecycle import OrderLine, Terms
from market.orders.rules import NUMBER, Cart, Looked, Placement, Wanted

REASON_LENGTH_MIN: Final = 2
REASON_LENGTH_MAX: Final = 500
REQUEST_NUMBER: Final = "SP"
"""What a request's number begins with (审批)."""


class Refusal(StrEnum):
    """Why a step is refused, in precedence order."""

    SAME_PERSON = "same-person"
    OTHER_ORGANISATION = "other-organisation"
    NOT_APPROVER = "not-approver"
    NOT_YOURS = "not-yours"
    NOT_PENDING = "not-pending"
    CHANGED = "changed-since-seen"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.SAME_PERSON: (
        "经办与审批须由不同的人办理：不能审批自己提请的订单，请由另一位审批人办理。",
        "Who handles an order does not approve it: another approver has to.",
    ),
    Refusal.OTHER_ORGANISATION: (
        "只能审批本单位的订单。",
        "Only orders of the own organisation can be approved.",
    ),
    Refusal.NOT_APPROVER: (
        "您没有审批角色，请联系本单位管理员。",
        "You are not an approver; ask your organisation's administrator.",
    ),
    Refusal.NOT_YOURS: (
        "只有提请人可以撤回。",
        "Only who asked for it withdraws it.",
    ),
    Refusal.NOT_PENDING: (
        "该审批已办结（{stage}），请刷新查看结果。",
        "This request has been decided ({stage}); reload it to see how.",
    ),
    Refusal.CHANGED: (
        "商品或报价在您查看之后又有变化，请刷新，核对变化后再批准或退回。",
        "Product or offer have changed after you looked; reload, check what changed, then approve or return.",
    ),
}

STAGE_TEXTS: Final[dict[Stage, tuple[str, str]]] = {
    Stage.PENDING: ("待审批", "pending"),
    Stage.APPROVED: ("已批准", "approved"),
    Stage.RETURNED: ("已退回", "returned"),
    Stage.WITHDRAWN: ("已撤回", "withdrawn"),
}


class Parted(msgspec.Struct, frozen=True, gc=False):
    """A placement without the orders that wait, and those: by the id that they would have had."""

    placed: Placement
    waiting: tuple[tuple[UUID, Terms], ...]


def words_of(refusal: Refusal, stage: Stage) -> tuple[str, str]:
    """Put a refusal into words."""
    zh, en = TEXTS[refusal]
    stage_zh, stage_en = STAGE_TEXTS[stage]
    return zh.format(stage=stage_zh), en.format(stage=stage_en)


def parted(placement: Placement, approval_from_fen: int | None) -> Parted:
    """
    Part the orders of a cart: each order of at least the limit waits, and nothing is reserved for it.

    The limit is for one order, that is for one supplier, not for the cart.
    """
    if approval_from_fen is None:
        return Parted(placement, ())
    waiting = tuple(
        (order_id, event.terms) for order_id, event in placement.orders if event.terms.total_fen >= approval_from_fen
    )
    held = {order_id for order_id, _ in waiting}
    placed = Placement(
        orders=[one for one in placement.orders if one[0] not in held],
        offers=[one for one in placement.offers if one[1].order_id not in held],
        budget=[one for one in placement.budget if one.order_id not in held],
        spending=[one for one in placement.spending if one.order_id not in held],
    )
    return Parted(placed, waiting)


def asked_of(request_id: UUID, terms: Terms, approval_from_fen: int, handler: Actor) -> Asked:
    """Make the request for an order that waits; the order gets a number of its own."""
    assert handler.user_id is not None
    numbered = msgspec.structs.replace(terms, number=REQUEST_NUMBER + terms.number.removeprefix(NUMBER))
    return Asked(request_id, numbered, approval_from_fen, handler.user_id, handler.name)


def cart_of(terms: Terms) -> Cart:
    """Make the cart that asks for exactly what a request froze, at the prices that the handler saw."""
    return Cart(
        lines=tuple(Wanted(line.offer_id, line.quantity, line.price_fen) for line in terms.lines),
        budget_line_id=terms.budget_line_id,
        region=terms.region,
        address=terms.address,
        contact=terms.contact,
        phone=terms.phone,
        note=terms.note,
    )


def differences_of(terms: Terms, lines: Sequence[Looked]) -> tuple[Difference, ...]:
    """
    Tell what is no longer as it was asked for, line by line; ``lines`` are those of :func:`cart_of`, as they stand.

    A price that moved cannot be approved (ADR-0033); the rest can, by who has seen it.
    """
    return tuple(
        Difference(number, what, before, after)
        for number, (line, now) in enumerate(zip(terms.lines, lines, strict=True), 1)
        for what, before, after in _line_differences(line, now.offer, now.product)
    )


def _line_differences(line: OrderLine, offer: Offer | None, product: Product | None) -> Iterator[tuple[What, str, str]]:
    if offer is not None:
        prices = [
            (What.PRICE, line.price_fen, offer.price_fen),
            (What.AGREEMENT_PRICE, line.agreement_price_fen, offer.agreement_price_fen),
        ]
        moved = [(what, _yuan(before), _yuan(after)) for what, before, after in prices if before != after]
        yield from moved
        if not moved and offer.revision != line.offer_revision:
            yield What.OFFER, str(line.offer_revision), str(offer.revision)
    if product is not None and product.revision != line.product_revision:
        texts = [
            (What.NAME, line.name, product.name),
            (What.BRAND, line.brand, product.brand),
            (What.MODEL, line.model, product.model),
            (What.UNIT, line.unit, product.unit),
            (What.SPECIFICATIONS, _written(line.specs), _written(product.attributes)),
        ]
        told = [one for one in texts if one[1] != one[2]]
        yield from told or [(What.PRODUCT, str(line.product_revision), str(product.revision))]


def _yuan(fen: int) -> str:
    return format_yuan(Fen(fen))


def _written(values: Mapping[str, bool | int | str]) -> str:
    return "; ".join(f"{name}: {values[name]}" for name in sorted(values))


def seen_of(lines: Sequence[Looked]) -> str:
    """
    Write down which versions of offers and products somebody looks at, as a SHA-256 in hexadecimal.

    Whoever approves says what was seen; where that is no longer so, the approval is refused.
    """
    seen = [f"{line.wanted.offer_id} {_revision(line.offer)} {_revision(line.product)}" for line in lines]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def _revision(found: Offer | Product | None) -> int:
    return found.revision if found is not None else 0


def fault_of_decider(request: Request, actor: Actor) -> Refusal | None:
    """Tell why an actor may not decide a request, whatever stands in it; ``None``: may."""
    clash = decide_second_hand(request.handler_id, request.terms.purchaser_id, actor)
    if clash is not None:
        return _CLASHES[clash]
    return Refusal.NOT_PENDING if request.stage is not Stage.PENDING else None


_CLASHES: Final = {
    Clash.SAME_PERSON: Refusal.SAME_PERSON,
    Clash.OTHER_ORGANISATION: Refusal.OTHER_ORGANISATION,
    Clash.NOT_APPROVER: Refusal.NOT_APPROVER,
}


def fault_of_withdrawal(request: Request, actor: Actor) -> Refusal | None:
    """Tell why an actor may not withdraw a request; ``None``: may."""
    if actor.user_id is None or actor.user_id != request.handler_id:
        return Refusal.NOT_YOURS
    return Refusal.NOT_PENDING if request.stage is not Stage.PENDING else None


def fault_of_approval(request: Request, actor: Actor, *, seen: str, seen_now: str) -> Refusal | None:
    """Tell why an actor may not approve a request now; what a placement refuses comes after it."""
    return fault_of_decider(request, actor) or (Refusal.CHANGED if seen != seen_now else None)


def approved_of(actor: Actor, terms: Terms, order_id: UUID, confirmed: tuple[Difference, ...]) -> Approved:
    """Say that an actor approved, and which order it became."""
    assert actor.user_id is not None
    return Approved(actor.user_id, actor.name, order_id, terms.number, confirmed)


def decide_return(request: Request, actor: Actor, reason: str) -> Returned | Refusal:
    """Decide that an approver sends a request back; the edge has seen to a reason."""
    assert reason
    if fault := fault_of_decider(request, actor):
        return fault
    assert actor.user_id is not None
    return Returned(actor.user_id, actor.name, reason)


def decide_withdraw(request: Request, actor: Actor) -> Withdrawn | Refusal:
    """Decide that the handler no longer asks."""
    return fault_of_withdrawal(request, actor) or Withdrawn()
