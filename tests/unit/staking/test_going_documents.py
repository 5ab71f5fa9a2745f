"""What a delete means to the ledger's steps at one document, and which pools may be deleted."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from staking.domain.ledger import Account, Leg, Movement, Place, Refusal, State, Why
from staking.domain.ledger_accounts import Declined, Held, Job, Outcome, Settled, Task, visit
from staking.domain.ledger_kinds import AmountField, KindRules
from staking.domain.ledger_marks import Mark, Phase, Snapshot
from staking.domain.pool import PoolState, is_deletable

AT = datetime(2026, 11, 23, tzinfo=UTC)
PLACE = Place("purse", "p")
RULES = KindRules(name="purse", amounts=(AmountField("x"),))
GOING = Snapshot(PLACE, 3, {"x": 5}, {}, is_going=True)
HELD = replace(GOING, marks={"m": Mark(Phase.HELD, 2, {"x": 1})})


def taken(before: Snapshot, task: Task, state: State) -> tuple[bool, Outcome]:
    legs = (Leg(Account("purse", "p", "x"), -1), Leg(Account("world", "w", "x"), 1))
    job = Job(task, Movement("m", "test", "test", legs, AT))
    seen = visit(RULES, PLACE, before, jobs=[job], states={"m": state}, now=AT)
    return seen.touched, seen.outcomes[0]


def test_nothing_new_is_held_at_a_document_that_is_going() -> None:
    assert taken(GOING, Task.HOLD, State.PENDING) == (False, Declined(Refusal(Why.ABSENT, PLACE)))


def test_what_is_held_at_a_document_that_is_going_is_carried_out_or_given_back() -> None:
    assert taken(HELD, Task.HOLD, State.PENDING) == (False, Held())
    assert taken(HELD, Task.SETTLE, State.REFUSED) == (True, Settled())
    assert taken(HELD, Task.SETTLE, State.POSTED)[1] == Settled()


@pytest.mark.parametrize("state", PoolState)
@pytest.mark.parametrize("funded", [0, 1])
def test_only_a_draft_without_a_history_is_deletable(state: PoolState, funded: int) -> None:
    assert is_deletable(state, funded) is (state is PoolState.DRAFT and funded == 0)
