"""A pool: its life cycle as one table (what is absent is illegal), and the rules of its terms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from staking.domain.periods import DAYS_KEPT_MAX, day_end_ms, days_ended
from staking.domain.rewards import Accrual, RewardTerms, advance


class PoolState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class PoolAction(StrEnum):
    """What is done to a pool. Stakes can be left, and rewards claimed, in every state."""

    REVISE = "revise"  # change the terms
    ADJUST = "adjust"  # change what touches no open stake
    FUND = "fund"
    OPEN = "open"
    STAKE = "stake"
    PAUSE = "pause"
    CLOSE = "close"


TRANSITIONS: Mapping[tuple[PoolState, PoolAction], PoolState] = MappingProxyType(
    {
        (PoolState.DRAFT, PoolAction.REVISE): PoolState.DRAFT,
        (PoolState.DRAFT, PoolAction.ADJUST): PoolState.DRAFT,
        (PoolState.DRAFT, PoolAction.FUND): PoolState.DRAFT,
        (PoolState.DRAFT, PoolAction.OPEN): PoolState.OPEN,
        (PoolState.DRAFT, PoolAction.CLOSE): PoolState.CLOSED,
        (PoolState.OPEN, PoolAction.ADJUST): PoolState.OPEN,
        (PoolState.OPEN, PoolAction.FUND): PoolState.OPEN,
        (PoolState.OPEN, PoolAction.STAKE): PoolState.OPEN,
        (PoolState.OPEN, PoolAction.PAUSE): PoolState.PAUSED,
        (PoolState.OPEN, PoolAction.CLOSE): PoolState.CLOSED,
        (PoolState.PAUSED, PoolAction.ADJUST): PoolState.PAUSED,
        (PoolState.PAUSED, PoolAction.FUND): PoolState.PAUSED,
        (PoolState.PAUSED, PoolAction.OPEN): PoolState.OPEN,
        (PoolState.PAUSED, PoolAction.CLOSE): PoolState.CLOSED,
    }
)


def next_pool_state(state: PoolState, action: PoolAction) -> PoolState | None:
    """Where the action leads from here, or None where it is illegal."""
    return TRANSITIONS.get((state, action))


ACTIONS_BY_NAME = (PoolAction.FUND, PoolAction.OPEN, PoolAction.PAUSE, PoolAction.CLOSE)
"""Those that are asked for by their names; the others are a patch or a stake."""


def allowed_pool_actions(state: PoolState) -> list[PoolAction]:
    """The legal ones of ACTIONS_BY_NAME."""
    return [action for action in ACTIONS_BY_NAME if (state, action) in TRANSITIONS]


DELETE = "delete"
"""Not in the table, since it leads to no state."""


def is_deletable(state: PoolState, funded: int) -> bool:
    """A draft that nothing was ever moved into. Every other pool is history and can be closed."""
    return state is PoolState.DRAFT and funded == 0


@dataclass(frozen=True, slots=True)
class DayIndexes:
    """The index at the end of each day that is still to be distributed, by the day's number. `distributed`: the last
    day that was."""

    by_day: Mapping[int, int]
    distributed: int = 0


def advance_with_days(
    terms: RewardTerms, accrual: Accrual, days: DayIndexes, staked: int, now_ms: int
) -> tuple[Accrual, DayIndexes]:
    """`advance`, noting the index at the end of every day that passed on the way, so that a day can be distributed
    later. Forgotten are days before the last one distributed, and all but the last DAYS_KEPT_MAX."""
    by_day = dict(days.by_day)
    if staked:
        for day in days_ended(accrual.at_ms, now_ms):
            accrual = advance(terms, accrual, staked, day_end_ms(day))
            by_day[day] = accrual.index
    kept = sorted(day for day in by_day if day >= days.distributed)
    return (
        advance(terms, accrual, staked, now_ms),
        replace(days, by_day={day: by_day[day] for day in kept[-DAYS_KEPT_MAX:]}),
    )
