"""A full anti-join of one relationship between two stores, in pages, read-only, against live traffic."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kit.clock import Clock
from kit.references import closures
from kit.references.declaration import SEPARATOR, intent_key
from kit.store import Store
from kit.store.hidden import INTENT, INTENT_REFS, PARENT_STATE, is_create_intent
from kit.store.rows import Row, Rows

PAGE = 1_000
SUSPECTS_MAX = 10_000
LISTED_MAX = 1_000
RECHECK_AFTER_S = 31.0
ABSENT = "absent"
MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Relationship:
    """One relationship to one parent. `value` is the discriminator's in `by`, for a polymorphic one."""

    name: str
    child: str
    child_field: str
    parent: str
    match: Mapping[str, str] = field(default_factory=dict)
    key: Mapping[str, str] = field(default_factory=dict)
    by: str | None = None
    value: str | None = None

    def child_fields(self) -> list[str]:
        return sorted({self.child_field, *self.match, *self.key, *([self.by] if self.by else [])})

    def named(self, row: Row) -> tuple[Any, ...] | None:
        """What the child names: the parent's id, or its composite key; None if it names no parent of this entity."""
        if self.by is not None and row.get(self.by) != self.value:
            return None
        values = tuple(row.get(name) for name in (self.key or (self.child_field,)))
        return None if None in values else values


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
    age_s: float


@dataclass(frozen=True, slots=True)
class OddClosure:
    """A closure that its owner's epoch does not bear out: "stale" if the owner moved on (the next creator heals it),
    "ahead" if it is newer than its owner, which was restored from a backup."""

    key: str
    kind: str
    age_s: float | None


@dataclass(slots=True)
class Report:
    relationship: Relationship
    children_read: int = 0
    orphans: list[Orphan] = field(default_factory=list)
    intents: list[Pending] = field(default_factory=list)
    closures: list[OddClosure] = field(default_factory=list)
    is_complete: bool = True

    def body(self) -> dict[str, Any]:
        listed = self.orphans[:LISTED_MAX]
        return {
            "relationship": self.relationship.name,
            "parent": self.relationship.parent,
            "childrenRead": self.children_read,
            "orphanCount": len(self.orphans),
            "orphans": [{"childId": one.child_id, "parentId": one.parent_id, "reason": one.reason} for one in listed],
            "intents": [{"childId": one.child_id, "kind": one.kind, "ageS": one.age_s} for one in self.intents],
            "closures": [{"key": one.key, "kind": one.kind, "ageS": one.age_s} for one in self.closures],
            "isComplete": self.is_complete,
        }


def relationships(entities: Mapping[str, Mapping[str, Any]]) -> list[Relationship]:
    """From `x-entities` of one service's OpenAPI document."""
    found: list[Relationship] = []
    for child, entity in entities.items():
        for said in entity.get("references", ()):
            name = said["relationship"]
            stored_field = name.removeprefix(f"{child}.")
            if said.get("by") is None:
                match, key = said.get("match", {}), said.get("key", {})
                found.append(Relationship(name, child, stored_field, said["parent"], match, key))
            for value, parent in said.get("parents", {}).items():
                match, by = parent.get("match", {}), said["by"]
                found.append(Relationship(name, child, stored_field, parent["parent"], match, by=by, value=value))
    return found


async def audit(
    relationship: Relationship,
    *,
    children: Store,
    parents: Store,
    clock: Clock,
    recheck_after_s: float = RECHECK_AFTER_S,
) -> Report:
    """A suspect counts only if it is one still after `recheck_after_s`, the longest deadline that a request has.
    `is_complete` is False if there were more than SUSPECTS_MAX, and the others were not looked at again."""
    report = Report(relationship)
    child_rows, parent_rows = children.rows(relationship.child), parents.rows(relationship.parent)
    suspects: list[str] = []
    async for page in _pages(child_rows, relationship.child_fields()):
        named = [row for row in page if relationship.named(row) is not None and not is_create_intent(row)]
        report.children_read += len(named)
        suspects += [one.child_id for one in await _orphans(relationship, named, parent_rows)]
        if len(suspects) > SUSPECTS_MAX:
            report.is_complete = False
            break
    if suspects:
        await asyncio.sleep(recheck_after_s)
        report.orphans = await _still_orphans(relationship, suspects[:SUSPECTS_MAX], child_rows, parent_rows)
    report.intents = await _pending(relationship, child_rows, clock.now())
    report.closures = await _odd_closures(relationship, children, parent_rows, clock.now())
    return report


