"""OMNI amounts: integers of 1e-8 OMNI in here, decimal strings outside. Never a float, never rounded."""

import re
from typing import NewType

Omni = NewType("Omni", int)
"""An amount in units of 1e-8 OMNI."""

PLACES = 8
UNITS_PER_OMNI = 10**PLACES
SUPPLY_MAX = Omni(9 * 10**18)
"""The most that can ever be issued, 90 billion OMNI: every sum of balances fits into a signed 64-bit integer."""

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,10})(?:\.([0-9]{1,8}))?\Z")


class BadAmountError(ValueError):
    """The text is not an amount: its message says what to write instead."""


def parse_omni(text: str) -> Omni:
    """Plain decimal notation, no sign, at most PLACES places and SUPPLY_MAX: "100", "0.5", "100.00000000"."""
    match = _DECIMAL.match(text)
    if match is None:
        raise BadAmountError(f"Write an amount as a decimal string with at most {PLACES} places, such as 12.5.")
    amount = int(match[1]) * UNITS_PER_OMNI + int((match[2] or "").ljust(PLACES, "0"))
    if amount > SUPPLY_MAX:
        raise BadAmountError(f"The amount is above the supply's limit of {format_omni(SUPPLY_MAX)}.")
    return Omni(amount)


def format_omni(amount: int) -> str:
    """Always with all places: 100.00000000, -0.00000001."""
    whole, part = divmod(abs(amount), UNITS_PER_OMNI)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{PLACES}d}"
