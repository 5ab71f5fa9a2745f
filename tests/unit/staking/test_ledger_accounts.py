"""The ledger's steps at one document, cell by cell, and many of them in one update."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from staking.domain.amounts import SUPPLY_MAX
from staking.domain.ledger import Account, Guard, Leg, Movement, Place, Refusal, State, Why
from staking.domain.ledger_accounts import (
    Broken,
    Cleaned,
    Declined,
    Held,
    Job,
    Outcome,
    Overtaken,
    Settled,
    Task,
    Visit,
    Waits,
    visit,
)
from staking.domain.ledger_kinds import AmountField, KindRules
from staking.domain.ledger_marks import MARKS_MAX, EntryMark, Mark, Phase, Snapshot, changes, snapshot_of

AT = datetime(2026, 11, 23, tzinfo=UTC)
PLACE = Place("purse", "p")
RULES = KindRules(name="purse", amounts=(AmountField("x"), AmountField("y")), reads=("w", "state"))
STATEMENT = replace(RULES, entries=True)
OUTSIDE = Account("world", "w", "x")


def purse(version: int = 1, marks: Mapping[str, Mark] | None = None, **fields: Any) -> Snapshot:
    return Snapshot(PLACE, version, {"x": 0, "y": 0, **fields}, marks or {})


def account(name: str) -> Account:
    return Account("purse", "p", name)


def movement(id_: str = "m", x: int = 0, y: int = 0, guard: Guard | None = None) -> Movement:
    legs = [Leg(account(name), amount) for name, amount in (("x", x), ("y", y)) if amount]
    if x + y:
        legs.append(Leg(OUTSIDE, -x - y))
    return Movement(id_, "test", "test", tuple(legs), AT, guards=() if guard is None else (guard,))


def one(
    before: Snapshot | None, task: Task, what: Movement, state: State, rules: KindRules = RULES
) -> tuple[Snapshot | None, bool, Outcome]:
    seen = visit(rules, PLACE, before, jobs=[Job(task, what)], states={what.id: state}, now=AT)
    return seen.after, seen.touched, seen.outcomes[0]


def test_hold_takes_the_debits_and_marks_them() -> None:
    after, touched, outcome = one(purse(x=5), Task.HOLD, movement(x=-3, y=3), State.PENDING)
    assert (touched, outcome) == (True, Held())
    assert after is not None
    assert (after.amount("x"), after.amount("y"), after.running("x")) == (2, 0, 5)
    assert after.marks == {"m": Mark(Phase.HELD, 1, {"x": 3})}


def test_hold_that_is_there_already_changes_nothing() -> None:
    before = purse(x=2, marks={"m": Mark(Phase.HELD, 1, {"x": 3})})
    assert one(before, Task.HOLD, movement(x=-3), State.PENDING) == (before, False, Held())


def test_hold_of_more_than_there_is_is_declined() -> None:
    before = purse(x=2)
    refusal = Refusal(Why.LACKING, PLACE, "x")
    assert one(before, Task.HOLD, movement(x=-3), State.PENDING) == (before, False, Declined(refusal))


def test_hold_at_a_missing_document_is_declined() -> None:
    assert one(None, Task.HOLD, movement(x=-3), State.PENDING) == (None, False, Declined(Refusal(Why.ABSENT, PLACE)))


def test_hold_for_a_movement_that_was_decided_does_nothing() -> None:
    for state in (State.POSTED, State.REFUSED, State.DONE):
        assert one(purse(x=5), Task.HOLD, movement(x=-3), state) == (purse(x=5), False, Overtaken())


def test_hold_at_a_full_document_waits_for_the_oldest() -> None:
    marks = {f"m{number}": Mark(Phase.HELD, 100 - number, {"x": 1}) for number in range(MARKS_MAX)}
    _, touched, outcome = one(purse(x=5, marks=marks), Task.HOLD, movement("new", x=-1), State.PENDING)
    assert (touched, outcome) == (False, Waits(f"m{MARKS_MAX - 1}"))


def test_settling_does_not_wait_at_a_full_document() -> None:
    marks = {f"m{number}": Mark(Phase.HELD, number, {"x": 1}) for number in range(MARKS_MAX)}
    _, touched, outcome = one(purse(x=5, marks=marks), Task.SETTLE, movement("new", x=1), State.POSTED)
    assert (touched, outcome) == (True, Settled())


def test_guard_that_expects_something_else_declines() -> None:
    guard = Guard(PLACE, expect={"state": "open"})
    declined = Declined(Refusal(Why.MOVED, PLACE, "state"))
    assert one(purse(x=5, state="shut"), Task.HOLD, movement(x=-1, guard=guard), State.PENDING)[2] == declined
    assert one(purse(x=5), Task.HOLD, movement(x=-1, guard=guard), State.PENDING)[2] == declined
    assert one(purse(x=5, state="open"), Task.HOLD, movement(x=-1, guard=guard), State.PENDING)[2] == Held()


def test_guard_keeps_other_guards_off_until_it_is_settled() -> None:
    guard = Guard(PLACE, expect={"w": 0})
    held = purse(x=5, w=0, marks={"m": Mark(Phase.HELD, 1, exclusive=True)})
    assert one(held, Task.HOLD, movement("n", x=-1, guard=guard), State.PENDING)[2] == Waits("m")
    assert one(held, Task.HOLD, movement("n", x=-1), State.PENDING)[2] == Held()
    settled = purse(x=5, w=0, marks={"m": Mark(Phase.SETTLED, 1)})
    assert one(settled, Task.HOLD, movement("n", x=-1, guard=guard), State.PENDING)[2] == Held()


def test_requirement_is_of_the_moment_and_keeps_nobody_off() -> None:
    guard = Guard(PLACE, require={"state": "open"})
    after, _, outcome = one(purse(x=5, state="open"), Task.HOLD, movement(x=-1, guard=guard), State.PENDING)
    assert outcome == Held()
    assert after is not None
    assert not after.marks["m"].exclusive


def test_settling_a_posted_movement_credits_once() -> None:
    after, touched, outcome = one(purse(), Task.SETTLE, movement(x=3), State.POSTED)
    assert (touched, outcome) == (True, Settled())
    assert after is not None
    assert after.amount("x") == 3
    assert one(after, Task.SETTLE, movement(x=3), State.POSTED) == (after, False, Settled())


def test_settling_a_document_that_only_gave_needs_no_update() -> None:
    before = purse(x=2, marks={"m": Mark(Phase.HELD, 1, {"x": 3})})
    assert one(before, Task.SETTLE, movement(x=-3), State.POSTED) == (before, False, Settled())


def test_settling_puts_what_the_guard_says() -> None:
    guard = Guard(PLACE, expect={"state": "open"}, put={"state": "shut"})
    held = purse(x=1, state="open", marks={"m": Mark(Phase.HELD, 1, {"x": 1}, exclusive=True)})
    after, touched, _ = one(held, Task.SETTLE, movement(x=-1, guard=guard), State.POSTED)
    assert touched
    assert after is not None
    assert after.fields["state"] == "shut"


def test_watermark_leaves_no_mark_and_tells_that_it_was_paid() -> None:
    guard = Guard(PLACE, expect={"w": 0}, put={"w": 1}, watermark="w")
    pay = movement(x=3, guard=guard)
    held, _, _ = one(purse(w=0), Task.HOLD, pay, State.PENDING)
    paid, _, outcome = one(held, Task.SETTLE, pay, State.POSTED)
    assert outcome == Settled()
    assert paid is not None
    assert (paid.amount("x"), paid.fields["w"], paid.marks) == (3, 1, {})
    assert one(paid, Task.SETTLE, pay, State.POSTED) == (paid, False, Settled())


def test_captured_fields_are_those_right_after_settling() -> None:
    rules = replace(RULES, on_change=lambda fields, _: {"w": fields["w"] + 10})
    guard = Guard(PLACE, capture=("w",))
    after, _, outcome = one(purse(w=1), Task.SETTLE, movement(x=3, guard=guard), State.POSTED, rules)
    assert outcome == Settled((), {"w": 11})
    later = replace(after, fields={**after.fields, "w": 99}) if after else None
    assert one(later, Task.SETTLE, movement(x=3, guard=guard), State.POSTED, rules)[2] == outcome


def test_further_fields_change_with_every_amount_and_with_nothing_else() -> None:
    rules = replace(RULES, on_change=lambda fields, _: {"w": fields["w"] + fields["x"]})
    held, _, _ = one(purse(x=5, w=0), Task.HOLD, movement(x=-2), State.PENDING, rules)
    assert held is not None
    assert held.fields["w"] == 5
    cleaned, _, _ = one(held, Task.CLEAN, movement(x=-2), State.DONE, rules)
    assert cleaned is not None
    assert cleaned.fields["w"] == 5


def test_settled_fields_are_set_once_for_each_movement() -> None:
    rules = replace(RULES, on_settle=lambda fields, what, _: {"w": fields["w"] + what.legs[0].amount})
    after, _, _ = one(purse(w=1), Task.SETTLE, movement(x=3), State.POSTED, rules)
    assert after is not None
    assert after.fields["w"] == 4
    assert one(after, Task.SETTLE, movement(x=3), State.POSTED, rules)[1] is False


def test_refusal_gives_back_and_raises_the_version_in_any_case() -> None:
    held = purse(x=2, marks={"m": Mark(Phase.HELD, 1, {"x": 3})})
    after, touched, _ = one(held, Task.SETTLE, movement(x=-3), State.REFUSED)
    assert touched
    assert after is not None
    assert (after.amount("x"), after.marks) == (5, {})
    assert one(after, Task.SETTLE, movement(x=-3), State.REFUSED) == (after, True, Settled())
    assert one(after, Task.SETTLE, movement(x=3), State.REFUSED) == (after, False, Settled())


def test_settling_what_is_not_decided_or_is_over_does_nothing() -> None:
    for state in (State.PENDING, State.DONE):
        assert one(purse(), Task.SETTLE, movement(x=3), state) == (purse(), False, Overtaken())


def test_contradictions_are_told_and_change_nothing() -> None:
    assert isinstance(one(None, Task.SETTLE, movement(x=3), State.POSTED)[2], Broken)
    assert isinstance(one(purse(x=5), Task.SETTLE, movement(x=-3), State.POSTED)[2], Broken)
    full = purse(x=SUPPLY_MAX)
    after, touched, outcome = one(full, Task.SETTLE, movement(x=1), State.POSTED)
    assert (after, touched, isinstance(outcome, Broken)) == (full, False, True)


def test_mark_is_taken_away_only_when_the_movement_is_done() -> None:
    settled = purse(x=3, marks={"m": Mark(Phase.SETTLED, 1)})
    assert one(settled, Task.CLEAN, movement(x=3), State.POSTED) == (settled, False, Overtaken())
    after, touched, outcome = one(settled, Task.CLEAN, movement(x=3), State.DONE)
    assert (touched, outcome) == (True, Cleaned())
    assert after is not None
    assert after.marks == {}
    assert one(after, Task.CLEAN, movement(x=3), State.DONE) == (after, False, Cleaned())


def test_entries_are_numbered_and_carry_running_balances_that_leave_holds_of_others_out() -> None:
    held = Snapshot(PLACE, 4, {"x": 4, "y": 1}, {"other": Mark(Phase.HELD, 3, {"x": 6})}, entry_count=7)
    what = movement(x=-4, y=4)
    after, _, _ = one(held, Task.HOLD, what, State.PENDING, STATEMENT)
    after, _, outcome = one(after, Task.SETTLE, what, State.POSTED, STATEMENT)
    assert outcome == Settled((EntryMark(0, 8, 6), EntryMark(1, 9, 5)))
    assert after is not None
    assert after.entry_count == 9
    assert one(after, Task.SETTLE, what, State.POSTED, STATEMENT)[2] == outcome


def test_debit_becomes_an_entry_though_nothing_is_given() -> None:
    held, _, _ = one(purse(x=5), Task.HOLD, movement(x=-2), State.PENDING, STATEMENT)
    _, touched, outcome = one(held, Task.SETTLE, movement(x=-2), State.POSTED, STATEMENT)
    assert (touched, outcome) == (True, Settled((EntryMark(0, 1, 3),)))


def test_document_survives_its_stored_form() -> None:
    marks = {
        "a": Mark(Phase.HELD, 3, {"x": 2}, exclusive=True),
        "b": Mark(Phase.SETTLED, 4, entries=(EntryMark(0, 1, 9),), captured={"w": 5}),
    }
    snapshot = Snapshot(PLACE, 5, {"x": 1, "y": 2, "w": 0}, marks, entry_count=3)
    empty = Snapshot(PLACE, 5, {}, {})
    row = {"_id": "p", "version": 5, "state": None, **changes(STATEMENT, empty, snapshot)}
    assert snapshot_of(STATEMENT, row) == snapshot


STATES = {Task.HOLD: State.PENDING, Task.SETTLE: State.POSTED, Task.CLEAN: State.DONE}


@st.composite
def batches(draw: st.DrawFn) -> tuple[Snapshot, list[Job], dict[str, State]]:
    before, jobs, states = (
        purse(x=draw(st.integers(0, 12)), y=draw(st.integers(0, 12))),
        list[Job](),
        dict[str, State](),
    )
    for number in range(draw(st.integers(1, 6))):
        x, y = draw(st.integers(-6, 6)), draw(st.integers(-6, 6))
        if not (x or y):
            continue
        what, task = movement(f"m{number}", x=x, y=y), draw(st.sampled_from(list(Task)))
        state = draw(st.sampled_from([STATES[task], State.REFUSED])) if task is Task.SETTLE else STATES[task]
        if task is not Task.HOLD:
            prepared = one(before, Task.HOLD, what, State.PENDING)[0]
            before = prepared or before
            if what.id not in before.marks and (x < 0 or y < 0):
                continue
        jobs.append(Job(task, what))
        states[what.id] = state
    return before, jobs, states


def sequentially(before: Snapshot, jobs: Sequence[Job], states: Mapping[str, State]) -> Visit:
    page, touched, outcomes = before, False, dict[int, Outcome]()
    for task in Task:
        for index, job in enumerate(jobs):
            if job.task is task:
                seen = visit(RULES, PLACE, page, jobs=[job], states=states, now=AT)
                assert seen.after is not None
                page, touched = seen.after, touched or seen.touched
                outcomes[index] = seen.outcomes[0]
    return Visit(page, touched, tuple(outcomes[index] for index in range(len(jobs))))


@given(batches())
def test_many_in_one_update_come_to_the_same_as_one_after_the_other(
    batch: tuple[Snapshot, list[Job], dict[str, State]],
) -> None:
    before, jobs, states = batch
    together = visit(RULES, PLACE, before, jobs=jobs, states=states, now=AT)
    assert together == sequentially(before, jobs, states)
    assert together.after is not None
    assert all(together.after.amount(name) >= 0 for name in ("x", "y"))
