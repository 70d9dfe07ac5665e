"""
Suspensions that begin on a day to come, and what the clock does to an organisation, decided purely.

Source: 政府采购法 第七十七条, 第七十八条; a decision names the day from which it holds. ADR-0053.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final

from registries.organisations.lifecycle import (
    Organisation,
    Reinstated,
    Side,
    Step,
    Suspended,
    SuspensionCancelled,
    SuspensionPlanned,
    due,
)
from registries.organisations.rules import SUSPENSION_YEARS_MAX, refusal_of, today, years_later
from registries.organisations.rules import Refusal as OfOrganisation

AHEAD_YEARS_MAX: Final = 1
"""How far ahead a suspension may be planned."""


class Refusal(StrEnum):
    """Why a plan is refused, in order of precedence."""

    PLANNED_ALREADY = "planned-already"
    START_WRONG = "start-wrong"
    NOTHING_PLANNED = "nothing-planned"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.PLANNED_ALREADY: (
        "该单位已有预定的暂停，请先撤销再重新预定。",
        "A suspension is planned already; cancel it first to plan another.",
    ),
    Refusal.START_WRONG: (
        f"起始日须为明天至{AHEAD_YEARS_MAX}年内；今天起暂停请不填起始日。",
        f"The first day is tomorrow at the earliest and {AHEAD_YEARS_MAX} year ahead at most; leave it empty for now.",
    ),
    Refusal.NOTHING_PLANNED: ("该单位没有预定的暂停。", "No suspension of this organisation is planned."),
}


def decide_plan(
    organisation: Organisation, *, reason: str, at: datetime, start: date, until: date | None
) -> SuspensionPlanned | Refusal | OfOrganisation:
    """Decide a suspension from the beginning of a day to come, in Beijing, until the end of another or its lifting."""
    assert reason
    refusal = refusal_of(organisation, Step.SUSPEND, Side.FINANCE)
    if refusal:
        return refusal
    if organisation.planned is not None:
        return Refusal.PLANNED_ALREADY
    if not today(at) < start <= years_later(today(at), AHEAD_YEARS_MAX):
        return Refusal.START_WRONG
    if until is not None and not start <= until <= years_later(start, SUSPENSION_YEARS_MAX):
        return OfOrganisation.UNTIL_WRONG
    return SuspensionPlanned(reason, start, until)


def decide_cancel(organisation: Organisation, *, reason: str) -> SuspensionCancelled | Refusal:
    """Decide that a suspension which has not begun does not come."""
    assert reason
    return SuspensionCancelled(reason) if organisation.planned else Refusal.NOTHING_PLANNED


def decide_due(organisation: Organisation, at: datetime) -> Suspended | Reinstated | None:
    """Decide what the clock does: begin a suspension whose first day has come, end one whose last day is over."""
    falls_due, planned = due(organisation), organisation.planned
    if falls_due is None or at < falls_due[0]:
        return None
    return Suspended(planned.reason, planned.until) if planned else Reinstated("暂停期满")
