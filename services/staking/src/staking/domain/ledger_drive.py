"""Which step of a movement comes next. Pure: the drivers do the reading and writing."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from staking.domain.ledger import Movement, Place, Refusal, State
from staking.domain.ledger_accounts import (
    Broken,
    Declined,
    Outcome,
    Overtaken,
    Waits,
    leaves_mark,
    needs_hold,
    needs_settling,
)
from staking.domain.ledger_kinds import KindRules

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.POSTED, State.REFUSED}),
    State.POSTED: frozenset({State.DONE}),
    State.REFUSED: frozenset({State.DONE}),
    State.DONE: frozenset(),
}
"""The life cycle of a movement. Every arrow is a compare-and-set on the state."""


def hold_rounds(movement: Movement) -> tuple[tuple[Place, ...], ...]:
    """Where something is held: kind by kind, so that what is refused most often (the user's balance) is asked first
    and a pool is not troubled by it. Documents of one kind are held at once."""
    places = (place for place in movement.places() if needs_hold(movement, place))
    return tuple(tuple(group) for _, group in groupby(places, key=lambda place: place.kind))


def settle_places(rules: Mapping[str, KindRules], movement: Movement, *, posted: bool) -> tuple[Place, ...]:
    """Where the decision is carried out: credits and entries, or what was held is given back."""
    return tuple(
        place
        for place in movement.places()
        if (needs_settling(rules[place.kind], movement, place) if posted else needs_hold(movement, place))
    )


def clean_places(rules: Mapping[str, KindRules], movement: Movement, *, posted: bool) -> tuple[Place, ...]:
    """Where a mark is left once it is done. Nothing that was refused leaves one."""
    if not posted:
        return ()
    return tuple(place for place in movement.places() if leaves_mark(rules[place.kind], movement, place))


def judge_holds(outcomes: Sequence[Outcome]) -> Refusal | Waits | Overtaken | None:
    """What a round of holds comes to; None: all held."""
    if any(isinstance(outcome, Overtaken) for outcome in outcomes):
        return Overtaken()
    declined = next((outcome for outcome in outcomes if isinstance(outcome, Declined)), None)
    if declined is not None:
        return declined.refusal
    return next((outcome for outcome in outcomes if isinstance(outcome, Waits)), None)


def first_broken(outcomes: Iterable[Outcome]) -> Broken | None:
    return next((outcome for outcome in outcomes if isinstance(outcome, Broken)), None)


def victim_of_circle(waiting: Sequence[str], blocker: str) -> str | None:
    """`waiting`: movements, each waiting for the next, the last one for `blocker`. If that closes a circle, one of
    it has to be refused: always the greatest id, so that drivers who find the circle from different ends choose the
    same."""
    return max(waiting[waiting.index(blocker) :]) if blocker in waiting else None
