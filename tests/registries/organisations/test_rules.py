import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registries.organisations.lifecycle import (
    REVIEWED_DETAILS,
    Applied,
    Approved,
    ChangeApproved,
    ChangeAsked,
    Changed,
    ChangeDropped,
    ChangeReturned,
    Declared,
    Deregistered,
    LeaveAsked,
    Resubmitted,
    Returned,
    Side,
    Stayed,
    Step,
    Withdrawn,
)
from registries.organisations.lifecycle import Refused as Turned
from registries.organisations.rules import (
    DECLARED_BY,
    FAULT_TEXTS,
    TEXTS,
    Event,
    Fault,
    Kind,
    Refusal,
    Registered,
    Reinstated,
    Renamed,
    Status,
    Suspended,
    Verdict,
    decide_apply,
    decide_change,
    decide_deregister,
    decide_drop_change,
    decide_leave,
    decide_register,
    decide_reinstate,
    decide_rename,
    decide_resubmit,
    decide_review,
    decide_stay,
    decide_suspend,
    decide_withdraw,
    evolve,
    faults_of,
    is_credit_code,
    is_identity_number,
    is_phone,
    may_supervise,
    may_trade,
    needs_review,
    refusal_of,
)
from tests.builders.registries import AT, a_credit_code, a_profile, an_applicant, an_organisation

GOLDEN = Path(__file__).parents[4] / "shared/golden/uscc.json"
REAL = "91330000733796106P"


def a_registration(**changes: object) -> Registered:
    fields: dict[str, object] = {
        "id": UUID(int=1),
        "category": Kind.SUPPLIER,
        "name": "杭州测试科技有限公司",
        "credit_code": a_credit_code(),
        "region": "330102",
    }
    return Registered(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.skipif(not GOLDEN.exists(), reason="the golden cases are not on this machine")
def test_golden_codes() -> None:
    for case in json.loads(GOLDEN.read_text("utf-8"))["cases"]:
        assert is_credit_code(case["code"]) is case["valid"], case


@given(place=st.integers(0, 17), letter=st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_anywhere_is_found(place: int, letter: str) -> None:
    tampered = REAL[:place] + letter + REAL[place + 1 :]
    assert is_credit_code(tampered) is (tampered == REAL)


@pytest.mark.parametrize(
    ("_case", "text"),
    [
        ("too short", REAL[:-1]),
        ("too long", REAL + "0"),
        ("small letters", REAL.lower()),
        ("spaces", f" {REAL}"),
        ("a letter that is not in the alphabet", "9I330000733796106P"),
        ("a digit of another script", "9133000073379610６P"),
        ("the last character right, the organisation code wrong", "91330000733796107L"),
        ("nothing", ""),
    ],
)
def test_what_is_no_credit_code(_case: str, text: str) -> None:
    assert not is_credit_code(text)


def test_the_first_two_characters_may_be_letters() -> None:
    # 农村集体经济组织: N2. python-stdnum turns these away.
    from stdnum.cn import uscc  # noqa: PLC0415

    code = "N2330102" + REAL[8:17]
    assert is_credit_code(code + uscc.calc_check_digit(code))


@given(st.integers(0, 99_999_999))
def test_codes_of_our_own_are_valid(number: int) -> None:
    assert is_credit_code(a_credit_code(number))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"name": ""}, Refusal.NAME_WRONG),
        ({"name": "　"}, Refusal.NAME_WRONG),
        ({"name": "字" * 101}, Refusal.NAME_WRONG),
        ({"credit_code": "91330000733796106X"}, Refusal.CREDIT_CODE_WRONG),
        ({"region": "110101"}, Refusal.REGION_UNKNOWN),
        ({"region": "330103"}, Refusal.REGION_ABOLISHED),
        ({"name": "", "credit_code": "", "region": ""}, Refusal.NAME_WRONG),
    ],
)
def test_refused_registrations(changes: dict[str, object], refusal: Refusal) -> None:
    assert decide_register(None, a_registration(**changes)) is refusal


def test_a_name_of_a_hundred_characters_is_accepted() -> None:
    registration = a_registration(name="字" * 100)
    assert decide_register(None, registration) == registration


def test_nobody_registers_twice() -> None:
    assert decide_register(an_organisation(), a_registration()) is Refusal.EXISTS


