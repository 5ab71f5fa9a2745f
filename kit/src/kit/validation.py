"""pydantic's errors as field errors: a JSON pointer with wire names, a readable code, and never the value that was
sent."""

from collections.abc import Iterable, Mapping
from typing import Any

from kit.problems import ERRORS_MAX, FieldError, InvalidRequest
from kit.strict_json import pointer_step

_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown-field",
    "string_too_long": "too-long",
    "too_long": "too-long",
    "bytes_too_long": "too-long",
    "string_too_short": "too-short",
    "too_short": "too-short",
    "bytes_too_short": "too-short",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "finite_number": "out-of-range",
    "int_parsing_size": "out-of-range",
    "multiple_of": "out-of-range",
    "enum": "not-allowed",
    "literal_error": "not-allowed",
    "union_tag_invalid": "not-allowed",
    "union_tag_not_found": "missing",
    "string_pattern_mismatch": "bad-format",
    "string_unicode": "bad-character",
    "value_error": "invalid",
    "assertion_error": "invalid",
}
_DETAILS = {
    "missing": "The field is required.",
    "extra_forbidden": "There is no such field here.",
    "union_tag_invalid": "The field that tells the kind names no known kind.",
    "union_tag_not_found": "The field that tells the kind is required.",
    "string_unicode": "The text is not valid Unicode.",
    "assertion_error": "The value is not valid.",
    "model_type": "The value must be an object.",
    "model_attributes_type": "The value must be an object.",
    "dict_type": "The value must be an object.",
    "list_type": "The value must be an array.",
    "tuple_type": "The value must be an array.",
    "string_type": "The value must be a string.",
    "int_type": "The value must be an integer.",
    "int_parsing": "The value must be an integer.",
    "float_type": "The value must be a number.",
    "bool_type": "The value must be true or false.",
    "string_pattern_mismatch": "The value does not have the expected form.",
}
# Of a hidden text pydantic says "items".
_HIDDEN_TEXT_DETAILS = {
    "too_short": "The value must have at least {min_length} characters.",
    "too_long": "The value must have at most {max_length} characters.",
}
# Where several branches of a union complain about one place, the most telling complaint is kept.
_VAGUE = ("unknown-field", "missing", "wrong-type")
_DETAIL_LENGTH_MAX = 300


def invalid_request(errors: Iterable[Any], body: Any = None) -> InvalidRequest:
    """One problem for all errors of a request. `body` is the parsed body that the locations are resolved in."""
    found: dict[str, FieldError] = {}
    for error in errors:
        one = _field_error(error, body)
        other = found.get(one.pointer)
        if other is None or _rank(one) > _rank(other):
            found[one.pointer] = one
        if len(found) > ERRORS_MAX:
            break
    return InvalidRequest("The fields named in 'errors' are not valid.", errors=list(found.values()))


def error_code(kind: str) -> str:
    """The stable code of a pydantic error type; a custom type is its own code."""
    if kind in _CODES:
        return _CODES[kind]
    if kind.endswith(("_type", "_parsing")) or kind in {"int_from_float", "is_instance_of", "timezone_aware"}:
        return "wrong-type"
    return kind.replace("_", "-")


def _rank(error: FieldError) -> int:
    return _VAGUE.index(error.code) if error.code in _VAGUE else len(_VAGUE)


def _field_error(error: Mapping[str, Any], body: Any) -> FieldError:
    kind = error["type"]
    where, *steps = error["loc"] or ("body",)
    steps = steps if where == "body" else steps[:1]
    pointer = _body_pointer(steps, body, kind) if where == "body" else "".join(map(pointer_step, steps))
    detail, context = _DETAILS.get(kind), error.get("ctx", {})
    if kind in _HIDDEN_TEXT_DETAILS and context.get("field_type") == "Value":
        detail = _HIDDEN_TEXT_DETAILS[kind].format(**context)
    if detail is None:
        detail = str(error["msg"]).removeprefix("Value error, ")[:_DETAIL_LENGTH_MAX]
    return FieldError(pointer, error_code(kind), detail if detail.endswith(".") else detail + ".")


def _body_pointer(steps: list[str | int], body: Any, kind: str) -> str:
    """A location holds names of union branches and validators beside the steps into the body: those that the body
    does not have are left out, but for the name of a missing field, which is the last."""
    pointer = ""
    place = body
    for index, step in enumerate(steps):
        if isinstance(place, dict) and isinstance(step, str):
            if step in place:
                place = place[step]
            elif kind == "missing" and index == len(steps) - 1:
                place = None
            else:
                continue
        elif isinstance(place, list) and isinstance(step, int) and 0 <= step < len(place):
            place = place[step]
        else:
            continue
        pointer += pointer_step(step)
    return pointer
