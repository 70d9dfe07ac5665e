"""
Budget lines (预算指标): an appropriation and what orders do to it, decided purely.

The ledger has four accounts per line. ``appropriated`` is where the money comes from; ``available``,
``reserved`` and ``consumed`` are where it is. Every event moves one amount from one account to another,
so ``appropriated = available + reserved + consumed`` holds by construction and no account is ever negative.

Source: 预算法 第十三条 (no spending outside the budget); 政府采购法 第三十三条; 需求 DOMAIN §8 core invariants.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, assert_never
from uuid import UUID

import msgspec

from kernel.clock import beijing_day
from kernel.frozenmap import FrozenMap

RESERVATIONS_MAX: Final = 10_000
"""Open orders on one line; bounds what is read when the line is loaded."""


class Account(StrEnum):
    """Where a line's money is; ``appropriated`` is the contra account that it comes from."""

    APPROPRIATED = "appropriated"  # 指标
    AVAILABLE = "available"  # 可用
    RESERVED = "reserved"  # 冻结
    CONSUMED = "consumed"  # 已支用


class Line(msgspec.Struct, frozen=True, gc=False):
    """
    One budget line as it stands; amounts in fen.

    ``year`` is the fiscal year (1 January to 31 December, Beijing time, 预算法 第十八条). ``reservations``
    holds what each open order still keeps; its sum is ``reserved_fen``.
    """

    number: str
    name: str
    year: int
    organisation_id: UUID
    region: str
    appropriated_fen: int
    available_fen: int
    reserved_fen: int
    consumed_fen: int
    reservations: FrozenMap[UUID, int]


class Appropriated(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="budget.appropriated"):
    """The line exists (指标下达): ``document`` is the approval that says so."""

    number: str
    name: str
    year: int
    organisation_id: UUID
    region: str
    amount_fen: int
    document: str


class Adjusted(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="budget.adjusted"):
    """More or less money (追加, 调减): ``amount_fen`` is signed and never zero."""

    amount_fen: int
    document: str


class Reserved(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="budget.reserved"):
    """An order keeps an amount (冻结)."""

    order_id: UUID
    amount_fen: int


class Released(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="budget.released"):
    """An order gives back what it kept (释放)."""

    order_id: UUID
    amount_fen: int


class Consumed(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="budget.consumed"):
    """An order's goods were received: what it kept is spent (支用)."""

    order_id: UUID
    amount_fen: int


Event = Appropriated | Adjusted | Reserved | Released | Consumed


class Refusal(StrEnum):
    """Why a line says no, in precedence order."""

    NOT_YOURS = "budget-not-yours"
    WRONG_YEAR = "budget-wrong-year"
    TOO_MANY_OPEN = "budget-too-many-open-orders"
    INSUFFICIENT = "budget-insufficient"
    NOT_RESERVED = "budget-not-reserved"
    BELOW_COMMITTED = "budget-below-committed"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.NOT_YOURS: (
        "该预算指标不属于本单位，请选择本单位的指标。",
        "The budget line is not your organisation's; choose one of your own.",
    ),
    Refusal.WRONG_YEAR: (
        "该预算指标不是本年度的指标，请选择本年度的指标。",
        "The budget line is of another fiscal year; choose one of this year.",
    ),
    Refusal.TOO_MANY_OPEN: (
        f"该预算指标上未完成的订单已达 {RESERVATIONS_MAX} 个，请先完成或换用其他指标。",
        f"The budget line has {RESERVATIONS_MAX} open orders; complete some or choose another line.",
    ),
    Refusal.INSUFFICIENT: (
        "预算指标可用余额不足，请减少数量或换用其他指标。",
        "The budget line has too little left; order less or choose another line.",
    ),
    Refusal.NOT_RESERVED: (
        "该订单冻结的预算不足此金额。",
        "The order has not reserved that much of the budget line.",
    ),
    Refusal.BELOW_COMMITTED: (
        "调减金额超过可用余额，已冻结和已支用的金额不能调减。",
        "The cut is more than what is available; reserved and consumed amounts cannot be cut.",
    ),
}


class Posting(NamedTuple):
    """One double entry: ``amount_fen`` (positive) goes from ``credit`` to ``debit``."""

    debit: Account
    credit: Account
    amount_fen: int
    order_id: UUID | None


