from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import FEN_MAX, Fen, format_yuan, parse_yuan, scaled, split

amounts = st.integers(0, FEN_MAX).map(Fen)


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("0.01", 1),
        ("0.1", 10),
        ("12", 1_200),
        ("12.50", 1_250),
        (" 1,234.5 ", 123_450),
        ("1，234，567.89", 123_456_789),
        ("1234567", 123_456_700),
        ("007", 700),
        ("10000000000000", FEN_MAX),
        ("10,000,000,000,000.00", FEN_MAX),
    ],
)
def test_an_amount_in_yuan_is_read_to_the_fen(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        "1.",
        ".5",
        "1.234",
        "1e3",
        "1 000",
        "12,50",
        "1,23",
        "1,2345",
        ",123",
        "1,,234",
        "1234,567",
        "1.5,0",
        "１２",
        "¥12",
        "nan",
        "inf",
        "10000000000000.01",
        "99999999999999",
        "100000000000000",
    ],
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_yuan(text)


@given(amounts)
def test_what_is_written_is_read_back(fen: Fen) -> None:
    assert parse_yuan(format_yuan(fen)) == fen


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (100, "1.00"), (-12_345, "-123.45")]
)
def test_an_amount_is_written_with_two_decimals(fen: int, text: str) -> None:
    assert format_yuan(Fen(fen)) == text


@pytest.mark.parametrize(
    ("amount", "ratio", "expected"),
    [
        (1, "0.5", 1),
        (1, "0.4999999999", 0),
        (3, "0.5", 2),
        (100, "0.065", 7),
        (100, "0.064", 6),
        (-1, "0.5", -1),
        (-1, "0.49", 0),
        (FEN_MAX, "1", FEN_MAX),
        (1, "0.4999999999999999999999999999999999999999", 0),  # forty digits are not rounded on the way
    ],
)
def test_a_scaled_amount_is_rounded_half_up_once(amount: int, ratio: str, expected: int) -> None:
    assert scaled(Fen(amount), Decimal(ratio)) == expected


@given(amounts, st.decimals(0, 10, allow_nan=False, allow_infinity=False))
def test_a_scaled_amount_is_what_exact_arithmetic_gives(amount: Fen, ratio: Decimal) -> None:
    exact = Fraction(amount) * Fraction(ratio) + Fraction(1, 2)

    assert scaled(amount, ratio) == exact.numerator // exact.denominator


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_parts_sum_to_the_whole_and_none_is_a_fen_off_its_share(amount: Fen, weights: list[int]) -> None:
    parts = split(amount, weights)

    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        share = Decimal(amount * weight) / sum(weights)
        assert 0 <= part - share.to_integral_value(ROUND_FLOOR) <= 1
        assert weight or part == 0


def test_what_is_left_over_goes_to_the_largest_remainders_and_to_the_earlier_of_equals() -> None:
    assert split(Fen(10), [1, 1, 1]) == [4, 3, 3]
    assert split(Fen(10), [2, 3, 3]) == [2, 4, 4]
    assert split(Fen(-1), [1, 1]) == [0, -1]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
def test_weights_that_divide_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        split(Fen(1), weights)
