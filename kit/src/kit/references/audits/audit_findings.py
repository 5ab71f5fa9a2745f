"""What an audit compares, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.store.rows import Row

LISTED_MAX = 1_000
ABSENT = "absent"
MISMATCH = "mismatch"
REFERENCE = "reference"
PART = "part"
STALE = "stale"
AHEAD = "ahead"
BARRING = "barring"

Names = tuple[Any, ...]
"""What a child names: the parent's id alone, or the values of its composite key."""


def scalar(value: Any) -> Any:
    """As it is compared and travels: what is no reference at all (somebody wrote an object there) is text, and names
    nothing."""
    return value if value is None or isinstance(value, str | int | float) else str(value)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a parent: which fields `key` names it by, and which of its `fields` it is matched by. An
    aggregate whose parts are still being removed is asked for as if it were there, in purging (`of_parts`)."""

    parent: str
    key: tuple[str, ...] = ("_id",)
    fields: tuple[str, ...] = ()
    of_parts: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A document, or a part, that names a parent. `match` is what the parent must hold, by its own names."""

    id: str
    names: Names
    match: Mapping[str, Any]

    @property
    def parent_id(self) -> str:
        return "/".join(map(str, self.names))


@dataclass(frozen=True, slots=True)
class Relationship:
    """One relationship to one parent. `value` is the discriminator's in `by`, for a polymorphic one. A part's to its
    aggregate is of the kind "part"."""

    name: str
    child: str
    child_field: str
    parent: str
    match: Mapping[str, str] = field(default_factory=dict)
    key: Mapping[str, str] = field(default_factory=dict)
    by: str | None = None
    value: str | None = None
    kind: str = REFERENCE

    @property
    def asked(self) -> Asked:
        key = tuple(self.key.values()) or ("_id",)
        return Asked(self.parent, key, tuple(self.match.values()), of_parts=self.kind == PART)

    def child_fields(self) -> list[str]:
        return sorted({self.child_field, *self.match, *self.key, *([self.by] if self.by else [])})

    def named_by(self, row: Row) -> Child | None:
        """None if the row names no parent of this entity."""
        if self.by is not None and row.get(self.by) != self.value:
            return None
        names = tuple(scalar(row.get(name)) for name in (self.key or (self.child_field,)))
        if None in names:
            return None
        return Child(row["_id"], names, {theirs: scalar(row.get(ours)) for ours, theirs in self.match.items()})


@dataclass(frozen=True, slots=True)
class ParentSeen:
    """A parent that is there, in deletion or not. `values` are the fields that were asked for."""

    values: Mapping[str, Any]
    state: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ClosureSeen:
    parent_id: str
    epoch: int
    closed: bool
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Orphan:
    """`reason` is "absent", or "mismatch" for a parent that does not hold what it is matched by."""

    child_id: str
    parent_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pending:
    """An intent or slot that names the relationship. `age_s` is by the clock that wrote it."""

    child_id: str
    kind: str
    age_s: float | None


@dataclass(frozen=True, slots=True)
class OddClosure:
    """A closure that its owner's epoch does not bear out: "stale" if the owner moved on (the next creator heals it),
    "ahead" if it is newer than its owner, which was restored from a backup, and "barring" if it is closed at the very
    epoch at which its owner is active."""

    key: str
    kind: str
    age_s: float | None


@dataclass(slots=True)
class Report:
    """Of each list at most LISTED_MAX are listed. `reason` says why it is not complete."""

    relationship: Relationship
    children_read: int = 0
    orphans: list[Orphan] = field(default_factory=list)
    intents: list[Pending] = field(default_factory=list)
    closures: list[OddClosure] = field(default_factory=list)
    closure_count: int = 0
    is_complete: bool = True
    reason: str | None = None

    @property
    def is_clean(self) -> bool:
        return self.is_complete and not self.orphans

    def cut_short(self, reason: str) -> None:
        self.is_complete, self.reason = False, reason

    def body(self) -> dict[str, Any]:
        listed = self.orphans[:LISTED_MAX]
        return {
            "relationship": self.relationship.name,
            "parent": self.relationship.parent,
            "value": self.relationship.value,
            "kind": self.relationship.kind,
            "childrenRead": self.children_read,
            "orphanCount": len(self.orphans),
            "orphans": [{"childId": one.child_id, "parentId": one.parent_id, "reason": one.reason} for one in listed],
            "intents": [{"childId": one.child_id, "kind": one.kind, "ageS": one.age_s} for one in self.intents],
            "closures": [{"key": one.key, "kind": one.kind, "ageS": one.age_s} for one in self.closures],
            "closureCount": self.closure_count,
            "isComplete": self.is_complete,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Stuck:
    """A document in deletion that no open deletion brings to an end."""

    entity: str
    id: str
    state: str
    epoch: int
    deletion: str | None

    def body(self) -> dict[str, Any]:
        return {
            "entity": self.entity,
            "id": self.id,
            "state": self.state,
            "epoch": self.epoch,
            "deletionId": self.deletion,
        }


@dataclass(frozen=True, slots=True)
class Registered:
    """A relationship as its parent's owner has registered it. `at` tells one registration from a later one."""

    relationship: str
    parent: str
    service: str
    at: str
    is_validated: bool

    def body(self) -> dict[str, Any]:
        return {
            "relationship": self.relationship,
            "parent": self.parent,
            "service": self.service,
            "registeredAt": self.at,
            "isValidated": self.is_validated,
        }


@dataclass(slots=True)
class OwnerReport:
    """What is found at an owner, beside its children: documents that stay in deletion, and registrations that no
    service's document bears out."""

    service: str
    stuck: list[Stuck] = field(default_factory=list)
    undeclared: list[Registered] = field(default_factory=list)
    is_complete: bool = True
    reason: str | None = None

    def cut_short(self, reason: str) -> None:
        self.is_complete, self.reason = False, reason

    def body(self) -> dict[str, Any]:
        return {
            "service": self.service,
            "stuck": [one.body() for one in self.stuck[:LISTED_MAX]],
            "stuckCount": len(self.stuck),
            "undeclared": [one.body() for one in self.undeclared[:LISTED_MAX]],
            "undeclaredCount": len(self.undeclared),
            "isComplete": self.is_complete,
            "reason": self.reason,
        }


def relationships(entities: Mapping[str, Mapping[str, Any]]) -> list[Relationship]:
    """From `x-entities` of one service's OpenAPI document: its references, and its parts' to their aggregates."""
    found: list[Relationship] = []
    for child, entity in entities.items():
        for said in entity.get("references", ()):
            found += _of_reference(child, said)
        for part in _parts(entity):
            name = f"{part['collection']}.{part['field']}"
            found.append(Relationship(name, part["collection"], part["field"], child, kind=PART))
    return found


def _of_reference(child: str, said: Mapping[str, Any]) -> list[Relationship]:
    name = said["relationship"]
    stored_field = name.removeprefix(f"{child}.")
    if said.get("by") is None:
        match, key = said.get("match", {}), said.get("key", {})
        return [Relationship(name, child, stored_field, said["parent"], match, key)]
    by = said["by"]
    return [
        Relationship(name, child, stored_field, parent["parent"], parent.get("match", {}), by=by, value=value)
        for value, parent in said.get("parents", {}).items()
    ]


def _parts(entity: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    parts = entity.get("parts", ())
    return parts if isinstance(parts, list | tuple) else ()
