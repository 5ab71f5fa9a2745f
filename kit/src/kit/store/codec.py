"""Documents to rows and back. A field that is None is left out of the row."""

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from kit.documents import Stored

D = TypeVar("D", bound="Stored")
_PLAIN = frozenset({str, int, bool, float, bytes, datetime, type(None)})


def to_row(document: "Stored") -> dict[str, Any]:
    """Raises TypeError for a value that not every store keeps exactly, such as a Decimal or a set."""
    row: dict[str, Any] = document.model_dump(by_alias=True, exclude_none=True)
    for name, value in row.items():
        if type(value) not in _PLAIN:
            row[name] = to_stored_value(value)
    return row


def from_row(document_type: type[D], row: dict[str, Any]) -> D:
    document: D = document_type.model_validate(row)
    return document


def to_stored_value(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(name): to_stored_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_stored_value(one) for one in value]
    if isinstance(value, Decimal | set | frozenset):
        raise TypeError(f"a {type(value).__name__} isn't kept alike by every store; use a string, an integer or a list")
    return value
