"""The ledger's steps at one document, as pure functions. Their safety is explored, not argued: see the tests of
this module.

The rule that everything rests on: the document is read first, the movement's state second, and the update that
follows is conditional on the document's version. A step is given what was read, in that order, and says what the
document becomes. Many movements' steps at one document are one update (`visit`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from staking.domain.amounts import SUPPLY_MAX
from staking.domain.ledger import Guard, Movement, Place, Refusal, State, Why
from staking.domain.ledger_kinds import KindRules
from staking.domain.ledger_marks import MARKS_MAX, EntryMark, Mark, Phase, Snapshot


class Task(StrEnum):
    """In the order in which one update does them: room and amounts are given before they are taken."""

    CLEAN = "clean"
    SETTLE = "settle"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Job:
    task: Task
    movement: Movement


@dataclass(frozen=True, slots=True)
class Held:
    """The movement's debits are taken and marked."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The movement cannot be posted."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Waits:
    """Another movement has to be over first."""

    movement_id: str


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Somebody else drove the movement on: go where its state says."""


@dataclass(frozen=True, slots=True)
class Settled:
    entries: tuple[EntryMark, ...] = ()
    captured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cleaned:
    pass


@dataclass(frozen=True, slots=True)
class Broken:
    """The document contradicts the movement. Nothing is changed; an operator has to look."""

    what: str


Outcome = Held | Declined | Waits | Overtaken | Settled | Cleaned | Broken


@dataclass(frozen=True, slots=True)
class Visit:
    """`after` is None where there is no such document. `touched`: the update is needed, if only to raise the
    version."""

    after: Snapshot | None
    touched: bool
    outcomes: tuple[Outcome, ...]


def needs_hold(movement: Movement, place: Place) -> bool:
    """Something is taken there, or a guard expects or requires something."""
    guard = movement.guard_at(place)
    return (
        any(leg.amount < 0 for _, leg in movement.legs_at(place))
        or excludes(guard)
        or (guard is not None and bool(guard.require))
    )


def excludes(guard: Guard | None) -> bool:
    """It relies on what the document says, so no other such movement may change that meanwhile."""
    return guard is not None and (bool(guard.expect) or guard.watermark is not None)


def needs_settling(rules: KindRules, movement: Movement, place: Place) -> bool:
    """Something is given there, becomes an entry, or is put or captured by a guard."""
    guard, legs = movement.guard_at(place), movement.legs_at(place)
    return (
        any(leg.amount > 0 for _, leg in legs)
        or (rules.entries and bool(legs))
        or (guard is not None and bool(guard.put or guard.capture))
    )


def leaves_mark(rules: KindRules, movement: Movement, place: Place) -> bool:
    """False where a watermark tells by itself that the document is settled."""
    guard = movement.guard_at(place)
    return guard is None or guard.watermark is None or bool(guard.capture) or rules.entries


def visit(
    rules: KindRules,
    place: Place,
    before: Snapshot | None,
    *,
    jobs: Sequence[Job],
    states: Mapping[str, State],
    now: datetime,
) -> Visit:
    """All `jobs` at one document. `states` are the movements', read after the document."""
    page = _Page(rules, place, before, now)
    outcomes: dict[int, Outcome] = {}
    for task in Task:
        for index, job in enumerate(jobs):
            if job.task is task:
                outcomes[index] = _STEPS[task](page, job.movement, states[job.movement.id])
    return Visit(page.snapshot, page.touched, tuple(outcomes[index] for index in range(len(jobs))))


class _Page:
    """The document while a visit works on it."""

    def __init__(self, rules: KindRules, place: Place, snapshot: Snapshot | None, now: datetime) -> None:
        self.rules = rules
        self.place = place
        self.snapshot = snapshot
        self.touched = False
        self.now = now
        self._is_current = rules.on_change is None

    def run_up_to_now(self) -> None:
        """`on_change`, once, before the first amount changes: later changes of this visit happen at the same moment."""
        if not self._is_current and self.snapshot is not None and self.rules.on_change is not None:
            self.snapshot = self.snapshot.with_fields(self.rules.on_change(self.snapshot.fields, self.now))
        self._is_current = True


def _hold(page: _Page, movement: Movement, state: State) -> Outcome:
    if state is not State.PENDING:
        return Overtaken()
    before = page.snapshot
    if before is None or (before.is_going and movement.id not in before.marks):
        return Declined(Refusal(Why.ABSENT, page.place))
    if movement.id in before.marks:
        return Held()
    hindrance = _hindrance(before, movement)
    if hindrance is not None:
        return hindrance
    taken = {leg.account.field: -leg.amount for _, leg in movement.legs_at(before.place) if leg.amount < 0}
    for name, amount in taken.items():
        if before.amount(name) - amount < page.rules.floor(name):
            return Declined(Refusal(Why.LACKING, before.place, name))
    page.run_up_to_now()
    mark = Mark(Phase.HELD, before.version, held=taken, exclusive=excludes(movement.guard_at(before.place)))
    page.snapshot = _moved(page.snapshot or before, taken, -1).with_mark(movement.id, mark)
    page.touched = True
    return Held()


