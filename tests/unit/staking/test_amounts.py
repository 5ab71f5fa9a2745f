"""OMNI amounts: exact both ways, and nothing taken that is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staking.domain.amounts import SUPPLY_MAX, BadAmountError, format_omni, parse_omni


@given(st.integers(0, SUPPLY_MAX))
def test_formatting_and_parsing_are_inverse(amount: int) -> None:
    assert parse_omni(format_omni(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("1", 10**8), ("0.1", 10**7), ("100.00000000", 10**10), ("0.00000001", 1), ("90000000000", SUPPLY_MAX)],
)
def test_decimal_strings_are_units_of_1e_8(text: str, amount: int) -> None:
    assert parse_omni(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "-1",
            "+1",
            "1e3",
            "1E3",
            "NaN",
            "inf",
            "0x10",
            "1_000",
            "1,0",
            "1.",
            ".1",
            "00",
            "01",
            "1 ",
            " 1",
            "1\n",
        ),
        *("0.000000000", "0.123456789", "90000000000.00000001", "99999999999", "100000000000", "１", "٣", "1.٣"),
    ],
)
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(BadAmountError):
        parse_omni(text)


def test_negative_amounts_are_rendered_with_their_sign() -> None:
    assert format_omni(-1) == "-0.00000001"
    assert format_omni(-250_000_000) == "-2.50000000"


def test_the_supply_fits_a_signed_64_bit_integer_with_room() -> None:
    assert SUPPLY_MAX < 2**63 - 1
    assert format_omni(SUPPLY_MAX) == "90000000000.00000000"
