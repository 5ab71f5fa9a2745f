"""What the embedded store does differently from the others, in silence, and how to write so that it doesn't matter.

NX-27017 0.8 has two ways to update. The first, by SQL, stores a time as a string (which sorts before every other
time), turns the objects of a list into strings when something is pushed to it, and compares times wrongly in $min and
$max. The second, in Python, does these right but takes the dots of a path for letters, except in $set. An operator
that the first does not know, and that changes nothing, makes it take the second. In the filter of a write, $ne does not
match a document without the field. With $and it reads every document, whatever index there is. Where neither way is
right, UnsuitableStore is raised rather than storing something else.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kit.store.errors import UnsuitableStore

EMBEDDED_PROCESS = "nx_27017"
_NOTHING: Mapping[str, Any] = {"_": []}
_NEEDS_PYTHON = ("$push", "$pull", "$pullAll")
_TAKES_NO_DOTS = ("$inc", "$mul", "$min", "$max", "$unset", *_NEEDS_PYTHON)


def is_embedded(build_info: Mapping[str, Any]) -> bool:
    return build_info.get("process") == EMBEDDED_PROCESS


def embedded_update(update: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same update in the form that the embedded store takes as it is meant. Raises UnsuitableStore."""
    if any(name in update for name in _NEEDS_PYTHON) or _compares_times(update):
        _refuse_dots(update)
        return {**update, "$pullAll": {**_NOTHING, **update.get("$pullAll", {})}}
    return {
        operator: _with_times(fields) if operator in ("$set", "$setOnInsert") else fields
        for operator, fields in update.items()
    }


def embedded_read_filter(where: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same filter with as little of $and as may be."""
    if "$and" not in where:
        return where
    merged = {name: condition for name, condition in where.items() if name != "$and"}
    left = []
    for one in map(embedded_read_filter, where["$and"]):
        if merged.keys().isdisjoint(one):
            merged.update(one)
        else:
            left.append(one)
    return {**merged, "$and": left} if left else merged


def embedded_filter(where: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same filter for a write: without $ne, too."""
    where = embedded_read_filter(where)
    rewritten: dict[str, Any] = {}
    for name, condition in where.items():
        if name in ("$and", "$or", "$nor"):
            rewritten[name] = [embedded_filter(one) for one in condition]
        elif isinstance(condition, Mapping) and "$ne" in condition:
            others = {operator: value for operator, value in condition.items() if operator not in ("$ne", "$nin")}
            rewritten[name] = {**others, "$nin": [condition["$ne"], *condition.get("$nin", ())]}
        else:
            rewritten[name] = condition
    return rewritten


def _compares_times(update: Mapping[str, Any]) -> bool:
    return any(isinstance(value, datetime) for name in ("$min", "$max") for value in update.get(name, {}).values())


def _refuse_dots(update: Mapping[str, Any]) -> None:
    for operator in _TAKES_NO_DOTS:
        for path in update.get(operator, ()):
            if "." in path:
                raise UnsuitableStore(
                    f"The embedded store misreads {operator} of {path} in an update with {', '.join(sorted(update))}: "
                    "write the whole field, or write in two steps."
                )


def _with_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Times in the form that the store itself keeps them in."""
    return {name: _time(value) if isinstance(value, datetime) else value for name, value in fields.items()}


def _time(value: datetime) -> dict[str, str]:
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    return {"$date": plain.replace(microsecond=plain.microsecond // 1000 * 1000).isoformat()}
