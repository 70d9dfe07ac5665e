"""From which amount on orders need an approver: every refusal, both sides of each edge, and what holds when."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.access.actors import Role
from registries.controls.rules import (
    AHEAD_MAX,
    TEXTS,
    ApprovalSet,
    Control,
    Refusal,
    Setting,
    approval_from,
    can_approve,
    decide_set,
    evolve,
    needs_an_approver,
    takes_the_last_approver,
    words_of,
)
from registries.organisations.rules import Kind, today
from registries.users.rules import Status, User
from tests.builders.registries import AT, an_organisation

SCHOOL = UUID(int=1)
DAY = today(AT)
LIMIT = 5000_00
MOST = 500_000_00


def an_account(**changes: Any) -> User:
    user = User(UUID(int=2), "approver", "李审批", SCHOOL, (Role.APPROVER,), Status.ACTIVE, AT)
    return msgspec.structs.replace(user, **changes)


def a_setting(**changes: Any) -> ApprovalSet:
    return msgspec.structs.replace(ApprovalSet(SCHOOL, LIMIT, DAY, "内控制度", "张管理"), **changes)


def decided(control: Control | None = None, **changes: Any) -> ApprovalSet | Refusal:
    given_ = {
        "organisation": an_organisation(kind=Kind.PURCHASER),
        "people": (an_account(),),
        "most_fen": MOST,
        "at": AT,
    }
    given_ |= {name: changes.pop(name) for name in tuple(changes) if name in given_}
    return decide_set(control, a_setting(**changes), **given_)  # type: ignore[arg-type]


def test_a_purchaser_with_an_approver_sets_a_limit() -> None:
    assert decided() == a_setting()


def test_only_a_purchaser_sets_one() -> None:
    assert decided(organisation=an_organisation(kind=Kind.SUPPLIER)) is Refusal.NOT_PURCHASER
    assert decided(organisation=None) is Refusal.NOT_PURCHASER


def test_it_holds_from_today_at_the_earliest_and_a_year_ahead_at_the_latest() -> None:
    assert decided(effective_from=DAY - timedelta(days=1)) is Refusal.DAY_PAST
    assert isinstance(decided(effective_from=DAY), ApprovalSet)
    assert isinstance(decided(effective_from=DAY + AHEAD_MAX), ApprovalSet)
    assert decided(effective_from=DAY + AHEAD_MAX + timedelta(days=1)) is Refusal.DAY_TOO_FAR


def test_a_limit_that_no_order_could_reach_is_refused_in_yuan() -> None:
    assert isinstance(decided(approval_from_fen=MOST), ApprovalSet)
    assert decided(approval_from_fen=MOST + 1) is Refusal.ABOVE_LIMITS
    assert isinstance(decided(approval_from_fen=MOST + 1, most_fen=None), ApprovalSet)
    zh, en = words_of(Refusal.ABOVE_LIMITS, MOST)
    assert "500000.00 元" in zh
    assert "500000.00 yuan" in en


def test_somebody_must_be_able_to_approve() -> None:
    nobody = (None, an_account(status=Status.DISABLED), an_account(roles=(Role.PURCHASER,)))

    assert decided(people=nobody) is Refusal.NO_APPROVER
    assert isinstance(decided(people=(*nobody, an_account())), ApprovalSet)
    assert [can_approve(one) for one in (*nobody, an_account())] == [False, False, False, True]


def test_switching_it_off_asks_neither_for_an_approver_nor_for_limits() -> None:
    control = evolve(None, a_setting(), AT)

    assert isinstance(decided(control, approval_from_fen=None, people=(), most_fen=0), ApprovalSet)


def test_what_holds_already_is_not_set_again() -> None:
    control = evolve(None, a_setting(), AT)

    assert decided(control) is Refusal.NOTHING_CHANGES
    assert isinstance(decided(control, approval_from_fen=LIMIT + 1), ApprovalSet)
    assert decided(None, approval_from_fen=None) is Refusal.NOTHING_CHANGES


def test_a_setting_holds_from_its_day_on_and_the_one_before_until_then() -> None:
    later = DAY + timedelta(days=30)
    control = evolve(evolve(None, a_setting(), AT), a_setting(approval_from_fen=None, effective_from=later), AT)

    assert approval_from(None, DAY) is None
    assert approval_from(control, DAY - timedelta(days=1)) is None
    assert approval_from(control, later - timedelta(days=1)) == LIMIT
    assert approval_from(control, later) is None


def test_of_two_settings_for_one_day_the_later_one_holds() -> None:
    control = evolve(evolve(None, a_setting(), AT), a_setting(approval_from_fen=1), AT)

    assert control == Control(SCHOOL, (Setting(DAY, 1),))


def test_a_setting_for_later_alone_changes_nothing_today() -> None:
    control = evolve(None, a_setting(effective_from=DAY + timedelta(days=1)), AT)

    assert approval_from(control, DAY) is None
    assert approval_from(control, DAY + timedelta(days=1)) == LIMIT


@given(
    made=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 5), st.one_of(st.none(), st.integers(1, 9))), max_size=30
    )
)
def test_what_holds_is_the_last_setting_for_the_last_day_that_has_come(made: list[tuple[int, int, int | None]]) -> None:
    """The state forgets what no longer holds; it answers for today and later as one that forgets nothing."""
    control, every, now = None, dict[date, int | None](), 0
    for step, ahead, amount in made:
        now += step
        at, day = AT + timedelta(days=now), DAY + timedelta(days=now + ahead)
        every[day] = amount
        control = evolve(control, a_setting(approval_from_fen=amount, effective_from=day), at)
        for later in range(7):
            asked = DAY + timedelta(days=now + later)
            come = [one for one in every if one <= asked]
            assert approval_from(control, asked) == (every[max(come)] if come else None)
    assert control is None or len(control.settings) <= 7


def test_every_refusal_has_words_in_both_languages() -> None:
    assert set(TEXTS) == set(Refusal)
    assert all(zh and en for zh, en in (words_of(one, None) for one in Refusal))


TOMORROW = DAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ((), False),
        (((DAY, LIMIT),), True),
        (((DAY, None),), False),
        (((TOMORROW, LIMIT),), True),
        (((TOMORROW, None),), False),
        (((DAY, LIMIT), (TOMORROW, None)), True),
        (((DAY, None), (TOMORROW, LIMIT)), True),
        (((DAY - timedelta(days=1), LIMIT), (DAY, None)), False),
    ],
)
def test_an_approver_is_needed_while_a_limit_holds_or_is_set_for_later(
    settings: tuple[tuple[date, int | None], ...], *, needed: bool
) -> None:
    control = Control(SCHOOL, tuple(Setting(day, fen) for day, fen in settings)) if settings else None

    assert needs_an_approver(control, DAY) is needed


IN_FORCE = Control(SCHOOL, (Setting(DAY, LIMIT),))
CLOSED = an_account(status=Status.DISABLED)


def taken(**changes: Any) -> bool:
    case = {"before": an_account(), "after": CLOSED, "others": (), "day": DAY}
    return takes_the_last_approver(changes.pop("control", IN_FORCE), **(case | changes))


def test_the_last_approver_is_neither_closed_nor_made_something_else_while_a_limit_holds() -> None:
    assert taken()
    assert taken(after=an_account(roles=(Role.PURCHASER,)))
    assert taken(others=(None, CLOSED, an_account(roles=(Role.ADMINISTRATOR,))))


def test_an_approver_goes_where_another_stays_or_no_limit_holds() -> None:
    assert not taken(others=(an_account(id=UUID(int=3)),))
    assert not taken(control=None)
    assert not taken(after=an_account(roles=(Role.PURCHASER, Role.APPROVER)))


def test_who_could_not_approve_before_is_not_missed() -> None:
    assert not taken(before=an_account(roles=(Role.PURCHASER,)))
    assert not taken(before=CLOSED, after=an_account())
