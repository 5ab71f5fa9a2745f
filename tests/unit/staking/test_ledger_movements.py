"""Movements as values: what is malformed, and in which order documents are taken."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from staking.domain.amounts import SUPPLY_MAX
from staking.domain.balances import available, staked
from staking.domain.ledger import (
    LEGS_MAX,
    Account,
    Guard,
    Leg,
    MalformedMovementError,
    Movement,
    Place,
    Refusal,
    State,
    Why,
    check_movement,
    legs_between,
)
from staking.domain.ledger_accounts import Declined, Held, Overtaken, Waits
from staking.domain.ledger_drive import TRANSITIONS, hold_rounds, judge_holds, victim_of_circle
from staking.domain.system_accounts import TREASURY

AT = datetime(2026, 11, 23, tzinfo=UTC)
SOUND = Movement("m", "credit", "treasury", (Leg(available("u"), 5), Leg(TREASURY, -5)), AT)


def test_sound_movement_is_taken() -> None:
    check_movement(SOUND)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": ""}, "its id"),
        ({"id": "x" * 129}, "its id"),
        ({"legs": ()}, "0 legs"),
        ({"legs": (Leg(available("u"), 5), Leg(TREASURY, -4))}, "sum to zero"),
        ({"legs": (Leg(available("u"), 0), Leg(TREASURY, 0))}, "a leg is zero"),
        ({"legs": (Leg(available("u"), SUPPLY_MAX + 1), Leg(TREASURY, -SUPPLY_MAX - 1))}, "above the supply"),
        ({"legs": (Leg(available("u"), 5), Leg(available("u"), -5))}, "two legs"),
        ({"legs": tuple(Leg(available(f"u{n}"), 1 if n % 2 else -1) for n in range(LEGS_MAX + 2))}, "502 legs"),
        ({"guards": (Guard(Place("stake", "s")), Guard(Place("stake", "s")))}, "two guards"),
        ({"guards": (Guard(Place("stake", "s"), watermark="settledPeriod"),)}, "watermark is not put"),
    ],
)
def test_malformed_movement_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(MalformedMovementError, match=says):
        check_movement(replace(SOUND, **change))  # type: ignore[arg-type]


def test_every_movement_takes_its_documents_in_the_same_order() -> None:
    accounts = [Account(kind, id_, "x") for kind in ("pool", "balance") for id_ in ("2", "1")]
    movement = Movement("m", "test", "test", legs_between(accounts[:2], accounts[2:], 1), AT)
    assert movement.places() == (
        Place("balance", "1"),
        Place("balance", "2"),
        Place("pool", "1"),
        Place("pool", "2"),
    )


def test_documents_that_only_receive_are_not_held() -> None:
    movement = Movement("m", "stake", "s", legs_between([available("u"), TREASURY], [staked("u"), staked("w")], 1), AT)
    assert hold_rounds(movement) == ((Place("balance", "u"),), (TREASURY.place,))


def test_legs_at_a_document_keep_their_index_in_the_movement() -> None:
    movement = Movement("m", "stake", "s", legs_between([TREASURY, available("u")], [staked("u"), staked("w")], 1), AT)
    assert [index for index, _ in movement.legs_at(Place("balance", "u"))] == [1, 2]
    assert movement.legs_at(Place("balance", "nobody")) == ()


@pytest.mark.parametrize("start", State)
@pytest.mark.parametrize("end", State)
def test_a_movement_is_decided_once_and_ends(start: State, end: State) -> None:
    legal = {
        (State.PENDING, State.POSTED),
        (State.PENDING, State.REFUSED),
        (State.POSTED, State.DONE),
        (State.REFUSED, State.DONE),
    }
    assert (end in TRANSITIONS[start]) == ((start, end) in legal)


def test_a_round_of_holds_is_judged_by_its_gravest_outcome() -> None:
    lacking = Refusal(Why.LACKING, Place("balance", "u"), "available")
    assert judge_holds([Held(), Held()]) is None
    assert judge_holds([Held(), Waits("other")]) == Waits("other")
    assert judge_holds([Waits("other"), Declined(lacking)]) == lacking
    assert judge_holds([Declined(lacking), Overtaken()]) == Overtaken()


def test_whoever_finds_a_circle_refuses_the_same_movement() -> None:
    assert victim_of_circle(["a", "c", "b"], "a") == "c"
    assert victim_of_circle(["c", "b", "a"], "c") == "c"
    assert victim_of_circle(["x", "b", "a"], "b") == "b"
    assert victim_of_circle(["a", "b"], "free") is None
