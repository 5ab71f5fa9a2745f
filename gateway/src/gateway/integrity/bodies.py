"""Reads what a client sends to the audits. What is wrong is said at its field."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.integrity.repairer import ACTIONS, RAISE_EPOCH, Item
from gateway.request import Request
from kit.problems import FieldError, InvalidRequest
from kit.strict_json import pointer_step

RELATIONSHIPS_MAX: Final = 1_000
ITEMS_MAX: Final = 200
LIST_MAX: Final = 50
LIST_DEFAULT: Final = 20
TEXT_LENGTH_MAX: Final = 300
KEY_LENGTH_MAX: Final = 255


def relationship_names(body: Mapping[str, Any]) -> list[str] | None:
    """None for all of them."""
    _refuse_others(body, {"relationships"}, "")
    names = body.get("relationships")
    if names is None:
        return None
    listed = _list(names, "/relationships", RELATIONSHIPS_MAX)
    return [_text(one, f"/relationships/{place}") for place, one in enumerate(listed)]


def repair_items(body: Mapping[str, Any]) -> list[Item]:
    _refuse_others(body, {"items"}, "")
    listed = _list(body.get("items"), "/items", ITEMS_MAX)
    return [_item(one, f"/items/{place}") for place, one in enumerate(listed)]


def list_limit(query: bytes) -> int:
    """`query` has no other name than this one, and that once."""
    value = dict(parse_qsl(query.decode("ascii"), keep_blank_values=True)).get("limit", str(LIST_DEFAULT))
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= LIST_MAX:
        raise _wrong("/limit", "out-of-range", f"A whole number from 1 to {LIST_MAX}.")
    return int(value[:9])


def idempotency_key(request: Request) -> str | None:
    key = request.headers.text(b"idempotency-key")
    if key is not None and not (0 < len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        raise _wrong("/Idempotency-Key", "invalid", f"One to {KEY_LENGTH_MAX} visible ASCII characters.")
    return key


def _item(said: Any, where: str) -> Item:
    if not isinstance(said, dict):
        raise _wrong(where, "wrong-type", "It is not of the type that is expected here.")
    _refuse_others(said, {"relationship", "childId", "parentId", "action"}, where)
    action = _text(said.get("action"), f"{where}/action")
    if action not in ACTIONS:
        raise _wrong(f"{where}/action", "invalid", f"One of {', '.join(ACTIONS)}.")
    child_id = said.get("childId")
    is_of_closure = action == RAISE_EPOCH and child_id is None
    return Item(
        _text(said.get("relationship"), f"{where}/relationship"),
        "" if is_of_closure else _text(child_id, f"{where}/childId"),
        _text(said.get("parentId"), f"{where}/parentId"),
        action,
    )


def _list(value: Any, where: str, items_max: int) -> list[Any]:
    if value is None:
        raise _wrong(where, "missing", "It is needed.")
    if not isinstance(value, list):
        raise _wrong(where, "wrong-type", "It is not of the type that is expected here.")
    if not value:
        raise _wrong(where, "too-short", "Name at least one.")
    if len(value) > items_max:
        raise _wrong(where, "too-long", f"At most {items_max} are taken at once.")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        code, detail = ("missing", "It is needed.") if value is None else ("wrong-type", "Write it as a string.")
        raise _wrong(where, code, detail)
    if not 0 < len(value) <= TEXT_LENGTH_MAX:
        raise _wrong(where, "out-of-range", f"From 1 to {TEXT_LENGTH_MAX} characters.")
    return value


def _refuse_others(value: Mapping[str, Any], known: set[str], where: str) -> None:
    others = [
        FieldError(where + pointer_step(name), "unknown-field", "There is no such field here.")
        for name in value
        if name not in known
    ]
    if others:
        raise InvalidRequest(errors=others)


def _wrong(pointer: str, code: str, detail: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(pointer, code, detail)])
