"""Field types that several schemas share."""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from kit.schemas import YEAR_MAX, YEAR_MIN, text

PERIOD_LENGTH = 10


def absent() -> Any:
    """The default of a patch field, which is never read: what a patch leaves out isn't among its set fields."""
    return None


def _period(value: Any) -> str:
    if not isinstance(value, str) or len(value) != PERIOD_LENGTH:
        raise PydanticCustomError("bad_period", "Write a day as YYYY-MM-DD, such as 2026-11-23.")
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("bad_period", "There is no such day.") from error
    if day.isoformat() != value:
        raise PydanticCustomError("bad_period", "Write a day as YYYY-MM-DD, such as 2026-11-23.")
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise PydanticCustomError("out_of_range", f"The year must be {YEAR_MIN} to {YEAR_MAX}.")
    return value


Period = Annotated[
    str, BeforeValidator(_period), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-23"]})
]
"""A day in UTC."""

Name = Annotated[str, text(80)]
AprBps = Annotated[int, Field(ge=0, le=100_000_000, description="Basis points a year.")]
LockDays = Annotated[int, Field(ge=0, le=3650)]
PenaltyBps = Annotated[int, Field(ge=0, le=10_000, description="Basis points of the principal.")]
EmissionSeconds = Annotated[
    int, Field(ge=1, le=10 * 365 * 86_400, description="Each funding is spread over this time from then on.")
]
