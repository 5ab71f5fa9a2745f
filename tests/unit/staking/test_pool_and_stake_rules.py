"""Life cycles of pools and stakes cell by cell, the ends of days, and what leaving pays."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staking.domain.periods import (
    DAY_MS,
    DAYS_KEPT_MAX,
    day_end_ms,
    day_number,
    days_ended,
    from_ms,
    period_before,
    period_of,
    to_ms,
)
from staking.domain.pool import (
    ACTIONS_BY_NAME,
    DayIndexes,
    PoolAction,
    PoolState,
    advance_with_days,
    allowed_pool_actions,
    next_pool_state,
)
from staking.domain.rewards import Accrual, FixedApr, fund, start
from staking.domain.stake import StakeAction, StakeState, allowed_stake_actions, leave, next_stake_state

MONDAY = day_number("2026-11-23")

POOL_CELLS = {
    (PoolState.DRAFT, PoolAction.REVISE): PoolState.DRAFT,
    (PoolState.DRAFT, PoolAction.ADJUST): PoolState.DRAFT,
    (PoolState.DRAFT, PoolAction.FUND): PoolState.DRAFT,
    (PoolState.DRAFT, PoolAction.OPEN): PoolState.OPEN,
    (PoolState.DRAFT, PoolAction.STAKE): None,
    (PoolState.DRAFT, PoolAction.PAUSE): None,
    (PoolState.DRAFT, PoolAction.CLOSE): PoolState.CLOSED,
    (PoolState.OPEN, PoolAction.REVISE): None,
    (PoolState.OPEN, PoolAction.ADJUST): PoolState.OPEN,
    (PoolState.OPEN, PoolAction.FUND): PoolState.OPEN,
    (PoolState.OPEN, PoolAction.OPEN): None,
    (PoolState.OPEN, PoolAction.STAKE): PoolState.OPEN,
    (PoolState.OPEN, PoolAction.PAUSE): PoolState.PAUSED,
    (PoolState.OPEN, PoolAction.CLOSE): PoolState.CLOSED,
    (PoolState.PAUSED, PoolAction.REVISE): None,
    (PoolState.PAUSED, PoolAction.ADJUST): PoolState.PAUSED,
    (PoolState.PAUSED, PoolAction.FUND): PoolState.PAUSED,
    (PoolState.PAUSED, PoolAction.OPEN): PoolState.OPEN,
    (PoolState.PAUSED, PoolAction.STAKE): None,
    (PoolState.PAUSED, PoolAction.PAUSE): None,
    (PoolState.PAUSED, PoolAction.CLOSE): PoolState.CLOSED,
    (PoolState.CLOSED, PoolAction.REVISE): None,
    (PoolState.CLOSED, PoolAction.ADJUST): None,
    (PoolState.CLOSED, PoolAction.FUND): None,
    (PoolState.CLOSED, PoolAction.OPEN): None,
    (PoolState.CLOSED, PoolAction.STAKE): None,
    (PoolState.CLOSED, PoolAction.PAUSE): None,
    (PoolState.CLOSED, PoolAction.CLOSE): None,
}

STAKE_CELLS = {
    (StakeState.PENDING, StakeAction.ACTIVATE): StakeState.ACTIVE,
    (StakeState.PENDING, StakeAction.CLAIM): None,
    (StakeState.PENDING, StakeAction.UNSTAKE): None,
    (StakeState.ACTIVE, StakeAction.ACTIVATE): None,
    (StakeState.ACTIVE, StakeAction.CLAIM): StakeState.ACTIVE,
    (StakeState.ACTIVE, StakeAction.UNSTAKE): StakeState.WITHDRAWN,
    (StakeState.WITHDRAWN, StakeAction.ACTIVATE): None,
    (StakeState.WITHDRAWN, StakeAction.CLAIM): StakeState.WITHDRAWN,
    (StakeState.WITHDRAWN, StakeAction.UNSTAKE): None,
}


def test_every_cell_is_described() -> None:
    assert set(POOL_CELLS) == {(state, action) for state in PoolState for action in PoolAction}
    assert set(STAKE_CELLS) == {(state, action) for state in StakeState for action in StakeAction}


@pytest.mark.parametrize(("cell", "leads_to"), POOL_CELLS.items())
def test_pool_cell_leads_where_the_table_says(cell: tuple[PoolState, PoolAction], leads_to: PoolState | None) -> None:
    assert next_pool_state(*cell) == leads_to
    assert (cell[1] in allowed_pool_actions(cell[0])) is (leads_to is not None and cell[1] in ACTIONS_BY_NAME)


@pytest.mark.parametrize(("cell", "leads_to"), STAKE_CELLS.items())
def test_stake_cell_leads_where_the_table_says(
    cell: tuple[StakeState, StakeAction], leads_to: StakeState | None
) -> None:
    assert next_stake_state(*cell) == leads_to
    assert (cell[1] in allowed_stake_actions(cell[0])) is (leads_to is not None)


@given(principal=st.integers(1, 9 * 10**18), bps=st.integers(0, 10_000), early=st.booleans())
def test_payout_and_penalty_are_the_principal(principal: int, bps: int, early: bool) -> None:
    left = leave(principal, bps, early=early)
    assert left.payout + left.penalty == principal
    assert min(left.payout, left.penalty) >= 0
    assert early or left.penalty == 0


def test_period_is_a_day_in_utc() -> None:
    evening = datetime(2026, 11, 23, 23, 59, 59, 999_000, tzinfo=UTC)
    assert period_of(evening) == "2026-11-23"
    assert from_ms(day_end_ms(day_number("2026-11-23"))) == datetime(2026, 11, 24, tzinfo=UTC)
    assert period_before("2026-03-01") == "2026-02-28"


@given(moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 (hypothesis takes naive bounds)
def test_moment_lies_in_its_period(moment: datetime) -> None:
    in_utc = moment.replace(tzinfo=UTC)
    end_ms = day_end_ms(day_number(period_of(in_utc)))
    assert end_ms - DAY_MS <= to_ms(in_utc) < end_ms
    assert abs(from_ms(to_ms(in_utc)) - in_utc) < timedelta(milliseconds=1)


def test_days_end_once_each() -> None:
    noon = day_end_ms(MONDAY - 1) + DAY_MS // 2
    assert list(days_ended(noon, noon)) == []
    assert list(days_ended(noon, noon + DAY_MS)) == [MONDAY]
    assert list(days_ended(noon, noon + DAY_MS // 2)) == [MONDAY]
    assert list(days_ended(noon + DAY_MS // 2, noon + DAY_MS)) == []
    assert len(list(days_ended(0, noon))) == DAYS_KEPT_MAX


def test_index_at_the_end_of_a_day_is_kept_until_the_day_is_distributed() -> None:
    terms = FixedApr(1200)
    noon = day_end_ms(MONDAY - 1) + DAY_MS // 2
    accrual = start(terms, fund(terms, Accrual(at_ms=noon), 10**14, started=False))
    accrual, days = advance_with_days(terms, accrual, DayIndexes({}), 10**10, noon + 2 * DAY_MS)
    assert dict(days.by_day) == {MONDAY: 1200 * DAY_MS // 2, MONDAY + 1: 1200 * DAY_MS * 3 // 2}
    assert accrual.index == 1200 * DAY_MS * 2
    done = DayIndexes(days.by_day, distributed=MONDAY + 1)
    _, kept = advance_with_days(terms, accrual, done, 10**10, noon + 2 * DAY_MS + 1)
    assert list(kept.by_day) == [MONDAY + 1]


def test_pool_without_stakes_remembers_no_days() -> None:
    terms = FixedApr(1200)
    _, days = advance_with_days(terms, Accrual(), DayIndexes({}), 0, 10**13)
    assert not days.by_day
