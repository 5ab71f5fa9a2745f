"""Lists in pages: a stable order that ends in the id, and a signed cursor, good only for the list it came from."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from kit.problems import FieldError, InvalidRequest

if TYPE_CHECKING:
    from kit.documents import Stored
    from kit.store.collection import Collection

D = TypeVar("D", bound="Stored")

LIMIT_MAX = 200
LIMIT_DEFAULT = 50
CURSOR_LENGTH_MAX = 1024
_SIGNATURE_BYTES = 16
_PURPOSE = b"cursor\0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def _created_at() -> dict[str, str]:
    return {"createdAt": "createdAt"}


@dataclass(frozen=True)
class SortFields:
    """What a list may be sorted by: wire names to stored names of fields that are never null. `default` is a wire name,
    with "-" in front for descending. The id always comes last, in the same direction."""

    allowed: Mapping[str, str] = field(default_factory=_created_at)
    default: str = "-createdAt"

    def resolve(self, asked: str | None) -> tuple[str, int]:
        """The stored field and its direction, 1 or -1. Raises InvalidRequest at /sort."""
        asked = asked or self.default
        descending = asked.startswith("-")
        stored = self.allowed.get(asked[1:] if descending else asked)
        if stored is None:
            names = ", ".join(self.allowed)
            refused = FieldError("/sort", "not-allowed", f"Sort by one of: {names}; with - in front for descending.")
            raise InvalidRequest("The list cannot be sorted by this.", errors=[refused])
        return stored, -1 if descending else 1


@dataclass(frozen=True)
class PageRequest:
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None
    sort: str | None = None


async def fetch_page(
    collection: "Collection[D]", where: dict[str, Any], request: PageRequest, sort: SortFields, key: bytes
) -> tuple[list[D], str | None]:
    """One page, and the cursor of the next or None at the end. Raises InvalidRequest at /sort or /cursor,
    ValueError if a sort field is null."""
    field_name, direction = sort.resolve(request.sort)
    binding = _binding(collection.name, field_name, direction, where)
    if request.cursor is not None:
        where = {"$and": [where, _beyond(field_name, direction, *_read_cursor(request.cursor, binding, key))]}
    order = [(field_name, direction)] if field_name == "_id" else [(field_name, direction), ("_id", direction)]
    found = await collection.find(where, sort=order, limit=request.limit + 1)
    page = found[: request.limit]
    if len(found) <= request.limit:
        return page, None
    return page, _write_cursor(_stored_value(page[-1], field_name), page[-1].id, binding, key)


def write_position(position: int, *, of: Any, key: bytes) -> str:
    """A cursor for a list that is no collection's: `of` says which list it is good for, as JSON values."""
    return _write_cursor(position, "", orjson.dumps(of), key)


def read_position(cursor: str, *, of: Any, key: bytes) -> int:
    """The position that `write_position` put into the cursor. Raises InvalidRequest at /cursor."""
    position: int = _read_cursor(cursor, orjson.dumps(of), key)[0]
    return position


def _beyond(field_name: str, direction: int, value: Any, last_id: str) -> dict[str, Any]:
    comparison = "$gt" if direction > 0 else "$lt"
    if field_name == "_id":
        return {"_id": {comparison: last_id}}
    same = {field_name: value, "_id": {comparison: last_id}}
    return {"$or": [{field_name: {comparison: value}}, same]}


def _stored_value(document: Any, stored_name: str) -> Any:
    value = document
    for step in stored_name.split("."):
        fields = type(value).model_fields
        value = getattr(value, next(name for name, info in fields.items() if (info.alias or name) == step))
    if value is None:
        raise ValueError(f"{type(document).__name__}.{stored_name} is null: a list cannot be sorted by it")
    return value


def _binding(collection: str, field_name: str, direction: int, where: Mapping[str, Any]) -> bytes:
    return orjson.dumps([collection, field_name, direction, where], option=orjson.OPT_SORT_KEYS, default=str)


def _sign(payload: bytes, binding: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + payload + b"\0" + binding, "sha256")[:_SIGNATURE_BYTES]


def _write_cursor(value: Any, last_id: str, binding: bytes, key: bytes) -> str:
    if isinstance(value, datetime):
        value = {"ms": (value - _EPOCH) // _MILLISECOND}
    payload = orjson.dumps([value, last_id])
    return base64.urlsafe_b64encode(_sign(payload, binding, key) + payload).rstrip(b"=").decode("ascii")


def _read_cursor(cursor: str, binding: bytes, key: bytes) -> tuple[Any, str]:
    try:
        data = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _bad_cursor() from None
    signature, payload = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(payload, binding, key)):
        raise _bad_cursor()
    value, last_id = orjson.loads(payload)
    if isinstance(value, dict):
        value = _EPOCH + value["ms"] * _MILLISECOND
    return value, last_id


def _bad_cursor() -> InvalidRequest:
    detail = "Use nextCursor as it was answered, with the same filters and sort; or begin again without a cursor."
    return InvalidRequest("The cursor is not one of this list.", errors=[FieldError("/cursor", "bad-cursor", detail)])
