"""Field types that several schemas share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from bots.domain.money import PATTERN, WHOLE_DIGITS_MAX, Money, parse_money
from kit.schemas import text

_MONEY_CHARACTERS_MAX = 2 * WHOLE_DIGITS_MAX + 2


def absent() -> Any:
    """The default of a patch field, which is never read: what a patch leaves out isn't among its set fields."""
    return None


def _money(value: Any) -> Money:
    if not isinstance(value, str):
        raise PydanticCustomError("wrong_type", 'Write an amount as a string, such as "12.50": no amount is a number.')
    try:
        return parse_money(value)
    except ValueError as fault:
        raise PydanticCustomError("invalid_amount", "{reason}", {"reason": str(fault)}) from None


def _not_negative(amount: Money) -> Money:
    if amount < 0:
        raise PydanticCustomError("out_of_range", "The amount must not be below zero.")
    return amount


def _positive(amount: Money) -> Money:
    if amount <= 0:
        raise PydanticCustomError("out_of_range", "The amount must be above zero.")
    return amount


_AMOUNT_SCHEMA = WithJsonSchema({"type": "string", "pattern": PATTERN, "maxLength": _MONEY_CHARACTERS_MAX})

Amount = Annotated[int, BeforeValidator(_money), _AMOUNT_SCHEMA]
"""An exact decimal string, as a count of 1e-18."""
AmountNotNegative = Annotated[Amount, AfterValidator(_not_negative)]
AmountPositive = Annotated[Amount, AfterValidator(_positive)]

Currency = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Reason = Annotated[str, text(500, multiline=True)]
