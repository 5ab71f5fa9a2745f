"""The ledger's values: accounts, legs, movements and how a movement ended.

An account is an amount field of a stored document. A movement takes amounts from some accounts and gives them to
others; its legs sum to zero. It happens as a whole or not at all, whatever crashes in between (see
`ledger_accounts` and `ledger_drive`). Amounts are integers of 1e-8 OMNI. Moments are UTC."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from staking.domain.amounts import SUPPLY_MAX

LEGS_MAX = 500
GUARDS_MAX = 500
EFFECTS_MAX = 500
ID_LENGTH_MAX = 128


class Place(NamedTuple):
    """One stored document that has accounts. Every change of it is one conditional update."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Account(NamedTuple):
    """One amount field of one document: `Account("balance", user_id, "available")`."""

    kind: str
    id: str
    field: str

    @property
    def place(self) -> Place:
        return Place(self.kind, self.id)

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}:{self.field}"


@dataclass(frozen=True, slots=True)
class Leg:
    """Negative takes from the account, positive gives to it."""

    account: Account
    amount: int


@dataclass(frozen=True, slots=True)
class Guard:
    """What a movement further asks of a document and does to it, in the very updates that move its amounts.

    `expect`: stored fields that must have these values when the document is held (None: absent), else the movement
    is refused as `moved`. Until the movement is settled no other movement with a guard on this document can be
    held.
    `require`: the same, but only as the document is held: others may change it afterwards, and nobody waits (a pool
    that is open as its capacity is taken).
    `put`: stored fields set in the update that settles the document, if the movement is posted (never an amount,
    mark or version).
    `watermark`: a field of `put` that only ever grows (a stake's `settledThrough`). It tells by itself that the
    document is settled, so that no mark has to stay behind: two updates instead of three.
    `capture`: stored fields whose values right after settling are handed to the movement's effects (a pool's
    emission index)."""

    place: Place
    expect: Mapping[str, Any] = field(default_factory=dict)
    require: Mapping[str, Any] = field(default_factory=dict)
    put: Mapping[str, Any] = field(default_factory=dict)
    watermark: str | None = None
    capture: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that follows from a movement outside its accounts, done before the movement is: `name` is the
    handler's, `data` its argument (JSON scalars). It runs at least once, posted or refused, by whoever drives the
    movement: the handler is idempotent."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Movement:
    """`id` is made from the cause (a request's ResourceId, a period and a pool), so that a retry finds the movement
    instead of making another. `kind` and `source` say why (`stake`, a stake's id), `reason` is free text of who
    asked, `actor_id` names them."""

    id: str
    kind: str
    source: str
    legs: tuple[Leg, ...]
    at: datetime
    guards: tuple[Guard, ...] = ()
    effects: tuple[Effect, ...] = ()
    reason: str = ""
    actor_id: str = ""

    def places(self) -> tuple[Place, ...]:
        """Every document it touches, in the fixed order in which all movements take them."""
        return tuple(sorted(self._legs_by_place.keys() | self._guards_by_place.keys()))

    def legs_at(self, place: Place) -> Sequence[tuple[int, Leg]]:
        """The legs at one document, each with its index in the movement."""
        return self._legs_by_place.get(place, ())

    def guard_at(self, place: Place) -> Guard | None:
        return self._guards_by_place.get(place)

    @cached_property
    def _legs_by_place(self) -> Mapping[Place, Sequence[tuple[int, Leg]]]:
        by_place: dict[Place, list[tuple[int, Leg]]] = {}
        for index, leg in enumerate(self.legs):
            by_place.setdefault(leg.account.place, []).append((index, leg))
        return by_place

    @cached_property
    def _guards_by_place(self) -> Mapping[Place, Guard]:
        return {guard.place: guard for guard in self.guards}


class State(StrEnum):
    """pending → posted or refused (the only decision) → done."""

    PENDING = "pending"
    POSTED = "posted"
    REFUSED = "refused"
    DONE = "done"


class Why(StrEnum):
    """Why a movement was refused."""

    LACKING = "lacking"  # the account holds less than was to be taken
    ABSENT = "absent"  # there is no such document, or it is being deleted
    MOVED = "moved"  # a guard expected other values: plan again, with a new id
    CONTENDED = "contended"  # it waited for a movement that waited for it: try again, with a new id


@dataclass(frozen=True, slots=True)
class Refusal:
    """Where and why: `field` is the account's where one lacked, the guarded field where one had moved."""

    why: Why
    place: Place
    field: str = ""

    @property
    def account(self) -> Account:
        return Account(self.place.kind, self.place.id, self.field)


@dataclass(frozen=True, slots=True)
class Posted:
    """The movement as it is stored: a retry gets the first attempt's."""

    movement: Movement


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was moved, and nothing will be by a movement of this id."""

    movement: Movement
    refusal: Refusal


class MalformedMovementError(ValueError):
    """A movement that breaks the ledger's own rules. A bug of the caller, never an answer to a client."""


def check_movement(movement: Movement) -> None:
    """Legs sum to zero, none is zero, each account has one, all bounds hold. Raises MalformedMovementError."""
    legs, accounts = movement.legs, {leg.account for leg in movement.legs}
    problems = [
        (not 0 < len(movement.id) <= ID_LENGTH_MAX, f"its id has {len(movement.id)} characters"),
        (not legs or len(legs) > LEGS_MAX, f"it has {len(legs)} legs"),
        (len(movement.guards) > GUARDS_MAX, f"it has {len(movement.guards)} guards"),
        (len(movement.effects) > EFFECTS_MAX, f"it has {len(movement.effects)} effects"),
        (sum(leg.amount for leg in legs) != 0, "its legs do not sum to zero"),
        (any(not 0 < abs(leg.amount) <= SUPPLY_MAX for leg in legs), "a leg is zero or above the supply"),
        (len(accounts) != len(legs), "an account has two legs"),
        (len({guard.place for guard in movement.guards}) != len(movement.guards), "a document has two guards"),
        (
            any(guard.watermark is not None and guard.watermark not in guard.put for guard in movement.guards),
            "a watermark is not put",
        ),
    ]
    wrong = [text for is_wrong, text in problems if is_wrong]
    if wrong:
        raise MalformedMovementError(f"movement {movement.id}: {'; '.join(wrong)}")


def legs_between(debits: Iterable[Account], credits_: Iterable[Account], amount: int) -> tuple[Leg, ...]:
    """`amount` from each of the debits and to each of the credits (of which there are as many)."""
    return tuple(Leg(account, -amount) for account in debits) + tuple(Leg(account, amount) for account in credits_)
