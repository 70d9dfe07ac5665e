"""
What a suspension is, when it begins and when it ends: by days in Beijing, each whole.

What may be decided about it is with those who decide: ``registries.organisations.rules``, ``market.standing.rules``.
"""

from datetime import date, datetime, time, timedelta

import msgspec

from kernel.clock import BEIJING


class Suspension(msgspec.Struct, frozen=True):
    """Why and since when an organisation may not trade; ``until`` is the last day in Beijing, empty for no end."""

    reason: str
    since: datetime
    until: date | None = None


class PlannedSuspension(msgspec.Struct, frozen=True):
    """Why an organisation may not trade from the beginning of the day ``start`` on."""

    reason: str
    start: date
    until: date | None
    planned_at: datetime


class Suspended(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.suspended"):
    """The organisation may not trade (暂停)."""

    reason: str
    until: date | None = None


class Reinstated(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.reinstated"):
    """The organisation may trade again (恢复)."""

    reason: str


class SuspensionPlanned(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.suspension_planned"):
    """The organisation may not trade from a day to come on (预定暂停)."""

    reason: str
    start: date
    until: date | None = None


class SuspensionCancelled(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.suspension_cancelled"):
    """The suspension that was planned does not come (撤销预定暂停)."""

    reason: str


def begins_at(start: date) -> datetime:
    """Tell the moment at which a day begins in Beijing."""
    return datetime.combine(start, time(), BEIJING)


def ends_at(until: date) -> datetime:
    """Tell the moment at which a suspension until the end of a day in Beijing is over."""
    return begins_at(until + timedelta(days=1))