def _hindrance(before: Snapshot, movement: Movement) -> Outcome | None:
    guard = movement.guard_at(before.place)
    if guard is not None:
        holder = before.exclusive_of(movement.id) if excludes(guard) else None
        if holder is not None:
            return Waits(holder)
        wanted = {**guard.require, **guard.expect}
        moved = next((name for name, value in wanted.items() if before.fields.get(name) != value), None)
        if moved is not None:
            return Declined(Refusal(Why.MOVED, before.place, moved))
    if len(before.marks) >= MARKS_MAX:
        return Waits(before.oldest_mark())
    return None


def _settle(page: _Page, movement: Movement, state: State) -> Outcome:
    if state is State.REFUSED:
        return _give_back(page, movement)
    if state is not State.POSTED:
        return Overtaken()
    if page.snapshot is None:
        return Broken("it is posted, but the document is missing")
    mark = page.snapshot.marks.get(movement.id)
    if mark is None and needs_hold(movement, page.place):
        reached = _watermark_reached(page.snapshot, movement)
        return Settled() if reached else Broken("it is posted, but holds nothing there")
    if mark is not None and mark.phase is Phase.SETTLED:
        return Settled(mark.entries, mark.captured)
    return _credit(page, page.snapshot, movement) if needs_settling(page.rules, movement, page.place) else Settled()


def _credit(page: _Page, before: Snapshot, movement: Movement) -> Outcome:
    given = {leg.account.field: leg.amount for _, leg in movement.legs_at(before.place) if leg.amount > 0}
    if any(before.running(name) + amount > SUPPLY_MAX for name, amount in given.items()):
        return Broken("it is posted, but its credit is above the supply")
    page.run_up_to_now()
    guard = movement.guard_at(before.place)
    after = _moved(page.snapshot or before, given, 1)
    if guard is not None:
        after = after.with_fields(guard.put)
    if page.rules.on_settle is not None:
        after = after.with_fields(page.rules.on_settle(after.fields, movement, page.now))
    entries = _entries(page.rules, after.without_mark(movement.id), movement)
    captured = {name: after.fields.get(name) for name in guard.capture} if guard is not None else {}
    if leaves_mark(page.rules, movement, before.place):
        mark = Mark(Phase.SETTLED, before.version, entries=entries, captured=captured)
        after = after.with_mark(movement.id, mark)
    else:
        after = after.without_mark(movement.id)
    page.snapshot = replace(after, entry_count=after.entry_count + len(entries))
    page.touched = True
    return Settled(entries, captured)


def _entries(rules: KindRules, after: Snapshot, movement: Movement) -> tuple[EntryMark, ...]:
    if not rules.entries:
        return ()
    legs = movement.legs_at(after.place)
    return tuple(
        EntryMark(index, after.entry_count + number, after.running(leg.account.field))
        for number, (index, leg) in enumerate(legs, start=1)
    )


def _give_back(page: _Page, movement: Movement) -> Outcome:
    before = page.snapshot
    if before is None:
        return Settled()
    mark = before.marks.get(movement.id)
    if mark is not None:
        page.run_up_to_now()
        page.snapshot = _moved(page.snapshot or before, mark.held, 1).without_mark(movement.id)
        page.touched = True
    if _fences(movement, page.place):
        page.touched = True
    return Settled()


def _fences(movement: Movement, place: Place) -> bool:
    """Whether a refusal raises the version although nothing is held: a hold that read the document before the
    refusal may still be under way, and has to fail."""
    return needs_hold(movement, place)


def _clean(page: _Page, movement: Movement, state: State) -> Outcome:
    if state is not State.DONE:
        return Overtaken()
    if page.snapshot is not None and movement.id in page.snapshot.marks:
        page.snapshot = page.snapshot.without_mark(movement.id)
        page.touched = True
    return Cleaned()


def _watermark_reached(before: Snapshot, movement: Movement) -> bool:
    guard = movement.guard_at(before.place)
    if guard is None or guard.watermark is None:
        return False
    reached = before.fields.get(guard.watermark)
    return reached is not None and bool(reached >= guard.put[guard.watermark])


def _moved(snapshot: Snapshot, amounts: Mapping[str, int], sign: int) -> Snapshot:
    return snapshot.with_fields({name: snapshot.amount(name) + sign * amount for name, amount in amounts.items()})


_STEPS = {Task.HOLD: _hold, Task.SETTLE: _settle, Task.CLEAN: _clean}
