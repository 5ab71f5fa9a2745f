"""Movements to their stored form and back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from staking.documents.movement import MovementRecord
from staking.domain.ledger import Account, Effect, Guard, Leg, Movement, Place, Posted, Refusal, Refused, State, Why


@dataclass(frozen=True, slots=True)
class Standing:
    """A movement as it stands. `posted` is None while it is pending; it is open until its marks are away too."""

    movement: Movement
    state: State
    posted: bool | None = None
    refusal: Refusal | None = None
    is_open: bool = True

    def outcome(self) -> Posted | Refused:
        """Only of one that is decided."""
        if self.posted:
            return Posted(self.movement)
        if self.refusal is None:
            raise ValueError(f"movement {self.movement.id} is {self.state} without a decision")
        return Refused(self.movement, self.refusal)


def new_record(movement: Movement, now: datetime) -> MovementRecord:
    return MovementRecord(
        id=movement.id,
        kind=movement.kind,
        source=movement.source,
        reason=movement.reason,
        actor_id=movement.actor_id,
        at=movement.at,
        legs=[
            {"account": str(leg.account.place), "field": leg.account.field, "amount": leg.amount}
            for leg in movement.legs
        ],
        guards=[_guard_form(guard) for guard in movement.guards] or None,
        effects=[{"name": effect.name, "data": dict(effect.data)} for effect in movement.effects] or None,
        accounts=[str(place) for place in movement.places()],
        state=State.PENDING.value,
        open=True,
        written_at=now,
    )


def standing_of(record: MovementRecord) -> Standing:
    refusal = record.refusal
    return Standing(
        movement=Movement(
            id=record.id,
            kind=record.kind,
            source=record.source,
            legs=tuple(_leg(form) for form in record.legs),
            at=record.at,
            guards=tuple(_guard(form) for form in record.guards or ()),
            effects=tuple(Effect(form["name"], form["data"]) for form in record.effects or ()),
            reason=record.reason,
            actor_id=record.actor_id,
        ),
        state=State(record.state),
        posted=record.posted,
        refusal=None if refusal is None else refusal_of(refusal),
        is_open=bool(record.open),
    )


def refusal_form(refusal: Refusal) -> dict[str, Any]:
    return {"why": refusal.why.value, "account": str(refusal.place), "field": refusal.field}


def refusal_of(form: dict[str, Any]) -> Refusal:
    return Refusal(Why(form["why"]), place_of(form["account"]), form["field"])


def place_of(text: str) -> Place:
    kind, _, document_id = text.partition(":")
    return Place(kind, document_id)


def _leg(form: dict[str, Any]) -> Leg:
    place = place_of(form["account"])
    return Leg(Account(place.kind, place.id, form["field"]), form["amount"])


def _guard_form(guard: Guard) -> dict[str, Any]:
    # An expected None is absence and has to be told apart from nothing expected: stored as a pair.
    return {
        "account": str(guard.place),
        "expect": [[name, value] for name, value in guard.expect.items()],
        "require": [[name, value] for name, value in guard.require.items()],
        "put": [[name, value] for name, value in guard.put.items()],
        "watermark": guard.watermark or "",
        "capture": list(guard.capture),
    }


def _guard(form: dict[str, Any]) -> Guard:
    return Guard(
        place=place_of(form["account"]),
        expect=dict(form["expect"]),
        require=dict(form["require"]),
        put=dict(form["put"]),
        watermark=form["watermark"] or None,
        capture=tuple(form["capture"]),
    )
