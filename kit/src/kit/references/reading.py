"""Reads what the gateway sends to `/internal/…`, field by field. Each raises InvalidRequest with the pointer of what is
not as it should be."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from fastapi import Request
from starlette.responses import Response

from kit import strict_json
from kit.problems import FieldError, InvalidRequest
from kit.references.declaration import OnDelete

T = TypeVar("T")
NUMBER_MIN, NUMBER_MAX = -(2**63), 2**63 - 1
"""What a store keeps."""


async def body_of(request: Request) -> dict[str, Any]:
    return object_of(strict_json.loads(await request.body()), "")


def number_of(value: Mapping[str, Any], name: str, where: str) -> int:
    """A whole number, zero or more."""
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= NUMBER_MAX:
        raise malformed(f"{where}/{name}")
    return number


def items_of(body: Mapping[str, Any], name: str, items_max: int) -> list[tuple[Any, str]]:
    items = typed(body.get(name), list, f"/{name}")
    if len(items) > items_max:
        raise InvalidRequest(errors=[FieldError(f"/{name}", "too-long", f"At most {items_max} are taken at once.")])
    return [(item, f"/{name}/{position}") for position, item in enumerate(items)]


def object_of(value: Any, where: str) -> dict[str, Any]:
    return typed(value, dict, where)


def scalars_of(value: Any, where: str) -> dict[str, Any]:
    """Values to compare with: a list or an object would be an operator's way into the query."""
    found = object_of(value, where)
    for name, one in found.items():
        is_number = isinstance(one, int) and NUMBER_MIN <= one <= NUMBER_MAX
        if not is_number and not isinstance(one, str) and one is not None:
            raise malformed(f"{where}/{name}")
    return found


def text_of(value: Mapping[str, Any], name: str, where: str) -> str:
    return typed(value.get(name), str, f"{where}/{name}")


def on_delete_of(value: Mapping[str, Any], where: str) -> OnDelete:
    rule = text_of(value, "onDelete", where)
    if rule not in OnDelete.__members__:
        raise malformed(f"{where}/onDelete")
    return OnDelete(rule)


def typed(value: Any, wanted: type[T], where: str) -> T:
    if not isinstance(value, wanted):
        raise malformed(where)
    return value


def malformed(where: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(where, "wrong-type", "It is not of the type that is expected here.")])


def json_response(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
