"""The life of a parent, cell by cell: what is not in the table is illegal."""

import pytest

from kit.references.deletes.parent_states import (
    RAISES_EPOCH,
    UNTOUCHED,
    ParentAt,
    ParentState,
    Step,
    parent_at,
)
from kit.store.hidden import PARENT_STATE

A, D, P, G = ParentState.ACTIVE, ParentState.DELETING, ParentState.PURGING, ParentState.GONE
LEGAL = {
    (A, Step.MARK): (D, 1),
    (A, Step.FORCE): (P, 1),
    (A, Step.ABANDON): (A, 1),
    (D, Step.REFUSE): (A, 1),
    (D, Step.PURGE): (P, 0),
    (D, Step.FORCE): (P, 1),
    (P, Step.FINISH): (G, 0),
}


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", ParentState)
def test_each_step_from_each_state(state: ParentState, step: Step) -> None:
    at = ParentAt(state, 7, "users.1", ({"relationship": "bots.userId"},))
    if (state, step) in LEGAL:
        after, raised = LEGAL[state, step]
        assert at.after(step) == ParentAt(after, 7 + raised)
    else:
        with pytest.raises(ValueError, match=f"is {state} does not {step}"):
            at.after(step)


def test_nothing_is_refused_or_begun_again_once_it_is_purging() -> None:
    for step in (Step.MARK, Step.REFUSE, Step.FORCE, Step.ABANDON):
        with pytest.raises(ValueError, match="does not"):
            ParentAt(P, 1).after(step)


def test_whatever_begins_or_undoes_an_attempt_raises_the_epoch() -> None:
    assert frozenset({Step.MARK, Step.REFUSE, Step.FORCE, Step.ABANDON}) == RAISES_EPOCH


@pytest.mark.parametrize(
    "at",
    [
        ParentAt(A, 4),
        ParentAt(D, 1, "users.1"),
        ParentAt(P, 2, "users.1", ()),
        ParentAt(P, 2, "users.1", ({"relationship": "bots.userId", "service": "bots", "onDelete": "CASCADE"},)),
    ],
)
def test_what_is_stored_is_read_back(at: ParentAt) -> None:
    assert parent_at({"_id": "1", PARENT_STATE: at.stored()}) == at


def test_row_that_was_never_deleted_is_active_and_met_by_the_missing_field() -> None:
    assert parent_at({"_id": "1"}) == UNTOUCHED == ParentAt(A, 0)
    assert UNTOUCHED.filter() == {PARENT_STATE: {"$exists": False}}


def test_row_is_compared_by_state_and_epoch_alone() -> None:
    expected = {"_parent.state": "deleting", "_parent.epoch": 3}
    assert ParentAt(D, 3).filter() == ParentAt(D, 3, "users.1").filter() == expected
    assert ParentAt(A, 1).filter() == {"_parent.state": "active", "_parent.epoch": 1}


def test_state_that_nobody_knows_is_not_taken_for_another() -> None:
    with pytest.raises(ValueError, match="melting"):
        parent_at({"_id": "1", PARENT_STATE: {"state": "melting", "epoch": 1}})
