"""Reward logs: their kinds and states, and the ids that make a payment happen once."""

from enum import StrEnum


class RewardKind(StrEnum):
    DISTRIBUTION = "distribution"
    EXIT = "exit"
    BONUS = "bonus"


class LogState(StrEnum):
    """A pending one waits for its tokens and is seen by nobody; it becomes credited with them, or it is gone."""

    PENDING = "pending"
    CREDITED = "credited"


def period_log_id(stake_id: str, period: str) -> str:
    """One payment for each stake and period."""
    return f"{stake_id}:{period}"


def exit_log_id(stake_id: str) -> str:
    return f"{stake_id}:exit"
