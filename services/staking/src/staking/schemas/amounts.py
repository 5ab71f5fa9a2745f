"""Amounts on the wire: decimal strings with up to eight places, never numbers."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from staking.domain.amounts import BadAmountError, Omni, format_omni, parse_omni

_PATTERN = r"^(0|[1-9][0-9]{0,10})(\.[0-9]{1,8})?$"
_SCHEMA = {"type": "string", "pattern": _PATTERN, "examples": ["12.5"], "description": "OMNI as a decimal string."}


def _amount(value: Any) -> Omni:
    if not isinstance(value, str):
        raise PydanticCustomError("wrong_type", 'Write an amount as a decimal string, such as "12.5".')
    try:
        return parse_omni(value)
    except BadAmountError as error:
        raise PydanticCustomError("bad_amount", "{reason}", {"reason": str(error)}) from error


def _positive(value: Any) -> Omni:
    amount = _amount(value)
    if amount == 0:
        raise PydanticCustomError("not_positive", "The amount must be more than zero.")
    return amount


Amount = Annotated[Omni, BeforeValidator(_amount), WithJsonSchema(_SCHEMA)]
PositiveAmount = Annotated[Omni, BeforeValidator(_positive), WithJsonSchema(_SCHEMA)]
AmountOut = Annotated[
    int, PlainSerializer(format_omni, return_type=str), WithJsonSchema({**_SCHEMA, "examples": ["12.50000000"]})
]
"""Given as units of 1e-8 OMNI, rendered with all eight places."""
