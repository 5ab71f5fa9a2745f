"""The life of a user's account as one table: what is absent is illegal."""

from enum import StrEnum


class Status(StrEnum):
    """The state of an account; an erased one keeps nothing but its id, so that references to it stay good."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASED = "erased"


class Action(StrEnum):
    """What is done to an account: erased by its owner or an admin, the rest by an admin."""

    SUSPEND = "suspend"
    REACTIVATE = "reactivate"
    ERASE = "erase"


TRANSITIONS: dict[tuple[Status, Action], Status] = {
    (Status.ACTIVE, Action.SUSPEND): Status.SUSPENDED,
    (Status.SUSPENDED, Action.REACTIVATE): Status.ACTIVE,
    (Status.ACTIVE, Action.ERASE): Status.ERASED,
    (Status.SUSPENDED, Action.ERASE): Status.ERASED,
}


def next_status(status: Status, action: Action) -> Status | None:
    """Where the action leads from here, or None where it is illegal."""
    return TRANSITIONS.get((status, action))


def allowed_actions(status: Status) -> list[Action]:
    """The legal actions of a state, in the order of their declaration."""
    return [action for action in Action if (status, action) in TRANSITIONS]
