"""The life of a bot as tables. What a table doesn't hold is illegal."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class BotStatus(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"
    ARCHIVED = "archived"


class BotAction(StrEnum):
    START = "start"
    PAUSE = "pause"
    STOP = "stop"
    FAIL = "fail"
    ARCHIVE = "archive"


TRANSITIONS: Mapping[tuple[BotStatus, BotAction], BotStatus] = MappingProxyType(
    {
        (BotStatus.CREATED, BotAction.START): BotStatus.RUNNING,
        (BotStatus.RUNNING, BotAction.PAUSE): BotStatus.PAUSED,
        (BotStatus.PAUSED, BotAction.START): BotStatus.RUNNING,
        (BotStatus.RUNNING, BotAction.STOP): BotStatus.STOPPED,
        (BotStatus.PAUSED, BotAction.STOP): BotStatus.STOPPED,
        (BotStatus.STOPPED, BotAction.START): BotStatus.RUNNING,
        (BotStatus.RUNNING, BotAction.FAIL): BotStatus.ERROR,
        (BotStatus.PAUSED, BotAction.FAIL): BotStatus.ERROR,
        (BotStatus.ERROR, BotAction.START): BotStatus.RUNNING,
        (BotStatus.CREATED, BotAction.ARCHIVE): BotStatus.ARCHIVED,
        (BotStatus.STOPPED, BotAction.ARCHIVE): BotStatus.ARCHIVED,
        (BotStatus.ERROR, BotAction.ARCHIVE): BotStatus.ARCHIVED,
    }
)
LIVE = frozenset({BotStatus.RUNNING, BotStatus.PAUSED})
"""A bot in these holds or manages trades: its user can't be deleted, and a run of it is open."""

DELETABLE = frozenset(BotStatus) - LIVE
DELETE = "delete"
"""Not in the table, since it leads to no state: it is possible from every one of DELETABLE."""

_AT_REST = frozenset({BotStatus.CREATED, BotStatus.STOPPED, BotStatus.ERROR})
_ALWAYS = frozenset(BotStatus)
EDITABLE_IN: Mapping[str, frozenset[BotStatus]] = MappingProxyType(
    {
        "name": _ALWAYS,
        "notes": _ALWAYS,
        "tags": _ALWAYS,
        "maxDrawdownStop": _ALWAYS - {BotStatus.ARCHIVED},
        "strategy": _AT_REST,
        "exchangeAccountId": _AT_REST,
    }
)
"""In which states a field of a bot may be changed: what it trades with and how, only while it is at rest."""


def next_status(status: BotStatus, action: BotAction) -> BotStatus | None:
    """Where the action leads, None if it is illegal."""
    return TRANSITIONS.get((status, action))


def allowed_actions(status: BotStatus) -> tuple[BotAction, ...]:
    return tuple(action for action in BotAction if (status, action) in TRANSITIONS)


def begins_run(status: BotStatus, after: BotStatus) -> bool:
    """A run lasts from a start to a stop or a failure; a pause doesn't end it."""
    return status not in LIVE and after in LIVE


def ends_run(status: BotStatus, after: BotStatus) -> bool:
    return status in LIVE and after not in LIVE


def fields_not_editable(status: BotStatus, fields: frozenset[str]) -> tuple[str, ...]:
    """Which of the fields to change can't be changed in this state, sorted."""
    return tuple(sorted(field for field in fields if status not in EDITABLE_IN[field]))
