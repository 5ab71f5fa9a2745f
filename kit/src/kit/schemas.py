"""What travels: base classes of request and response schemas, and the field types they share.

On the wire names are camelCase. A write schema takes aliases only, refuses unknown fields, and takes JSON's own types
(no "1" for a number, no 1 for true). A read schema states every field and has no defaults.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from kit.clock import cut_to_milliseconds

T = TypeVar("T")

YEAR_MIN = 2000
YEAR_MAX = 2100
_EXACT_TYPES = frozenset({"int", "float", "bool"})
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?\Z", re.ASCII)
# Control characters, surrogates, line and paragraph separators, direction overrides: invisible, and able to deceive.
_FORBIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff"
_FORBIDDEN_IN_LINES = re.compile(f"[{_FORBIDDEN}]")
_FORBIDDEN_IN_LINE = re.compile(f"[\t\n{_FORBIDDEN}]")


def _make_exact(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") in _EXACT_TYPES:
            schema["strict"] = True
        for part in schema.values():
            _make_exact(part)
    elif isinstance(schema, list):
        for part in schema:
            _make_exact(part)


class WriteModel(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        validate_by_alias=True,
        validate_by_name=False,
        hide_input_in_errors=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _make_exact(schema)
        return schema


class ReadModel(BaseModel):
    """Constructed by Python names, or from an object's attributes (`model_validate(document)`)."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        from_attributes=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        defaulted = [name for name, field in cls.model_fields.items() if not field.is_required()]
        if defaulted:
            raise TypeError(f"{cls.__name__}: a read schema has no defaults, but these fields have: {defaulted}")


class PageOut(ReadModel, Generic[T]):
    items: list[T]
    next_cursor: str | None


def format_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-11-23T15:27:18.123Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _timestamp(value: Any) -> datetime:
    if isinstance(value, str):
        match = _RFC_3339.match(value)
        if match is None:
            raise PydanticCustomError("bad_timestamp", "Write a time as RFC 3339, such as 2026-11-23T15:27:18.123Z.")
        if match[2] is None:
            raise PydanticCustomError("no_zone", "The time needs a zone, such as Z.")
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise PydanticCustomError("bad_timestamp", "There is no such time.") from error
    elif not isinstance(value, datetime):
        raise PydanticCustomError("wrong_type", "Write a time as a string of RFC 3339.")
    elif value.tzinfo is None:
        raise PydanticCustomError("no_zone", "The time needs a zone, such as Z.")
    try:
        moment = cut_to_milliseconds(value.astimezone(UTC))
    except OverflowError as error:
        raise PydanticCustomError("out_of_range", "There is no such time.") from error
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise PydanticCustomError("out_of_range", f"The year must be {YEAR_MIN} to {YEAR_MAX}.")
    return moment


Timestamp = Annotated[
    datetime,
    BeforeValidator(_timestamp),
    PlainSerializer(format_timestamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time with a zone, in UTC and whole milliseconds, in the years YEAR_MIN to YEAR_MAX."""


@dataclass(frozen=True, slots=True)
class _TextRule:
    max_length: int
    min_length: int
    multiline: bool

    def check(self, value: str) -> str:
        forbidden = (_FORBIDDEN_IN_LINES if self.multiline else _FORBIDDEN_IN_LINE).search(value)
        if forbidden is not None:
            raise PydanticCustomError(
                "bad_character",
                "Control characters and lone surrogates are not taken; the first is at position {position}.",
                {"position": forbidden.start()},
            )
        value = unicodedata.normalize("NFC", value)
        if len(value) > self.max_length:
            raise PydanticCustomError(
                "too_long", "The text may have at most {max_length} characters.", {"max_length": self.max_length}
            )
        if self.min_length and not value.strip():
            raise PydanticCustomError("too_short", "The text is empty.")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.no_info_after_validator_function(
            self.check, core_schema.str_schema(min_length=self.min_length, max_length=self.max_length)
        )


def text(max_length: int, min_length: int = 1, *, multiline: bool = False) -> Any:
    """Metadata for a string field: `Name = Annotated[str, text(80)]`. Lengths are in characters.

    The text is normalised to NFC. Refused are control characters (but tab and line feed where `multiline`), lone
    surrogates, direction overrides, and, unless `min_length` is 0, nothing but white space.
    """
    return _TextRule(max_length, min_length, multiline)
