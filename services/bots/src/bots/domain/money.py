"""Money: exact counts of 1e-18 of a currency's unit, decimal strings at the edges, never floats.

`Money` is an integer, so sums and comparisons are exact at any size; a price or a quantity is counted the same way.
"""

import re
from typing import TypeAlias

Money: TypeAlias = int

PLACES_MAX = 18
WHOLE_DIGITS_MAX = 18
UNIT = 10**PLACES_MAX
PATTERN = rf"^-?(0|[1-9][0-9]{{0,{WHOLE_DIGITS_MAX - 1}}})(\.[0-9]{{1,{PLACES_MAX}}})?$"

_FORM = re.compile(PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)


def parse_money(text: str) -> Money:
    """A decimal string such as "-12.5" as a count of 1e-18.

    Raises ValueError for anything else: exponents, "+", blanks, leading zeros, more than PLACES_MAX places or
    WHOLE_DIGITS_MAX digits before the point.
    """
    if _FORM.fullmatch(text) is None:
        raise ValueError(
            f'Write a decimal number as a string, such as "-12.5", with at most {WHOLE_DIGITS_MAX} digits before '
            f"and {PLACES_MAX} after the point."
        )
    whole, _, places = text.partition(".")
    return int(f"{whole}{places:0<{PLACES_MAX}}")


def format_money(amount: Money) -> str:
    """The shortest decimal string of an exact amount: no exponent, no trailing zeros, no negative zero."""
    whole, places = divmod(abs(amount), UNIT)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{places:018d}".rstrip("0") if places else f"{sign}{whole}"
