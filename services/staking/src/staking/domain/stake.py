"""A stake: its life cycle as one table (what is absent is illegal), and what leaving it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from staking.domain.rewards import penalty


class StakeState(StrEnum):
    """A pending stake waits for its tokens and is seen by nobody; it becomes active with them, or it is gone."""

    PENDING = "pending"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


class StakeAction(StrEnum):
    ACTIVATE = "activate"
    CLAIM = "claim"
    UNSTAKE = "unstake"


TRANSITIONS: Mapping[tuple[StakeState, StakeAction], StakeState] = MappingProxyType(
    {
        (StakeState.PENDING, StakeAction.ACTIVATE): StakeState.ACTIVE,
        (StakeState.ACTIVE, StakeAction.CLAIM): StakeState.ACTIVE,
        (StakeState.ACTIVE, StakeAction.UNSTAKE): StakeState.WITHDRAWN,
        (StakeState.WITHDRAWN, StakeAction.CLAIM): StakeState.WITHDRAWN,
    }
)


def next_stake_state(state: StakeState, action: StakeAction) -> StakeState | None:
    """Where the action leads from here, or None where it is illegal."""
    return TRANSITIONS.get((state, action))


def allowed_stake_actions(state: StakeState) -> list[StakeAction]:
    """The legal actions of a state, in the order of their declaration."""
    return [action for action in StakeAction if (state, action) in TRANSITIONS]


@dataclass(frozen=True, slots=True)
class Exit:
    """What leaving pays: payout + penalty = principal, and with it all that was earned."""

    payout: int
    penalty: int


def leave(principal: int, penalty_bps: int, *, early: bool) -> Exit:
    """What is paid back of a principal, now. Leaving early costs the stated share, never more."""
    cost = penalty(principal, penalty_bps) if early else 0
    return Exit(payout=principal - cost, penalty=cost)
