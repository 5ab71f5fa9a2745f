"""What one store does differently from the others, in silence, and how to write so that it doesn't matter."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

EMBEDDED_PROCESS = "nx_27017"
_NOTHING_TO_PULL: dict[str, list[Any]] = {"_": []}


def is_embedded(build_info: Mapping[str, Any]) -> bool:
    return build_info.get("process") == EMBEDDED_PROCESS


def keeping_times(update: Mapping[str, Any]) -> Mapping[str, Any]:
    """NX-27017 0.8 stores a time that is set by its SQL path as a string, which then sorts before every other time.
    An operator that this path doesn't take, and that changes nothing, makes it use the path that keeps times."""
    if "$pullAll" in update or not _sets_a_time(update):
        return update
    return {**update, "$pullAll": _NOTHING_TO_PULL}


def _sets_a_time(update: Mapping[str, Any]) -> bool:
    return any(
        isinstance(value, datetime)
        for fields in update.values()
        if isinstance(fields, Mapping)
        for value in fields.values()
    )
