import json
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registries.organisations.rules import (
    TEXTS,
    Event,
    Kind,
    Refusal,
    Registered,
    Reinstated,
    Renamed,
    Status,
    Suspended,
    decide_register,
    decide_reinstate,
    decide_rename,
    decide_suspend,
    evolve,
    is_credit_code,
    may_trade,
)
from tests.builders.registries import AT, a_credit_code, an_organisation

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
    states = []
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
    assert decide_suspend(active, reason="x") == Suspended("x")
    assert decide_suspend(None, reason="x") is Refusal.UNKNOWN
    assert decide_suspend(suspended, reason="x") is Refusal.NOTHING_CHANGES
    assert decide_reinstate(suspended, reason="x") == Reinstated("x")
    assert decide_reinstate(None, reason="x") is Refusal.UNKNOWN
    assert decide_reinstate(active, reason="x") is Refusal.NOTHING_CHANGES
    assert not may_trade(None)


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
