"""Precisions as exchanges state them, made into tick sizes: exact decimal strings.

Source of the modes: ccxt's manual, "Precision Mode". A number of a JSON body counts as it was written: 1e-08 is exactly
0.00000001 (the shortest decimal that gives the same double).
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Any

PLACES_MAX = 18
DIGITS_MAX = 36


class PrecisionMode(StrEnum):
    DECIMAL_PLACES = "DECIMAL_PLACES"
    SIGNIFICANT_DIGITS = "SIGNIFICANT_DIGITS"
    TICK_SIZE = "TICK_SIZE"


CCXT_CONSTANTS: Mapping[int, PrecisionMode] = MappingProxyType(
    {2: PrecisionMode.DECIMAL_PLACES, 3: PrecisionMode.SIGNIFICANT_DIGITS, 4: PrecisionMode.TICK_SIZE}
)


def exact_decimal(value: Any) -> Decimal:
    """A JSON number, or a string of one, exactly. Raises ValueError for anything else, and beyond what can be
    traded with: DIGITS_MAX digits, PLACES_MAX places."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")  # noqa: TRY004 (what was sent is wrong, not the call)
    if isinstance(value, int) and abs(value) >= 10**DIGITS_MAX:
        raise ValueError(f"has more than {DIGITS_MAX} digits")
    if isinstance(value, str) and (len(value) > 2 * DIGITS_MAX or value != value.strip() or "_" in value):
        raise ValueError("must be a number")
    try:
        number = Decimal(value if isinstance(value, str) else repr(value))
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not number.is_finite():
        raise ValueError("must be a finite number")
    number = _plain(number)
    if len(number.as_tuple().digits) > DIGITS_MAX or number.copy_abs() >= 10**DIGITS_MAX:
        raise ValueError(f"has more than {DIGITS_MAX} digits")
    if -int(number.as_tuple().exponent) > PLACES_MAX:
        raise ValueError(f"has more than {PLACES_MAX} decimal places")
    return number


def decimal_text(number: Decimal) -> str:
    """The shortest plain decimal string of the number."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def tick_size(value: Any, mode: PrecisionMode) -> str | None:
    """The smallest step that a stated precision allows, as a decimal string; None where none is stated.

    Significant digits give no tick size of their own, since the step depends on the number it is applied to: the result
    is None (`significant_digits` keeps what was stated). Raises ValueError.
    """
    if value is None:
        return None
    if mode is PrecisionMode.SIGNIFICANT_DIGITS:
        significant_digits(value, mode)
        return None
    number = exact_decimal(value)
    if mode is PrecisionMode.TICK_SIZE:
        if number <= 0:
            raise ValueError("must be above zero")
        return decimal_text(number)
    places = _whole(number)
    if not -PLACES_MAX <= places <= PLACES_MAX:
        raise ValueError(f"must be {-PLACES_MAX} to {PLACES_MAX} decimal places")
    return decimal_text(Decimal((0, (1,), -places)))


def significant_digits(value: Any, mode: PrecisionMode) -> int | None:
    """The digits that count, where the exchange states them so, else None. Raises ValueError."""
    if value is None or mode is not PrecisionMode.SIGNIFICANT_DIGITS:
        return None
    digits = _whole(exact_decimal(value))
    if not 1 <= digits <= DIGITS_MAX:
        raise ValueError(f"must be 1 to {DIGITS_MAX} significant digits")
    return digits


def _whole(number: Decimal) -> int:
    if number != number.to_integral_value():
        raise ValueError("must be a whole number")
    return int(number)


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros after the point: 1.50 is 1.5, and 100 stays 100. Exact at any precision."""
    sign, digits, exponent = number.as_tuple()
    kept = list(digits)
    power = int(exponent)
    while power < 0 and len(kept) > 1 and kept[-1] == 0:
        kept.pop()
        power += 1
    return Decimal((sign, tuple(kept), power if any(kept) else 0))