async def _pages(rows: Rows, fields: Sequence[str]) -> AsyncIterator[list[Row]]:
    after = ""
    while True:
        page = await rows.find(
            {"_id": {"$gt": after}}, fields=[*fields, f"{INTENT}.kind"], sort=[("_id", 1)], limit=PAGE
        )
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1]["_id"]


async def _still_orphans(
    relationship: Relationship, suspects: Sequence[str], child_rows: Rows, parent_rows: Rows
) -> list[Orphan]:
    found: list[Orphan] = []
    fields = [*relationship.child_fields(), f"{INTENT}.kind"]
    for start in range(0, len(suspects), PAGE):
        chunk = suspects[start : start + PAGE]
        rows = await child_rows.find({"_id": {"$in": chunk}}, fields=fields, limit=len(chunk))
        named = [row for row in rows if relationship.named(row) is not None and not is_create_intent(row)]
        found += await _orphans(relationship, named, parent_rows)
    return found


async def _orphans(relationship: Relationship, named: Sequence[Row], parent_rows: Rows) -> list[Orphan]:
    parents = await _parents(relationship, {relationship.named(row) or () for row in named}, parent_rows)
    found: list[Orphan] = []
    for row in named:
        names = relationship.named(row) or ()
        parent = parents.get(names)
        if parent is None:
            found.append(Orphan(row["_id"], "/".join(map(str, names)), ABSENT))
        elif any(parent.get(theirs) != row.get(ours) for ours, theirs in relationship.match.items()):
            found.append(Orphan(row["_id"], "/".join(map(str, names)), MISMATCH))
    return found


async def _parents(
    relationship: Relationship, named: Iterable[tuple[Any, ...]], parent_rows: Rows
) -> dict[tuple[Any, ...], Row]:
    """The parents that are there, one in deletion too: its children are still to be dealt with."""
    parent_key = list(relationship.key.values()) or ["_id"]
    groups: dict[tuple[Any, ...], set[Any]] = {}
    for names in named:
        groups.setdefault(names[:-1], set()).add(names[-1])
    fields = [*parent_key, *relationship.match.values(), f"{INTENT}.kind"]
    found: dict[tuple[Any, ...], Row] = {}
    for scope, values in groups.items():
        where = {**dict(zip(parent_key, scope, strict=False)), parent_key[-1]: {"$in": list(values)}}
        for row in await parent_rows.find(where, fields=fields, limit=len(values)):
            if not is_create_intent(row):
                found[tuple(row.get(name) for name in parent_key)] = row
    return found


async def _pending(relationship: Relationship, child_rows: Rows, now: datetime) -> list[Pending]:
    prefix = f"{relationship.name}{SEPARATOR}{relationship.parent}{SEPARATOR}"
    rows = await child_rows.find({INTENT_REFS: {"$exists": True}}, fields=[INTENT], limit=LISTED_MAX)
    return [
        Pending(row["_id"], row[INTENT]["kind"], (now - row[INTENT]["at"]).total_seconds())
        for row in rows
        if any(one.startswith(prefix) for one in row[INTENT]["refs"])
    ]


async def _odd_closures(
    relationship: Relationship, children: Store, parent_rows: Rows, now: datetime
) -> list[OddClosure]:
    """Only parents that are still there: the closures of those that are gone stay for ever, as they should."""
    prefix = intent_key(relationship.name, relationship.parent, "")
    rows = children.rows(closures.NAME)
    after, odd = prefix, list[OddClosure]()
    while True:
        page = await rows.find(
            {"_id": {"$gt": after, "$lt": prefix + "\uffff"}, "closed": True}, sort=[("_id", 1)], limit=PAGE
        )
        ids = [row["_id"].removeprefix(prefix) for row in page]
        parents = await parent_rows.find({"_id": {"$in": ids}}, fields=[PARENT_STATE], limit=len(ids) or 1)
        epochs = {row["_id"]: int(row.get(PARENT_STATE, {}).get("epoch", 0)) for row in parents}
        for row, parent_id in zip(page, ids, strict=True):
            if parent_id in epochs and epochs[parent_id] != row["epoch"]:
                kind = "stale" if epochs[parent_id] > row["epoch"] else "ahead"
                age_s = (now - row["at"]).total_seconds() if "at" in row else None
                odd.append(OddClosure(row["_id"], kind, age_s))
        if len(page) < PAGE:
            return odd
        after = page[-1]["_id"]