def test_a_life() -> None:
    organisation = evolve(None, a_registration(), AT)
    assert organisation == an_organisation()
    events: list[Event] = [Renamed("新名"), Suspended("重大违法记录"), Reinstated("期满")]
    states: list[tuple[object, ...]] = []
    for event in events:
        organisation = evolve(organisation, event, AT)
        states.append((organisation.name, organisation.status, may_trade(organisation)))
    assert states == [
        ("新名", Status.ACTIVE, True),
        ("新名", Status.SUSPENDED, False),
        ("新名", Status.ACTIVE, True),
    ]


def test_decisions_about_an_organisation() -> None:
    active, suspended = an_organisation(), an_organisation(status=Status.SUSPENDED)
    assert decide_rename(active, name="新名") == Renamed("新名")
    assert decide_rename(None, name="新名") is Refusal.UNKNOWN
    assert decide_rename(active, name=" ") is Refusal.NAME_WRONG
    assert decide_rename(active, name=active.name) is Refusal.NOTHING_CHANGES
    assert decide_suspend(active, reason="x", at=AT) == Suspended("x")
    assert decide_suspend(None, reason="x", at=AT) is Refusal.UNKNOWN
    assert decide_suspend(suspended, reason="x", at=AT) is Refusal.NOTHING_CHANGES
    assert decide_reinstate(suspended, reason="x") == Reinstated("x")
    assert decide_reinstate(None, reason="x") is Refusal.UNKNOWN
    assert decide_reinstate(active, reason="x") is Refusal.NOTHING_CHANGES
    assert not may_trade(None)


# The number of Beijing's textbook example, GB 11643-1999 annex.
CARD = "11010519491231002X"


