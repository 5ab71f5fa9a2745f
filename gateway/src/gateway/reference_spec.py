"""What a service's document says about one reference: `x-reference` of a property or parameter, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ON_DELETE = frozenset({"CASCADE", "RESTRICT", "SET_NULL"})
PARENTS_MAX = 32
_RELATIONSHIP = re.compile(r"([a-z][a-z0-9_]{0,62})\.([A-Za-z][A-Za-z0-9]{0,62})\Z")


class DocumentRefusedError(Exception):
    """A service's document can't be used. The message says what is wrong and where, for its operators."""


@dataclass(frozen=True, slots=True)
class ParentSpec:
    """One parent that a reference may name. `match`, `copy` and `key` map a child field to a parent field."""

    parent: str
    match: tuple[tuple[str, str], ...] = ()
    copy: tuple[tuple[str, str], ...] = ()
    key: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceSpec:
    """`parents` is by the value of the discriminator `by`, or has the one key None."""

    relationship: str
    field: str
    by: str | None
    parents: Mapping[str | None, ParentSpec]
    default_caller: bool
    pattern: re.Pattern[str] | None = None


def read_reference(said: Any, schema: Mapping[str, Any], where: str) -> ReferenceSpec:
    """`schema` is the one that `x-reference` stands in. Raises DocumentRefusedError."""
    if not isinstance(said, dict):
        raise DocumentRefusedError(f"{where}: x-reference is not an object")
    relationship = said.get("relationship")
    match = _RELATIONSHIP.match(relationship) if isinstance(relationship, str) else None
    if match is None or not isinstance(relationship, str):
        raise DocumentRefusedError(f"{where}: x-reference has no relationship of the form collection.field")
    if said.get("onDelete") not in ON_DELETE:
        raise DocumentRefusedError(f"{where}: {relationship} has no onDelete of {', '.join(sorted(ON_DELETE))}")
    if said.get("default") not in (None, "caller"):
        raise DocumentRefusedError(f"{where}: {relationship} has a default other than caller")
    by = said.get("by")
    if by is not None and not isinstance(by, str):
        raise DocumentRefusedError(f"{where}: {relationship} has a discriminator that is no name")
    return ReferenceSpec(
        relationship=relationship,
        field=match[2],
        by=by,
        parents=_parents(said, relationship, where),
        default_caller=said.get("default") == "caller",
        pattern=_id_pattern(schema, relationship, where),
    )


def _parents(said: Mapping[str, Any], relationship: str, where: str) -> dict[str | None, ParentSpec]:
    if said.get("by") is None:
        return {None: _parent(said, relationship, where)}
    parents = said.get("parents")
    if not isinstance(parents, dict) or not 0 < len(parents) <= PARENTS_MAX:
        raise DocumentRefusedError(f"{where}: {relationship} has a discriminator but no parents")
    return {
        value: _parent(parent if isinstance(parent, dict) else {"parent": parent}, relationship, where)
        for value, parent in parents.items()
    }


def _parent(said: Mapping[str, Any], relationship: str, where: str) -> ParentSpec:
    parent = said.get("parent")
    if not isinstance(parent, str) or not parent:
        raise DocumentRefusedError(f"{where}: {relationship} names no parent")
    maps: dict[str, tuple[tuple[str, str], ...]] = {}
    for option in ("match", "copy", "key"):
        given = said.get(option) or {}
        if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
            raise DocumentRefusedError(f"{where}: {relationship} has a {option} that maps no names to names")
        maps[option] = tuple(given.items())
    return ParentSpec(parent, **maps)


def _id_pattern(schema: Mapping[str, Any], relationship: str, where: str) -> re.Pattern[str] | None:
    """Ids are strings; a schema may narrow them. What does not fit is left to the service to refuse as malformed."""
    if schema.get("type") != "string":
        raise DocumentRefusedError(f"{where}: {relationship} is not a string, as ids are")
    pattern = schema.get("pattern")
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except (re.error, TypeError):
        raise DocumentRefusedError(f"{where}: {relationship} has a pattern that is no regular expression") from None
