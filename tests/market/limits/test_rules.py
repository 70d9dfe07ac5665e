"""Limits: which row holds, what counts, and both sides of each edge."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import beijing_day
from market.limits.rules import (
    KNOWN_MAX,
    LIMITS,
    Counted,
    LimitTable,
    Refusal,
    Spending,
    Standing,
    Uncounted,
    category_key,
    evolve,
    limit_for,
    policy_on,
    read_table,
    refusal_of,
    spending_id,
    standings,
)
from registries.regions.rules import Level
from tests.builders.budget import MORNING, ORDER, OTHER_SCHOOL, SCHOOL
from tests.builders.market_orders import a_limit, a_policy, a_spending

TODAY = date(2026, 11, 23)


def only(found: tuple[Standing, ...] | Refusal) -> Standing:
    assert isinstance(found, tuple)
    (standing,) = found
    return standing


@pytest.mark.parametrize(("day", "order_max"), [(date(2026, 6, 30), 1), (date(2026, 7, 1), 2), (date(2026, 7, 2), 2)])
def test_a_limit_holds_from_its_day_on(day: date, order_max: int) -> None:
    table = [a_limit(order_max_fen=1), a_limit(order_max_fen=2, effective_from=date(2026, 7, 1))]

    policy = policy_on(table, day=day, region="330102")

    assert policy is not None
    assert [limit.order_max_fen for limit in policy.limits] == [order_max]


def test_before_the_first_limit_there_is_no_policy() -> None:
    assert policy_on([a_limit()], day=date(2025, 12, 31), region="330102") is None


def test_the_smallest_region_wins_even_over_a_later_row_of_a_larger_one() -> None:
    city = a_limit(region="330100", order_max_fen=7)
    province = a_limit(level=Level.COUNTY, effective_from=date(2026, 9, 1))

    policy = policy_on([city, province], day=TODAY, region="330102")

    assert policy is not None
    assert policy.limits == (city,)


def test_a_row_for_the_level_wins_over_one_for_all_levels() -> None:
    county = a_limit(level=Level.COUNTY, order_max_fen=7)
    every = a_limit(effective_from=date(2026, 9, 1))

    policy = policy_on([county, every], day=TODAY, region="330102")

    assert policy is not None
    assert policy.limits == (county,)


def test_a_row_for_another_level_or_another_city_does_not_hold() -> None:
    table = [a_limit(level=Level.CITY), a_limit(region="330200")]

    assert policy_on(table, day=TODAY, region="330102") is None


def test_a_region_that_does_not_exist_has_no_policy() -> None:
    assert policy_on([a_limit()], day=TODAY, region="999999") is None
    assert policy_on([a_limit()], day=TODAY, region="") is None


def test_the_longest_part_of_the_classification_decides() -> None:
    computers = a_limit(category="A0201", order_max_fen=7)

    policy = policy_on([a_limit(), computers], day=TODAY, region="330102")

    assert policy is not None
    assert limit_for(policy, "A02010108") == computers
    assert limit_for(policy, "A02021003") == a_limit()


def test_amounts_of_one_group_count_together_and_those_of_another_apart() -> None:
    amounts = {"2022/A02010108": 5, "2022/A02010105": 7, "2022/A02021003": 11}

    found = standings(a_policy(), a_spending(A02010199=3, A02060000=100), amounts)

    assert isinstance(found, tuple)
    assert {one.group: (one.order_fen, one.year_fen) for one in found} == {
        "2022/A0201": (12, 3),
        "2022/A0202": (11, 0),
    }


def test_another_edition_of_the_classification_is_another_group() -> None:
    spent = Spending(SCHOOL, 2026, {"2013/A02010108": 100})

    assert only(standings(a_policy(), spent, {"2022/A02010108": 1})).year_fen == 0


@pytest.mark.parametrize(("order_fen", "refusal"), [(500, None), (501, Refusal.ORDER_LIMIT)])
def test_exactly_the_limit_of_one_order_is_within_it(order_fen: int, refusal: Refusal | None) -> None:
    policy = a_policy(a_limit(order_max_fen=500))

    assert refusal_of(only(standings(policy, None, {"2022/A02010108": order_fen}))) is refusal


@pytest.mark.parametrize(("order_fen", "refusal"), [(40, None), (41, Refusal.YEAR_LIMIT)])
def test_exactly_the_limit_of_the_year_is_within_it(order_fen: int, refusal: Refusal | None) -> None:
    policy = a_policy(a_limit(order_max_fen=500, year_max_fen=1000))

    assert refusal_of(only(standings(policy, a_spending(A02010105=960), {"2022/A02010108": order_fen}))) is refusal


def test_the_limit_of_one_order_weighs_more_than_that_of_the_year() -> None:
    policy = a_policy(a_limit(order_max_fen=5, year_max_fen=5))

    assert refusal_of(only(standings(policy, None, {"2022/A02010108": 6}))) is Refusal.ORDER_LIMIT


def test_without_a_policy_nothing_may_be_ordered() -> None:
    assert standings(None, None, {"2022/A02010108": 1}) is Refusal.NO_POLICY


def test_a_category_that_no_limit_covers_may_not_be_ordered() -> None:
    assert standings(a_policy(a_limit(category="C")), None, {"2022/A02010108": 1}) is Refusal.NO_POLICY


def test_what_came_to_nothing_counts_no_more() -> None:
    counted = Counted(SCHOOL, 2026, ORDER, {"2022/A02010108": 5, "2022/A02021003": 2})
    spending = evolve(evolve(None, counted, MORNING), Uncounted(ORDER, {"2022/A02010108": 5}), MORNING)

    assert spending == Spending(SCHOOL, 2026, {"2022/A02010108": 0, "2022/A02021003": 2})


@given(amounts=st.lists(st.tuples(st.sampled_from(["A", "B"]), st.integers(1, 10**9)), max_size=20))
def test_the_yearly_sum_is_the_sum_of_what_was_counted(amounts: list[tuple[str, int]]) -> None:
    spending: Spending | None = None
    for code, amount in amounts:
        spending = evolve(spending, Counted(SCHOOL, 2026, ORDER, {category_key("2022", code): amount}), MORNING)

    total = sum(spending.by_category.values()) if spending else 0
    assert total == sum(amount for _, amount in amounts)


def test_each_organisation_and_year_has_a_stream_of_its_own() -> None:
    ids = {spending_id(who, year) for who in (SCHOOL, OTHER_SCHOOL) for year in (2026, 2027)}

    assert len(ids) == 4
    assert spending_id(SCHOOL, 2026) == spending_id(SCHOOL, 2026)


def test_a_day_begins_at_midnight_in_beijing() -> None:
    midnight = datetime(2026, 11, 22, 16, tzinfo=UTC)

    assert beijing_day(midnight) == TODAY
    assert beijing_day(midnight - timedelta(microseconds=1)) == date(2026, 11, 22)


def test_the_table_that_ships_covers_every_level_and_says_that_it_is_unverified() -> None:
    table = LimitTable(LIMITS)
    for region in ("330000", "330100", "330102"):
        policy = table.on(TODAY, region)
        assert policy is not None
        assert limit_for(policy, "A02010108") is not None
    assert not any(limit.verified for limit in LIMITS)
    assert all(limit.source for limit in LIMITS)


HEAD = "region\tlevel\tcategory\tgroup_length\teffective_from\torder_max_fen\tyear_max_fen\tverified\tsource"


def test_a_table_is_read_row_by_row() -> None:
    (limit,) = read_table(f"{HEAD}\n330000\tcounty\tA02\t5\t2026-01-01\t1\t2\tyes\t浙财〔2026〕1号\n")

    assert limit == msgspec.structs.replace(
        a_limit(category="A02", level=Level.COUNTY, order_max_fen=1, year_max_fen=2, source="浙财〔2026〕1号"),
        verified=True,
    )


@pytest.mark.parametrize(
    ("_case", "row"),
    [
        ("a group wider than its category", "330000\t\tA020101\t5\t2026-01-01\t1\t2\tno\ts"),
        ("no date", "330000\t\t\t5\tsoon\t1\t2\tno\ts"),
        ("a column short", "330000\t\t\t5\t2026-01-01\t1\t2\tno"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(_case: str, row: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_table(f"{HEAD}\n{row}\n")


def test_a_table_remembers_what_it_resolved_and_no_more_than_it_may() -> None:
    table = LimitTable([a_limit()])

    first = table.on(TODAY, "330102")
    for number in range(KNOWN_MAX + 1):
        table.on(TODAY + timedelta(days=number), "330102")

    assert table.on(TODAY, "330102") == first
    assert table.on(TODAY, "330102") is table.on(TODAY, "330102")
    assert len(table._known) <= KNOWN_MAX
