"""Which unique index a row breaks, and how that is said. Stores tell it differently or not at all, so the declared
indexes are asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.problems import AlreadyExists, FieldError
from kit.store.indexes import index_fields, is_unique
from kit.store.rows import Row, Rows
from kit.store.sessions import Session

if TYPE_CHECKING:
    from kit.documents import Stored


@dataclass(frozen=True, slots=True)
class Collision:
    """`other` is the row that holds the value, an intent perhaps."""

    fields: tuple[str, ...]
    other: Row


async def find_collision(
    rows: Rows, document_type: "type[Stored]", row: Mapping[str, Any], *, stored: bool, session: Session | None = None
) -> Collision | None:
    """The row that holds one of the unique values of `row`. `stored`: the row is there, and is not its own rival."""
    for fields in unique_fields(document_type):
        if stored and fields == ("_id",):
            continue
        where = {field: value_at(row, field) for field in fields}
        if stored:
            where["_id"] = {"$ne": row["_id"]}
        other = await rows.find_one(where, session=session)
        if other is not None:
            return Collision(fields, other)
    return None


def unique_fields(document_type: "type[Stored]") -> list[tuple[str, ...]]:
    return [("_id",), *(index_fields(one) for one in document_type.declared_indexes() if is_unique(one))]


def value_at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def still_taken(fields: Sequence[str]) -> AlreadyExists:
    """The value is an intent's, which is no answer yet."""
    return AlreadyExists(
        "The value is held by a write that has not ended yet; try again.",
        errors=taken_errors(fields),
        headers={"Retry-After": "1"},
    )


def taken_errors(fields: Sequence[str]) -> list[FieldError]:
    """One error, at the last field of the index: those before it are its scope (a name is unique per user)."""
    return [FieldError(f"/{field}", "already-exists", "The value is taken.") for field in fields[-1:]]