def posting_of(event: Event) -> Posting:
    """Write an event as the one double entry that it is."""
    match event:
        case Appropriated(amount_fen=amount):
            return Posting(Account.AVAILABLE, Account.APPROPRIATED, amount, None)
        case Adjusted(amount_fen=amount) if amount > 0:
            return Posting(Account.AVAILABLE, Account.APPROPRIATED, amount, None)
        case Adjusted(amount_fen=amount):
            return Posting(Account.APPROPRIATED, Account.AVAILABLE, -amount, None)
        case Reserved(order_id=order_id, amount_fen=amount):
            return Posting(Account.RESERVED, Account.AVAILABLE, amount, order_id)
        case Released(order_id=order_id, amount_fen=amount):
            return Posting(Account.AVAILABLE, Account.RESERVED, amount, order_id)
        case Consumed(order_id=order_id, amount_fen=amount):
            return Posting(Account.CONSUMED, Account.RESERVED, amount, order_id)
        case _:
            assert_never(event)


def fiscal_year(at: datetime) -> int:
    """
    Tell the fiscal year of a moment: the calendar year in Beijing.

    Source: 预算法 第十八条.
    """
    return beijing_day(at).year


def decide_adjust(line: Line, *, amount_fen: int, document: str) -> Adjusted | Refusal:
    """
    Add to a line or cut it; what is reserved or consumed cannot be cut.

    Source: 预算法 第七十二条 (transfers need approval: ``document`` names it).
    """
    assert amount_fen != 0
    if line.available_fen + amount_fen < 0:
        return Refusal.BELOW_COMMITTED
    return Adjusted(amount_fen, document)


def refusal_to_reserve(line: Line, *, organisation_id: UUID, amount_fen: int, at: datetime) -> Refusal | None:
    """
    Tell why an organisation may not reserve an amount, if so; the last fen may be reserved.

    Source: 政府采购法 第三十三条; 预算法 第十三条.
    """
    if line.organisation_id != organisation_id:
        return Refusal.NOT_YOURS
    if line.year != fiscal_year(at):
        return Refusal.WRONG_YEAR
    if len(line.reservations) >= RESERVATIONS_MAX:
        return Refusal.TOO_MANY_OPEN
    if line.available_fen < amount_fen:
        return Refusal.INSUFFICIENT
    return None


def decide_release(line: Line, *, order_id: UUID, amount_fen: int) -> Released | Refusal:
    """Give back at most what the order still keeps; allowed in any year."""
    assert amount_fen > 0
    if line.reservations.get(order_id, 0) < amount_fen:
        return Refusal.NOT_RESERVED
    return Released(order_id, amount_fen)


def decide_consume(line: Line, *, order_id: UUID, amount_fen: int) -> Consumed | Refusal:
    """Spend at most what the order still keeps; a reservation made in December may be spent in January (结转)."""
    assert amount_fen > 0
    if line.reservations.get(order_id, 0) < amount_fen:
        return Refusal.NOT_RESERVED
    return Consumed(order_id, amount_fen)


def evolve(line: Line | None, event: Event, at: datetime) -> Line:  # noqa: ARG001 - the ledger does not depend on time
    """Apply what was decided."""
    if isinstance(event, Appropriated):
        amount = event.amount_fen
        return Line(
            event.number, event.name, event.year, event.organisation_id, event.region, amount, amount, 0, 0, FrozenMap()
        )
    assert line is not None
    match event:
        case Adjusted(amount_fen=amount):
            return _moved(line, line.reservations, appropriated=amount, available=amount)
        case Reserved(order_id=order_id, amount_fen=amount):
            kept = line.reservations.with_(order_id, line.reservations.get(order_id, 0) + amount)
            return _moved(line, kept, available=-amount, reserved=amount)
        case Released(order_id=order_id, amount_fen=amount):
            return _moved(line, _kept_less(line, order_id, amount), available=amount, reserved=-amount)
        case Consumed(order_id=order_id, amount_fen=amount):
            return _moved(line, _kept_less(line, order_id, amount), reserved=-amount, consumed=amount)
        case _:
            assert_never(event)


def _kept_less(line: Line, order_id: UUID, amount: int) -> FrozenMap[UUID, int]:
    left = line.reservations[order_id] - amount
    return line.reservations.with_(order_id, left) if left else line.reservations.without(order_id)


def _moved(
    line: Line,
    reservations: FrozenMap[UUID, int],
    *,
    appropriated: int = 0,
    available: int = 0,
    reserved: int = 0,
    consumed: int = 0,
) -> Line:
    return Line(
        line.number,
        line.name,
        line.year,
        line.organisation_id,
        line.region,
        line.appropriated_fen + appropriated,
        line.available_fen + available,
        line.reserved_fen + reserved,
        line.consumed_fen + consumed,
        reservations,
    )
