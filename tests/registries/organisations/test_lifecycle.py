"""The table of an organisation's life is the whole truth, and its events say what changed."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import msgspec
import pytest

from registries.organisations.lifecycle import (
    BY,
    FINAL,
    IN_REVIEW,
    NEXT,
    REGISTERED,
    Applied,
    Approved,
    ChangeApproved,
    ChangeAsked,
    Changed,
    ChangeDropped,
    ChangeReturned,
    Deregistered,
    Event,
    IllegalStepError,
    Kind,
    LeaveAsked,
    Organisation,
    Refused,
    Registered,
    Reinstated,
    Renamed,
    Resubmitted,
    Returned,
    Side,
    Status,
    Stayed,
    Step,
    Suspended,
    Suspension,
    SuspensionCancelled,
    SuspensionPlanned,
    Withdrawn,
    after,
    due,
    evolve,
    picture,
    review_region,
    waiting_since,
)
from registries.organisations.rules import refusal_of, steps_of
from registries.suspensions.rules import PlannedSuspension
from tests.builders.registries import AT, a_profile, an_applicant, an_organisation

LATER = AT + timedelta(days=1)
EVENTS: dict[Step, Event] = {
    Step.RETURN: Returned({"phone": "空号"}, ""),
    Step.RESUBMIT: Resubmitted(a_profile(name="新名")),
    Step.APPROVE: Approved(),
    Step.REFUSE: Refused("冒用"),
    Step.WITHDRAW: Withdrawn(),
    Step.SUSPEND: Suspended("串通", date(2027, 1, 31)),
    Step.REINSTATE: Reinstated("期满"),
    Step.LEAVE: LeaveAsked("歇业"),
    Step.STAY: Stayed(),
    Step.DEREGISTER: Deregistered("已办结"),
}


def test_final_stages_have_no_way_out() -> None:
    assert {Status.REFUSED, Status.WITHDRAWN, Status.DEREGISTERED} == FINAL
    assert set(Status) == FINAL | IN_REVIEW | REGISTERED


def test_every_stage_can_be_reached() -> None:
    reached = {Status.APPLIED}
    while more := {to for (status, _), to in NEXT.items() if status in reached} - reached:
        reached |= more

    assert reached == set(Status)


@pytest.mark.parametrize(("status", "step"), [pair for pair in product(Status, Step) if pair not in NEXT])
def test_every_pair_that_is_not_named_is_refused(status: Status, step: Step) -> None:
    with pytest.raises(IllegalStepError):
        after(status, step)
    assert all(refusal_of(an_organisation(status=status), step, side) for side in Side)


@pytest.mark.parametrize(("status", "step"), NEXT)
def test_a_step_is_taken_by_its_side_and_leads_where_the_table_says(status: Status, step: Step) -> None:
    organisation = an_organisation(status=status)

    assert evolve(organisation, EVENTS[step], LATER).status is NEXT[status, step]
    for side in Side:
        assert (refusal_of(organisation, step, side) is None) is (side in BY[status, step])


def test_who_may_take_a_step_is_told_for_every_way_in_the_table() -> None:
    assert set(BY) == set(NEXT)
    assert all(BY.values())
    assert steps_of(an_organisation(status=Status.RETURNED), Side.ORGANISATION) == (Step.RESUBMIT, Step.WITHDRAW)
    assert steps_of(an_organisation(), Side.CLOCK) == (Step.SUSPEND,)
    assert steps_of(an_organisation(status=Status.RETURNED), Side.CLOCK) == ()


def test_an_application_holds_what_was_said_and_waits_from_then_on() -> None:
    applied = Applied(an_organisation().id, Kind.AGENCY, an_organisation().credit_code, "ZC1", a_profile())
    organisation = evolve(None, applied, AT)

    assert (organisation.status, organisation.registered_at, organisation.revision) == (Status.APPLIED, None, 1)
    assert organisation.profile == a_profile()
    assert waiting_since(organisation) == AT
    assert waiting_since(evolve(organisation, EVENTS[Step.RETURN], LATER)) is None


def test_what_was_returned_is_forgotten_when_it_comes_back() -> None:
    returned = evolve(an_applicant(), Returned({"phone": "空号"}, "请核对"), AT)
    again = evolve(returned, Resubmitted(a_profile(name="新名")), LATER)

    assert (returned.faults, returned.note) == ({"phone": "空号"}, "请核对")
    assert (again.faults, again.note, again.name, again.applied_at) == ({}, "", "新名", LATER)


def test_a_change_that_waits_leaves_the_old_in_force() -> None:
    asked = evolve(an_organisation(), ChangeAsked(a_profile(name="新名", region="330203")), AT)

    assert (asked.name, review_region(asked), waiting_since(asked)) == (an_organisation().name, "330203", AT)
    returned = evolve(asked, ChangeReturned({"name": "与执照不符"}, ""), AT)
    assert waiting_since(returned) is None
    assert evolve(returned, ChangeDropped(), AT).pending is None
    approved = evolve(asked, ChangeApproved(), LATER)
    assert (approved.name, approved.region, approved.pending) == ("新名", "330203", None)


def test_a_change_without_review_is_not_undone_by_one_that_waited() -> None:
    organisation = an_applicant(status=Status.ACTIVE)
    asked = evolve(organisation, ChangeAsked(a_profile(name="新名")), AT)
    moved = evolve(asked, Changed(a_profile(phone="13900000000")), AT)
    approved = evolve(moved, ChangeApproved(), LATER)

    assert (approved.name, approved.details.phone) == ("新名", "13900000000")


def test_a_suspension_knows_its_reason_and_its_last_day() -> None:
    suspended = evolve(an_organisation(), Suspended("串通", date(2027, 1, 31)), AT)

    assert suspended.suspension == Suspension("串通", AT, date(2027, 1, 31))
    assert due(suspended) == (datetime(2027, 1, 31, 16, tzinfo=UTC), Step.REINSTATE)
    assert due(evolve(suspended, Reinstated("期满"), LATER)) is None
    assert due(evolve(an_organisation(), Suspended("串通"), AT)) is None


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.LEAVING])
def test_a_planned_suspension_falls_due_with_its_first_day(status: Status) -> None:
    before = an_organisation(status=status)
    planned = evolve(before, SuspensionPlanned("串通", date(2027, 1, 1), date(2027, 1, 31)), AT)
    begins_at = datetime(2026, 12, 31, 16, tzinfo=UTC)

    assert planned.planned == PlannedSuspension("串通", date(2027, 1, 1), date(2027, 1, 31), AT)
    assert (planned.status, planned.suspension) == (status, None)
    assert due(planned) == (begins_at, Step.SUSPEND)
    assert due(evolve(planned, SuspensionCancelled("撤销"), LATER)) is None
    begun = evolve(planned, Suspended("串通", date(2027, 1, 31)), begins_at)
    assert (begun.planned, due(begun)) == (None, (datetime(2027, 1, 31, 16, tzinfo=UTC), Step.REINSTATE))


def test_who_is_struck_off_has_no_suspension_to_come() -> None:
    planned = evolve(an_organisation(status=Status.LEAVING), SuspensionPlanned("串通", date(2027, 1, 1)), AT)
    assert evolve(planned, Deregistered("注销"), LATER).planned is None


def test_an_organisation_counts_its_events() -> None:
    organisation: Organisation = evolve(
        None,
        Registered(*[getattr(an_organisation(), name) for name in ("id", "kind", "name", "credit_code", "region")]),
        AT,
    )
    for event in (Renamed("新名"), Suspended("x"), Reinstated("y")):
        organisation = evolve(organisation, event, AT)

    assert organisation.revision == 4


def test_an_event_survives_the_journal() -> None:
    others: list[Event] = [ChangeAsked(a_profile()), Changed(a_profile()), ChangeApproved("x"), ChangeDropped()]
    for event in (*EVENTS.values(), *others):
        assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


def test_events_written_before_suspensions_had_an_end_can_be_read() -> None:
    old = b'{"kind":"organisation.suspended","reason":"x"}'

    assert msgspec.json.decode(old, type=Event) == Suspended("x", None)


def test_the_picture_in_the_documentation_is_drawn_from_the_table() -> None:
    page = Path(__file__).parents[3] / "docs/lifecycles/organisation.md"

    assert page.read_text("utf-8") == picture()
