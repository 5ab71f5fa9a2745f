"""OMNI amounts as they travel: decimal strings."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from staking.domain.amounts import PLACES, BadAmountError, format_omni, parse_omni

_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": rf"^(0|[1-9][0-9]{{0,10}})(\.[0-9]{{1,{PLACES}}})?$",
    "description": f"An amount of OMNI as a decimal string with at most {PLACES} places.",
    "examples": ["100.00000000"],
}
_SIGNED_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": rf"^-?[0-9]{{1,11}}\.[0-9]{{{PLACES}}}$",
    "description": f"An amount of OMNI as a decimal string with {PLACES} places.",
    "examples": ["-0.50000000"],
}


def _parse(value: Any) -> int:
    if not isinstance(value, str):
        raise PydanticCustomError("wrong_type", 'Write an amount as a string, such as "12.5".')
    try:
        return parse_omni(value)
    except BadAmountError as error:
        raise PydanticCustomError("bad_amount", "{reason}", {"reason": str(error)}) from None


def _parse_positive(value: Any) -> int:
    amount = _parse(value)
    if amount == 0:
        raise PydanticCustomError("not_positive", "The amount must be above zero.")
    return amount


OmniIn = Annotated[int, BeforeValidator(_parse), WithJsonSchema(_SCHEMA)]
"""Zero or more, of a request: in units of 1e-8 OMNI once it is read."""

PositiveOmniIn = Annotated[int, BeforeValidator(_parse_positive), WithJsonSchema(_SCHEMA)]

OmniOut = Annotated[
    int, PlainSerializer(format_omni, return_type=str, when_used="json"), WithJsonSchema(_SIGNED_SCHEMA)
]
"""Of an answer, from units of 1e-8 OMNI; may be negative."""
