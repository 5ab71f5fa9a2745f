"""Money: decimal strings to exact integers and back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.domain.money import UNIT, format_money, parse_money

AMOUNTS = st.integers(-(10**36) + 1, 10**36 - 1)


@given(AMOUNTS)
def test_every_amount_is_written_and_read_back_exactly(amount: int) -> None:
    text = format_money(amount)
    assert parse_money(text) == amount
    assert Fraction(text) * UNIT == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("-0", 0),
        ("0.000000000000000001", 1),
        ("-0.5", -UNIT // 2),
        ("1000.50", 1000 * UNIT + UNIT // 2),
        ("9" * 18 + "." + "9" * 18, 10**36 - 1),
    ],
)
def test_decimal_strings_are_counted_in_units_of_18_places(text: str, amount: int) -> None:
    assert parse_money(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".5",
        "5.",
        "01",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1e3",
        "NaN",
        "Infinity",
        "1,5",
        "1_000",
        "٣",
        "0x1",
        "1.0000000000000000001",
        "1" * 19,
        "--1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        parse_money(text)


def test_trailing_zeros_and_negative_zero_are_not_written() -> None:
    assert format_money(parse_money("1000.500")) == "1000.5"
    assert format_money(parse_money("-0.0")) == "0"
