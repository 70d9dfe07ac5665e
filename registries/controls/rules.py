"""
An organisation's internal control (内部控制): from which amount on an order of its handlers needs an approver.

A setting holds from a Beijing day on, never from one that has passed: what was ordered is not judged anew. Several may
lie ahead. Every setting stays in the journal.

Source: 政府采购法 第六十一条 (who handles and who examines are different persons, 经办与审批分离); ADR-0057.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from kernel.access.actors import Role
from kernel.money import FEN_MAX, format_yuan
from registries.organisations.lifecycle import Kind, Organisation
from registries.organisations.rules import today
from registries.users.rules import Status, User

AHEAD_MAX: Final = timedelta(days=366)
"""How long before it holds something may be set."""
NOTE_LENGTH_MAX: Final = 200


class Refusal(StrEnum):
    """Why a setting is refused, in precedence order."""

    NOT_PURCHASER = "not-a-purchaser"
    DAY_PAST = "day-past"
    DAY_TOO_FAR = "day-too-far"
    ABOVE_LIMITS = "above-order-limits"
    NO_APPROVER = "no-approver"
    NOTHING_CHANGES = "nothing-changes"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.NOT_PURCHASER: (
        "只有采购单位可以设置审批起点金额。",
        "Only a purchaser's organisation sets from which amount on its orders need approval.",
    ),
    Refusal.DAY_PAST: ("生效日期不能早于今天。", "It cannot hold from a day that has passed."),
    Refusal.DAY_TOO_FAR: (
        f"生效日期不能晚于{AHEAD_MAX.days}天后。",
        f"It cannot hold from a day more than {AHEAD_MAX.days} days ahead.",
    ),
    Refusal.ABOVE_LIMITS: (
        "审批起点金额高于单次直接订购限额 {most} 元：没有订单会达到，请降低金额，或停用审批。",
        "No order would reach it: the limit of one direct order is {most} yuan. Lower it, or switch approval off.",
    ),
    Refusal.NO_APPROVER: (
        "本单位还没有可用的审批账号，请先在“本单位账号”中为同事设置“审批”角色。",
        "Nobody in your organisation can approve yet: give a colleague the role of approver under “Accounts” first.",
    ),
    Refusal.NOTHING_CHANGES: (
        "没有变化：该日起已按此金额执行。",
        "Nothing would change: it holds from that day already.",
    ),
}


class Setting(msgspec.Struct, frozen=True):
    """From a Beijing day on, orders of at least ``approval_from_fen`` need an approver; ``None``: none does."""

    effective_from: date
    approval_from_fen: int | None


class Control(msgspec.Struct, frozen=True):
    """What holds in an organisation: the setting in force and those to come, by day. Its id is the organisation's."""

    id: UUID
    settings: tuple[Setting, ...]


class ApprovalSet(msgspec.Struct, frozen=True, tag_field="kind", tag="control.approval_set"):
    """The administrator set from which amount on an order needs an approver (设置审批起点金额)."""

    organisation_id: UUID
    approval_from_fen: int | None
    effective_from: date
    note: str
    name: str


Event = ApprovalSet


def approval_from(control: Control | None, day: date) -> int | None:
    """Tell from which amount in fen on an order needs an approver on a Beijing day; ``None``: none does."""
    found = None
    for setting in control.settings if control else ():
        if setting.effective_from <= day:
            found = setting.approval_from_fen
    return found


def can_approve(user: User | None) -> bool:
    """Tell whether an account can approve: it may log in, and is an approver."""
    return user is not None and user.status is Status.ACTIVE and Role.APPROVER in user.roles


def needs_an_approver(control: Control | None, day: date) -> bool:
    """Tell whether orders need an approver on a Beijing day, or will from a day that is set already."""
    ahead = (one for one in control.settings if one.effective_from > day) if control else ()
    return approval_from(control, day) is not None or any(one.approval_from_fen is not None for one in ahead)


def takes_the_last_approver(
    control: Control | None, *, before: User, after: User, others: Iterable[User | None], day: date
) -> bool:
    """
    Tell whether a change of an account leaves orders that need an approver without one.

    It is the other side of ``NO_APPROVER``: a limit begins with somebody who can approve, and keeps one while it holds.
    Where nobody can any more, a change of somebody else's account is not to blame. Source: ADR-0057.
    """
    lost = can_approve(before) and not can_approve(after)
    return lost and needs_an_approver(control, day) and not any(map(can_approve, others))


def decide_set(
    control: Control | None,
    wanted: ApprovalSet,
    *,
    organisation: Organisation | None,
    people: Iterable[User | None],
    most_fen: int | None,
    at: datetime,
) -> ApprovalSet | Refusal:
    """
    Decide a setting; ``most_fen`` is the largest limit of one direct order in the region, ``None`` where none is known.

    Switching approval off asks neither for an approver nor for limits.
    """
    assert wanted.approval_from_fen is None or 0 < wanted.approval_from_fen <= FEN_MAX
    if organisation is None or organisation.kind is not Kind.PURCHASER:
        return Refusal.NOT_PURCHASER
    if fault := _fault_of_day(wanted.effective_from, today(at)):
        return fault
    if wanted.approval_from_fen is not None:
        if most_fen is not None and wanted.approval_from_fen > most_fen:
            return Refusal.ABOVE_LIMITS
        if not any(map(can_approve, people)):
            return Refusal.NO_APPROVER
    same = approval_from(control, wanted.effective_from) == wanted.approval_from_fen
    return Refusal.NOTHING_CHANGES if same else wanted


def _fault_of_day(day: date, now: date) -> Refusal | None:
    if day < now:
        return Refusal.DAY_PAST
    return Refusal.DAY_TOO_FAR if day > now + AHEAD_MAX else None


def words_of(refusal: Refusal, most_fen: int | None) -> tuple[str, str]:
    """Put a refusal into words."""
    most = "" if most_fen is None else format_yuan(most_fen)  # type: ignore[arg-type]
    zh, en = TEXTS[refusal]
    return zh.format(most=most), en.format(most=most)


def evolve(control: Control | None, event: Event, at: datetime) -> Control:
    """Put a setting in its place by day; what it replaces and what no longer holds is in the journal alone."""
    day = today(at)
    settings = (
        [] if control is None else [one for one in control.settings if one.effective_from != event.effective_from]
    )
    settings.append(Setting(event.effective_from, event.approval_from_fen))
    settings.sort(key=lambda one: one.effective_from)
    held = [one.effective_from for one in settings if one.effective_from <= day]
    first = held[-1] if held else settings[0].effective_from
    return Control(event.organisation_id, tuple(one for one in settings if one.effective_from >= first))