@pytest.mark.parametrize(
    ("_case", "text", "good"),
    [
        ("the example of the standard", CARD, True),
        ("a small x", CARD.lower(), False),
        ("another check character", CARD[:17] + "1", False),
        ("fifteen digits", "110105491231002", False),
        ("no such day", "110105194902310024", False),
        ("a digit of another script", "1101051949123100２X", False),
        ("nothing", "", False),
    ],
)
def test_numbers_of_identity_cards(_case: str, text: str, good: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_identity_number(text, today=date(2026, 11, 23)) is good


def test_nobody_is_born_tomorrow() -> None:
    body = "33010220261124001"
    total = sum(int(one) * 2 ** (17 - place) for place, one in enumerate(body))
    card = body + "10X98765432"[total % 11]
    assert is_identity_number(card, today=date(2026, 11, 24))
    assert not is_identity_number(card, today=date(2026, 11, 23))


@pytest.mark.parametrize("text", ["13800138000", "0571-87654321", "057187654321", "010-87654321-801", "400-800-1234"])
def test_telephone_numbers(text: str) -> None:
    assert is_phone(text)


@pytest.mark.parametrize("text", ["", "12800138000", "1380013800", "138001380000", "87654321", "+8613800138000"])
def test_what_is_no_telephone_number(text: str) -> None:
    assert not is_phone(text)


def test_a_good_form_has_no_faults() -> None:
    assert faults_of(Kind.SUPPLIER, a_credit_code(), a_profile()) == {}
    agency = a_profile(declared=tuple(DECLARED_BY[Kind.AGENCY]), staff=5, identity_tail="002X")
    assert faults_of(Kind.AGENCY, a_credit_code(), agency) == {}
    plain = a_profile(bank_name="", bank_account="", size=None, declared=(), email="")
    assert faults_of(Kind.PURCHASER, a_credit_code(), plain) == {}


@pytest.mark.parametrize(
    ("changes", "field", "fault"),
    [
        ({"name": " "}, "name", Fault.REQUIRED),
        ({"name": "字" * 101}, "name", Fault.TOO_LONG),
        ({"region": "110101"}, "region", Fault.REGION_UNKNOWN),
        ({"region": "330103"}, "region", Fault.REGION_ABOLISHED),
        ({"legal_representative": ""}, "legal_representative", Fault.REQUIRED),
        ({"address": ""}, "address", Fault.REQUIRED),
        ({"address": "字" * 201}, "address", Fault.TOO_LONG),
        ({"contact": ""}, "contact", Fault.REQUIRED),
        ({"phone": ""}, "phone", Fault.REQUIRED),
        ({"phone": "1"}, "phone", Fault.PHONE),
        ({"email": "x"}, "email", Fault.EMAIL),
        ({"bank_account": "12"}, "bank_account", Fault.BANK_ACCOUNT),
        ({"bank_account": ""}, "bank_account", Fault.REQUIRED),
        ({"bank_name": ""}, "bank_name", Fault.REQUIRED),
        ({"size": None}, "size", Fault.REQUIRED),
        ({"declared": (Declared.LIABILITY,)}, "declared", Fault.DECLARATION),
    ],
)
def test_a_fault_is_found_in_its_field_and_in_no_other(changes: dict[str, Any], field: str, fault: Fault) -> None:
    assert faults_of(Kind.SUPPLIER, a_credit_code(), a_profile(**changes)) == {field: fault}


def test_an_agency_has_five_people_and_says_who_represents_it() -> None:
    declared = tuple(DECLARED_BY[Kind.AGENCY])
    assert faults_of(Kind.AGENCY, a_credit_code(), a_profile(declared=declared, staff=4)) == {
        "staff": Fault.STAFF,
        "identity": Fault.REQUIRED,
    }


def test_supervisors_and_operators_do_not_apply_and_a_code_is_checked() -> None:
    assert faults_of(Kind.OPERATOR, "1", a_profile()) == {"kind": Fault.KIND, "credit_code": Fault.CREDIT_CODE}


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
    assert set(FAULT_TEXTS) == set(Fault)


@pytest.mark.parametrize(
    ("region", "seen"),
    [("330102", True), ("330100", True), ("330000", True), ("330106", False), ("330200", False), ("", False)],
)
def test_the_finance_department_of_the_region_or_of_one_above_decides(region: str, seen: bool) -> None:  # noqa: FBT001
    assert may_supervise(region, an_applicant()) is seen
    assert not may_supervise(region, an_organisation(kind=Kind.SUPERVISOR))


@pytest.mark.parametrize(
    ("verdict", "event"),
    [
        (Verdict.APPROVE, Approved("好")),
        (Verdict.RETURN, Returned({"phone": "空号"}, "好")),
        (Verdict.REFUSE, Turned("好")),
    ],
)
def test_a_review_of_an_application(verdict: Verdict, event: Event) -> None:
    how: dict[str, Any] = {"faults": {"phone": "空号"}, "note": "好"}
    assert decide_review(an_applicant(), verdict, revision=1, **how) == event
    assert decide_review(an_applicant(revision=2), verdict, revision=1, **how) is Refusal.CHANGED_SINCE
    assert decide_review(an_organisation(), verdict, revision=1, **how) is Refusal.NOTHING_WAITS
    refused = an_applicant(status=Status.REFUSED)
    assert decide_review(refused, verdict, revision=1, **how) is Refusal.NOTHING_WAITS
    returned = decide_review(an_applicant(status=Status.RETURNED), verdict, revision=1, **how)
    assert returned == (Turned("好") if verdict is Verdict.REFUSE else Refusal.NOT_AT_THIS_STAGE)


def test_a_review_of_a_change() -> None:
    asked = evolve(an_organisation(), ChangeAsked(a_profile(name="新名")), AT)
    how: dict[str, Any] = {"faults": {"name": "与执照不符"}, "note": ""}
    assert decide_review(asked, Verdict.APPROVE, revision=2, **how) == ChangeApproved("")
    assert decide_review(asked, Verdict.RETURN, revision=2, **how) == ChangeReturned({"name": "与执照不符"}, "")
    assert decide_review(asked, Verdict.REFUSE, revision=2, **how) is Refusal.NOT_OF_A_CHANGE
    assert decide_review(asked, Verdict.APPROVE, revision=1, **how) is Refusal.CHANGED_SINCE
    returned = evolve(asked, ChangeReturned({"name": "与执照不符"}, ""), AT)
    assert decide_review(returned, Verdict.APPROVE, revision=3, **how) is Refusal.NOTHING_WAITS


def test_what_is_changed_holds_at_once_or_is_asked_for() -> None:
    active = an_applicant(status=Status.ACTIVE)
    phone, name = a_profile(phone="13900000000"), a_profile(name="新名")
    both = a_profile(phone="13900000000", name="新名")
    assert decide_change(active, phone) == (Changed(phone),)
    assert decide_change(active, name) == (ChangeAsked(name),)
    assert decide_change(active, both) == (Changed(phone), ChangeAsked(both))
    assert decide_change(active, a_profile()) is Refusal.NOTHING_CHANGES
    assert decide_change(active, a_profile(phone="1")) == {"phone": Fault.PHONE}
    assert decide_change(an_applicant(), phone) is Refusal.NOT_AT_THIS_STAGE


def test_a_change_is_asked_for_once_until_it_comes_back() -> None:
    name = a_profile(name="新名")
    asked = evolve(an_applicant(status=Status.ACTIVE), ChangeAsked(name), AT)
    assert decide_change(asked, name) is Refusal.NOTHING_CHANGES
    assert decide_change(asked, a_profile(name="另一名")) == (ChangeAsked(a_profile(name="另一名")),)
    assert decide_change(asked, a_profile()) == (ChangeDropped(),)
    returned = evolve(asked, ChangeReturned({}, "请附说明"), AT)
    assert decide_change(returned, name) == (ChangeAsked(name),)
    assert decide_drop_change(asked) == ChangeDropped()
    assert decide_drop_change(an_organisation()) is Refusal.NOTHING_WAITS


@pytest.mark.parametrize("field", REVIEWED_DETAILS)
def test_who_an_organisation_is_is_reviewed(field: str) -> None:
    changed = {"declared": (), "staff": 9}.get(field, "0000")
    assert needs_review(a_profile(), a_profile(**{field: changed}))


@pytest.mark.parametrize("field", ["address", "contact", "phone", "email", "venue", "size"])
def test_where_to_reach_it_is_not(field: str) -> None:
    assert not needs_review(a_profile(), a_profile(**{field: "x"}))


def test_a_correction_of_an_application() -> None:
    returned = an_applicant(status=Status.RETURNED)
    assert decide_resubmit(returned, a_profile()) == Resubmitted(a_profile())
    assert decide_resubmit(returned, a_profile(phone="")) == {"phone": Fault.REQUIRED}
    assert decide_resubmit(an_applicant(), a_profile()) is Refusal.NOT_AT_THIS_STAGE
    assert decide_withdraw(returned) == Withdrawn()
    assert decide_withdraw(an_organisation()) is Refusal.NOT_AT_THIS_STAGE


@pytest.mark.parametrize(
    ("until", "good"),
    [
        (None, True),
        (date(2026, 11, 22), False),
        (date(2026, 11, 23), True),
        (date(2029, 11, 23), True),
        (date(2029, 11, 24), False),
    ],
)
def test_a_suspension_ends_today_at_the_earliest_and_in_three_years_at_the_latest(
    until: date | None,
    good: bool,  # noqa: FBT001 - a column of the table
) -> None:
    decision = decide_suspend(an_organisation(), reason="串通", at=AT, until=until)
    assert decision == (Suspended("串通", until) if good else Refusal.UNTIL_WRONG)


def test_three_years_from_a_leap_day_are_the_28th() -> None:
    leap = datetime(2028, 2, 29, 4, tzinfo=UTC)
    assert decide_suspend(an_organisation(), reason="x", at=leap, until=date(2031, 2, 28)) == Suspended(
        "x", date(2031, 2, 28)
    )
    assert decide_suspend(an_organisation(), reason="x", at=leap, until=date(2031, 3, 1)) is Refusal.UNTIL_WRONG


def test_leaving_and_staying() -> None:
    leaving = an_organisation(status=Status.LEAVING)
    assert decide_leave(an_organisation(), reason="歇业") == LeaveAsked("歇业")
    assert decide_leave(leaving, reason="歇业") is Refusal.NOT_AT_THIS_STAGE
    assert decide_stay(leaving) == Stayed()
    assert decide_stay(an_organisation()) is Refusal.NOT_AT_THIS_STAGE
    assert decide_deregister(leaving, reason="已办结", still_open=0) == Deregistered("已办结")
    assert decide_deregister(leaving, reason="已办结", still_open=1) is Refusal.STILL_OPEN
    assert decide_deregister(an_organisation(), reason="x", still_open=0) is Refusal.NOT_AT_THIS_STAGE
    assert not may_trade(leaving)


def test_who_is_leaving_can_still_be_suspended_and_an_applicant_cannot() -> None:
    leaving = an_organisation(status=Status.LEAVING)
    assert decide_suspend(leaving, reason="x", at=AT) == Suspended("x")
    assert decide_suspend(an_applicant(), reason="x", at=AT) is Refusal.NOT_AT_THIS_STAGE
    assert decide_reinstate(leaving, reason="x") is Refusal.NOT_AT_THIS_STAGE


def test_nobody_applies_under_an_id_that_is_taken() -> None:
    applied = Applied(UUID(int=1), Kind.SUPPLIER, a_credit_code(), "ZC1", a_profile())
    assert decide_apply(None, applied) == applied
    assert decide_apply(an_organisation(), applied) is Refusal.EXISTS


def test_the_finance_department_does_not_take_steps_of_the_organisation() -> None:
    assert refusal_of(an_applicant(), Step.WITHDRAW, Side.FINANCE) is Refusal.NOT_YOUR_STEP
