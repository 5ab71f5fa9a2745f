"""JSON as RFC 8259 has it, and nothing that two parsers could read in two ways.

orjson goes first: it refuses NaN, numbers beyond a double, lone surrogates and invalid UTF-8. A second pass with the
standard library's parser looks for duplicate keys, which orjson keeps quiet about.
"""

import json
from typing import Any

import orjson

from kit.problems import FieldError, InvalidRequest

DEPTH_MAX = 32
_NAME_LENGTH_SHOWN_MAX = 100


class _DuplicateKey(Exception):  # noqa: N818 (it is caught here)
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def loads(body: bytes) -> Any:
    """The value, or InvalidRequest naming the place. Refuses duplicate keys, NaN and Infinity, numbers beyond a double,
    lone surrogates, NUL in strings, and more than DEPTH_MAX levels."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _refusal("", "not-json", f"The body is not JSON: {error.msg}, at position {error.pos}.") from None
    if isinstance(value, dict | list):
        if nests_deeper(value, DEPTH_MAX):
            raise _refusal("", "too-deep", f"The body nests deeper than {DEPTH_MAX} levels.")
        _check_duplicate_keys(body)
    if b"\\u0000" in body:
        _check_nul(value)
    return value


def pointer_step(name: str | int) -> str:
    """One step of a JSON pointer (RFC 6901), cut to a length that is good for an answer."""
    return "/" + str(name)[:_NAME_LENGTH_SHOWN_MAX].replace("~", "~0").replace("/", "~1")


def _refusal(pointer: str, code: str, detail: str) -> InvalidRequest:
    return InvalidRequest("The body cannot be read.", errors=[FieldError(pointer, code, detail)])


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def nests_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays stand within each other more than `levels` deep; without recursion."""
    level = [value]
    for _ in range(levels):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _DuplicateKey(key)
        seen.add(key)
    return value


_finder = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=str, parse_int=str)


def _check_duplicate_keys(body: bytes) -> None:
    """The place of a duplicate is only its own name: the parser reports objects from the inside out."""
    try:
        _finder.decode(body.decode("utf-8"))
    except _DuplicateKey as error:
        step = pointer_step(error.key)
        raise _refusal(step, "duplicate-key", "The same key stands twice in one object.") from None


def _check_nul(value: Any, pointer: str = "") -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise _refusal(pointer, "bad-character", "A NUL is not taken in a string.")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_nul(item, pointer + pointer_step(place))
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_nul(name, pointer)
            _check_nul(item, pointer + pointer_step(name))
