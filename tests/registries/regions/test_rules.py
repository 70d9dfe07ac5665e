from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registries.regions.rules import (
    REGIONS,
    Level,
    Status,
    UnknownRegionError,
    covered_by_any,
    covers,
    full_name,
    path_of,
    prefix_of,
    region_of,
    successor_of,
)

codes = st.sampled_from(sorted(REGIONS))


def test_the_table_has_all_current_and_abolished_codes_and_no_pseudo_codes() -> None:
    assert Counter(region.status for region in REGIONS.values()) == {Status.CURRENT: 102, Status.ABOLISHED: 10}
    assert not any(code.endswith("99") or code == "339900" for code in REGIONS)


def test_every_region_but_the_province_lies_in_one_a_level_up() -> None:
    above = {Level.CITY: Level.PROVINCE, Level.COUNTY: Level.CITY}
    for region in REGIONS.values():
        assert region.parent == "" if region.level is Level.PROVINCE else True
        if region.parent:
            assert region_of(region.parent).level is above[region.level]


def test_every_abolished_code_ends_at_a_current_one() -> None:
    for region in REGIONS.values():
        assert region_of(successor_of(region.code)).status is Status.CURRENT
        assert bool(region.successor) is bool(region.end_year) is (region.status is Status.ABOLISHED)


@pytest.mark.parametrize(
    ("scope", "code", "expected"),
    [
        ("330000", "330102", True),
        ("330100", "330102", True),
        ("330102", "330102", True),
        ("330102", "330100", False),
        ("330200", "330102", False),
        ("330105", "330103", True),  # 下城区 went into 拱墅区
        ("330103", "330105", True),  # and stands for it
        ("330102", "330103", False),
        ("", "330102", False),
        ("330000", "", False),
        ("330000", "110101", False),
    ],
)
def test_coverage(*, scope: str, code: str, expected: bool) -> None:
    assert covers(scope, code) is expected


def test_one_of_several_scopes_is_enough() -> None:
    assert covered_by_any(["330200", "330100"], "330102")
    assert not covered_by_any([], "330102")


def test_names_say_what_a_region_lies_in() -> None:
    assert full_name("330102") == "浙江省杭州市上城区"
    assert full_name("330000") == "浙江省"
    assert full_name("330103") == "浙江省杭州市下城区"


def test_the_prefix_depends_on_the_level() -> None:
    assert [prefix_of(code) for code in ("330000", "330100", "330102", "330103")] == ["33", "3301", "330102", "330105"]


@pytest.mark.parametrize("lookup", [region_of, successor_of, path_of, prefix_of, full_name])
def test_an_unknown_code_is_an_error(lookup: object) -> None:
    with pytest.raises(UnknownRegionError):
        lookup("999999")  # type: ignore[operator]


@given(scope=codes, code=codes)
def test_coverage_and_prefix_agree(scope: str, code: str) -> None:
    assert covers(scope, code) is successor_of(code).startswith(prefix_of(scope))
