from datetime import UTC, date, datetime, timedelta

import pytest

from market.standing.rules import TEXTS, Refusal, decide_cancel, decide_due, decide_plan
from registries.organisations.lifecycle import (
    IN_REVIEW,
    Organisation,
    Reinstated,
    Status,
    Suspended,
    SuspensionCancelled,
    SuspensionPlanned,
    evolve,
)
from registries.organisations.rules import Refusal as OfOrganisation
from tests.builders.registries import AT, an_organisation

MOMENT = timedelta(microseconds=1)
TODAY = date(2026, 11, 23)
FIRST, LAST = date(2026, 12, 1), date(2027, 11, 30)
MIDNIGHT = datetime(2026, 11, 30, 16, tzinfo=UTC)
"""The beginning of ``FIRST`` in Beijing."""


def planned(until: date | None = LAST, status: Status = Status.ACTIVE) -> Organisation:
    return evolve(an_organisation(status=status), SuspensionPlanned("串通", FIRST, until), AT)


@pytest.mark.parametrize(
    ("start", "good"),
    [
        (TODAY, False),
        (TODAY - timedelta(days=1), False),
        (TODAY + timedelta(days=1), True),
        (date(2027, 11, 23), True),
        (date(2027, 11, 24), False),
    ],
)
def test_a_suspension_is_planned_from_tomorrow_to_a_year_ahead(start: date, *, good: bool) -> None:
    decision = decide_plan(an_organisation(), reason="串通", at=AT, start=start, until=None)
    assert decision == (SuspensionPlanned("串通", start, None) if good else Refusal.START_WRONG)


def test_today_is_the_day_in_beijing() -> None:
    late = datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)
    tomorrow = date(2026, 11, 24)
    assert decide_plan(an_organisation(), reason="x", at=late, start=tomorrow, until=None) == SuspensionPlanned(
        "x", tomorrow
    )
    begun = late + timedelta(seconds=1)
    assert decide_plan(an_organisation(), reason="x", at=begun, start=tomorrow, until=None) is Refusal.START_WRONG


@pytest.mark.parametrize(
    ("until", "good"),
    [
        (FIRST - timedelta(days=1), False),
        (FIRST, True),
        (date(2029, 12, 1), True),
        (date(2029, 12, 2), False),
    ],
)
def test_it_lasts_a_day_at_least_and_three_years_at_most(until: date, *, good: bool) -> None:
    decision = decide_plan(an_organisation(), reason="串通", at=AT, start=FIRST, until=until)
    assert decision == (SuspensionPlanned("串通", FIRST, until) if good else OfOrganisation.UNTIL_WRONG)


@pytest.mark.parametrize("status", Status)
def test_only_who_may_be_suspended_has_a_suspension_planned(status: Status) -> None:
    decision = decide_plan(an_organisation(status=status), reason="x", at=AT, start=FIRST, until=None)
    allowed = status in {Status.ACTIVE, Status.LEAVING}
    assert decision == (SuspensionPlanned("x", FIRST) if allowed else OfOrganisation.NOT_AT_THIS_STAGE)
    assert not allowed or status not in IN_REVIEW


def test_one_suspension_is_planned_at_a_time_and_can_be_cancelled() -> None:
    again = decide_plan(planned(), reason="x", at=AT, start=FIRST, until=None)
    assert again is Refusal.PLANNED_ALREADY
    assert decide_cancel(planned(), reason="复议撤销") == SuspensionCancelled("复议撤销")
    assert decide_cancel(an_organisation(), reason="x") is Refusal.NOTHING_PLANNED


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.LEAVING])
def test_it_begins_with_the_first_moment_of_its_first_day_and_not_before(status: Status) -> None:
    assert decide_due(planned(status=status), MIDNIGHT - MOMENT) is None
    assert decide_due(planned(status=status), MIDNIGHT) == Suspended("串通", LAST)
    assert decide_due(evolve(planned(), SuspensionCancelled("x"), AT), MIDNIGHT) is None


def test_one_at_once_takes_the_place_of_the_planned_one() -> None:
    suspended = evolve(planned(), Suspended("紧急"), AT)
    assert decide_due(suspended, MIDNIGHT) is None


def test_a_suspension_is_over_when_its_last_day_is() -> None:
    suspended = evolve(an_organisation(), Suspended("串通", TODAY), AT)
    midnight = datetime(2026, 11, 23, 16, tzinfo=UTC)
    assert decide_due(suspended, midnight - MOMENT) is None
    assert decide_due(suspended, midnight) == Reinstated("暂停期满")
    assert decide_due(an_organisation(), midnight) is None


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
