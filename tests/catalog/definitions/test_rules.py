from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.definitions.rules import (
    TEXTS,
    Attribute,
    BooleanAttribute,
    ChoiceAttribute,
    Defined,
    Fault,
    NumberAttribute,
    Refusal,
    TextAttribute,
    check_values,
    decide_define,
    evolve,
    read_value,
    write_value,
)
from tests.builders.catalog import AT, ATTRIBUTES, LAPTOP, a_definition

TEXT, NUMBER, CHOICE, BOOLEAN = ATTRIBUTES
GOOD = {"processor": "兆芯 KX-7000", "screen": 140, "system": "银河麒麟", "touch": False}


def define(*attributes: Attribute, before: Any = None) -> Any:
    return decide_define(before, "2022", LAPTOP, attributes)


def test_a_definition_is_made_and_replaced() -> None:
    made = define(*ATTRIBUTES)
    assert isinstance(made, Defined)
    definition = evolve(None, made, AT)
    assert definition == a_definition()
    replaced = evolve(definition, define(TEXT, before=definition), AT)
    assert (replaced.revision, replaced.attributes) == (2, (TEXT,))
    assert replaced.shapes == definition.shapes


def test_the_same_definition_again_does_nothing() -> None:
    assert define(*ATTRIBUTES, before=a_definition()) is None


@pytest.mark.parametrize(
    ("attributes", "refusal"),
    [
        ([TextAttribute(f"a{n}", "x") for n in range(101)], Refusal.TOO_MANY),
        ([TextAttribute("Screen", "x")], Refusal.ID_WRONG),
        ([TextAttribute("屏幕", "x")], Refusal.ID_WRONG),
        ([TextAttribute("a" * 41, "x")], Refusal.ID_WRONG),
        ([TextAttribute("a", "x"), BooleanAttribute("a", "y")], Refusal.ID_TWICE),
        ([TextAttribute("a", "x", length_max=0)], Refusal.LIMITS_WRONG),
        ([TextAttribute("a", "x", length_max=2001)], Refusal.LIMITS_WRONG),
        ([NumberAttribute("a", "x", "kg", decimals=7)], Refusal.LIMITS_WRONG),
        ([NumberAttribute("a", "x", "kg", decimals=-1)], Refusal.LIMITS_WRONG),
        ([NumberAttribute("a", "x", "kg", minimum=2, maximum=1)], Refusal.LIMITS_WRONG),
        ([ChoiceAttribute("a", "x", ())], Refusal.LIMITS_WRONG),
        ([ChoiceAttribute("a", "x", ("甲", "甲"))], Refusal.LIMITS_WRONG),
        ([ChoiceAttribute("a", "x", ("甲", ""))], Refusal.LIMITS_WRONG),
    ],
)
def test_refused_definitions(attributes: list[Attribute], refusal: Refusal) -> None:
    assert define(*attributes) is refusal


def test_the_limits_themselves_are_accepted() -> None:
    attributes = [TextAttribute(f"a{n}", "x", length_max=2000) for n in range(99)]
    assert isinstance(define(*attributes, NumberAttribute("b", "x", "kg", decimals=6, minimum=1, maximum=1)), Defined)


@pytest.mark.parametrize(
    "changed",
    [
        TextAttribute("screen", "屏幕"),
        msgspec.structs.replace(NUMBER, unit="厘米"),
        msgspec.structs.replace(NUMBER, decimals=2),
    ],
)
def test_an_id_never_changes_how_it_is_read_even_after_it_was_dropped(changed: Attribute) -> None:
    dropped = evolve(a_definition(), define(TEXT, before=a_definition()), AT)
    assert define(changed, before=dropped) is Refusal.SHAPE_CHANGED


def test_range_and_name_of_an_id_may_change() -> None:
    assert isinstance(
        define(msgspec.structs.replace(NUMBER, name="显示屏", maximum=300), before=a_definition()), Defined
    )


def test_good_values_have_no_fault() -> None:
    assert check_values(a_definition(), GOOD) == ()


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"processor": ""}, ["processor"]),
        ({"processor": "x" * 20}, []),
        ({"processor": "x" * 21}, ["processor"]),
        ({"processor": 7}, ["processor"]),
        ({"screen": 99}, ["screen"]),
        ({"screen": 100}, []),
        ({"screen": 200}, []),
        ({"screen": 201}, ["screen"]),
        ({"screen": True}, ["screen"]),
        ({"screen": "140"}, ["screen"]),
        ({"system": "Windows"}, ["system"]),
        ({"touch": 1}, ["touch"]),
        ({"weight": 1}, ["weight"]),
        ({"weight": 1, "screen": 1, "touch": "是"}, ["weight", "screen", "touch"]),
    ],
)
def test_all_faults_are_named_at_once(changes: dict[str, Any], fields: list[str]) -> None:
    faults = check_values(a_definition(), {**GOOD, **changes})
    assert [fault.field for fault in faults] == [f"attributes.{field}" for field in fields]


def test_only_what_is_required_must_be_there() -> None:
    assert [fault.field for fault in check_values(a_definition(), {})] == ["attributes.processor"]


def test_without_a_definition_nothing_is_asked_and_nothing_taken() -> None:
    assert check_values(None, {}) == ()
    assert [fault.field for fault in check_values(None, {"screen": 1})] == ["attributes.screen"]


@pytest.mark.parametrize(
    ("attribute", "text", "value"),
    [
        (TEXT, " 龙芯 ", "龙芯"),
        (NUMBER, "14", 140),
        (NUMBER, "14.0英寸", 140),
        (NUMBER, "14.5 英寸", 145),
        (CHOICE, "统信UOS", "统信UOS"),
        (BOOLEAN, "是", True),
        (BOOLEAN, "No", False),
        (NumberAttribute("n", "数", "", maximum=10**6), "1,000", 1000),
    ],
)
def test_reading_cells(attribute: Attribute, text: str, value: Any) -> None:
    assert read_value(attribute, text) == value


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (TEXT, ""),
        (NUMBER, "14.05"),
        (NUMBER, "十四"),
        (NUMBER, "NaN"),
        (NUMBER, "Infinity"),
        (NUMBER, "1e999999999"),
        (NUMBER, ""),
        (NUMBER, "9"),
        (CHOICE, "统信"),
        (BOOLEAN, "也许"),
    ],
)
def test_unreadable_cells(attribute: Attribute, text: str) -> None:
    assert isinstance(read_value(attribute, text), Fault)


@given(st.integers(100, 200))
def test_what_is_written_reads_back(value: int) -> None:
    assert read_value(NUMBER, write_value(NUMBER, value)) == value


def test_writing_values() -> None:
    assert write_value(NUMBER, 145) == "14.5 英寸"
    assert write_value(NumberAttribute("n", "数", ""), 7) == "7"
    assert [write_value(BOOLEAN, value) for value in (True, False)] == ["是", "否"]
    assert write_value(TEXT, "龙芯") == "龙芯"
    assert write_value(CHOICE, "统信UOS") == "统信UOS"


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
