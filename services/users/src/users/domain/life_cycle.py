"""The life of a user's account as one table: what is absent is illegal."""

from enum import StrEnum


class Status(StrEnum):
    """The state of an account; an erased one keeps nothing but its id."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASED = "erased"


class Action(StrEnum):
    """What an admin does to an account."""

    SUSPEND = "suspend"
    REACTIVATE = "reactivate"


TRANSITIONS: dict[tuple[Status, Action], Status] = {
    (Status.ACTIVE, Action.SUSPEND): Status.SUSPENDED,
    (Status.SUSPENDED, Action.REACTIVATE): Status.ACTIVE,
}


def next_status(status: Status, action: Action) -> Status | None:
    """Where the action leads from here, or None where it is illegal."""
    return TRANSITIONS.get((status, action))


def allowed_actions(status: Status) -> list[Action]:
    """The legal actions of a state, in the order of their declaration."""
    return [action for action in Action if (status, action) in TRANSITIONS]
