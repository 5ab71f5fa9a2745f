"""What a movement leaves behind at a document while it is under way, and the document as the ledger sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from staking.domain.ledger import Place
from staking.domain.ledger_kinds import KindRules

MARKS_MAX = 64
"""Movements that hold one document at once. Settling never waits for room (two full documents whose movements
credit each other would wait for ever), so marks of credits come on top, as many as there are movements being
settled."""


class Phase(StrEnum):
    HELD = "held"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class EntryMark:
    """An entry that is owed to the document's statement: the leg's index, its sequence and the account's running
    balance after it."""

    leg: int
    sequence: int
    running: int


@dataclass(frozen=True, slots=True)
class Mark:
    """`since`: the document's version when the mark was set. `held`: amounts taken, by field (positive).
    `exclusive`: a guard's."""

    phase: Phase
    since: int
    held: Mapping[str, int] = field(default_factory=dict)
    exclusive: bool = False
    entries: tuple[EntryMark, ...] = ()
    captured: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """The stored form, without what is empty."""
        form: dict[str, Any] = {"phase": self.phase.value, "since": self.since}
        if self.held:
            form["held"] = dict(self.held)
        if self.exclusive:
            form["exclusive"] = True
        if self.entries:
            form["entries"] = [[entry.leg, entry.sequence, entry.running] for entry in self.entries]
        if self.captured:
            form["captured"] = dict(self.captured)
        return form

    @classmethod
    def from_stored(cls, form: Mapping[str, Any]) -> "Mark":
        return cls(
            phase=Phase(form["phase"]),
            since=form["since"],
            held=dict(form.get("held", {})),
            exclusive=form.get("exclusive", False),
            entries=tuple(EntryMark(*entry) for entry in form.get("entries", [])),
            captured=dict(form.get("captured", {})),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document as it was read. `fields` are its amounts and what its kind reads; they are absent rather than None.
    `is_going`: it is being deleted, so that nothing more is held there."""

    place: Place
    version: int
    fields: Mapping[str, Any]
    marks: Mapping[str, Mark]
    entry_count: int = 0
    is_going: bool = False

    def amount(self, name: str) -> int:
        return int(self.fields.get(name, 0))

    def running(self, name: str) -> int:
        """The amount with what open movements hold of it: the sum of all settled legs and the opening."""
        return self.amount(name) + sum(
            mark.held.get(name, 0) for mark in self.marks.values() if mark.phase is Phase.HELD
        )

    def with_fields(self, changed: Mapping[str, Any]) -> "Snapshot":
        return replace(self, fields={**self.fields, **changed})

    def with_mark(self, movement_id: str, mark: Mark) -> "Snapshot":
        return replace(self, marks={**self.marks, movement_id: mark})

    def without_mark(self, movement_id: str) -> "Snapshot":
        return replace(self, marks={id_: mark for id_, mark in self.marks.items() if id_ != movement_id})

    def oldest_mark(self) -> str:
        return min(self.marks, key=lambda id_: (self.marks[id_].since, id_))

    def exclusive_of(self, movement_id: str) -> str | None:
        """The other movement that keeps guarded movements off this document."""
        holders = (
            id_
            for id_, mark in self.marks.items()
            if mark.exclusive and mark.phase is Phase.HELD and id_ != movement_id
        )
        return next(holders, None)


def snapshot_of(rules: KindRules, row: Mapping[str, Any], *, is_going: bool = False) -> Snapshot:
    """From the stored form (camelCase names, `_id`)."""
    names = (*(amount.name for amount in rules.amounts), *rules.reads)
    return Snapshot(
        place=Place(rules.name, row["_id"]),
        version=row["version"],
        fields={name: row[name] for name in names if row.get(name) is not None},
        marks={id_: Mark.from_stored(form) for id_, form in (row.get("marks") or {}).items()},
        entry_count=row.get("entryCount") or 0,
        is_going=is_going,
    )


def changes(rules: KindRules, before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """What to `$set`, in stored names, to make `before` into `after`. Right only together with a condition on the
    version."""
    fields: dict[str, Any] = {name: value for name, value in after.fields.items() if before.fields.get(name) != value}
    if before.marks != after.marks:
        fields["marks"] = {id_: mark.stored() for id_, mark in after.marks.items()}
    if rules.entries and before.entry_count != after.entry_count:
        fields["entryCount"] = after.entry_count
    return fields
