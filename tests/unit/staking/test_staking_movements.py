"""Movements of pools, stakes and rewards: they balance, and ask what keeps them from happening twice."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from staking.domain.ledger import LEGS_MAX, Movement, check_movement
from staking.domain.ledger_drive import hold_rounds
from staking.domain.periods import day_number
from staking.domain.pool_accounts import POOL, run_up_to, settled
from staking.domain.pool_movements import campaign_closing, campaign_funding, pool_draining, pool_funding
from staking.domain.rewards import EMISSION_SCALE
from staking.domain.stake import leave
from staking.domain.stake_accounts import stake_place
from staking.domain.stake_movements import (
    BATCH_STAKES_MAX,
    Batch,
    Due,
    Leaving,
    StakeKey,
    distribution_batch,
    reward_credit,
    stake_claim,
    stake_leaving,
    stake_opening,
)

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
AMOUNT = st.integers(1, 10**15)
KEYS = st.builds(
    StakeKey,
    stake_id=st.just("stake-1"),
    user_id=st.just("user-1"),
    pool_id=st.just("pool-1"),
    principal=AMOUNT,
    is_limited=st.booleans(),
)


def amounts_of(movement: Movement) -> dict[str, int]:
    return {f"{leg.account.kind}.{leg.account.field}": leg.amount for leg in movement.legs}


@given(stake=KEYS)
def test_opening_moves_the_principal_and_asks_for_an_open_pool(stake: StakeKey) -> None:
    movement = stake_opening(stake, attempt=0, at=AT)
    check_movement(movement)
    moved = amounts_of(movement)
    assert moved["balance.available"] == -moved["balance.staked"] == -stake.principal
    assert moved["stakingPool.capacity"] == -moved["stakingPool.principal"] == -stake.principal
    assert ("allowance.free" in moved) is stake.is_limited
    assert movement.guards[0].require == {"state": "open"}
    assert not movement.guards[0].expect


@given(
    stake=KEYS,
    accrued=st.integers(0, 10**15),
    claimable=st.integers(0, 10**15),
    bps=st.integers(0, 10_000),
    early=st.booleans(),
)
def test_leaving_pays_everything_but_the_penalty(
    stake: StakeKey, accrued: int, claimable: int, bps: int, *, early: bool
) -> None:
    leaving = Leaving(7, accrued, claimable, leave(stake.principal, bps, early=early))
    movement = stake_leaving(stake, leaving, action_id="a", attempt=0, at=AT)
    check_movement(movement)
    moved = amounts_of(movement)
    got = moved.get("balance.available", 0) + moved.get("system.amount", 0)
    assert got == stake.principal + accrued + claimable
    assert moved["balance.staked"] == moved["stakingPool.principal"] == -stake.principal
    assert movement.guards[0].expect == {"state": "active", "settled": 7}
    assert movement.guards[0].put["settled"] == 7 + accrued


@given(amounts=st.lists(AMOUNT, min_size=1, max_size=BATCH_STAKES_MAX))
def test_batch_pays_each_stake_once_in_its_period(amounts: list[int]) -> None:
    dues = [Due(f"stake-{number}", amount, number, 5) for number, amount in enumerate(amounts)]
    batch = Batch("2026-11-23", new_id(), 3, 0, stakes_paid=10, amount_paid=100, through=AT, dues=dues)
    movement = distribution_batch(batch, at=AT)
    check_movement(movement)
    counted, *paid = movement.guards
    assert counted.put == {"batches": 4, "stakesPaid": 10 + len(dues), "amountPaid": 100 + sum(amounts)}
    assert counted.expect == {"batches": 3}
    assert [guard.place for guard in paid] == [stake_place(due.stake_id) for due in dues]
    for guard, due in zip(paid, dues, strict=True):
        assert guard.expect == {"state": "active", "settled": due.settled, "settledDay": 5}
        assert guard.put["settledDay"] == day_number("2026-11-23")
        assert guard.put["settled"] == due.settled + due.amount


def test_largest_batch_keeps_to_the_ledgers_bounds() -> None:
    assert BATCH_STAKES_MAX + 1 <= LEGS_MAX


@given(left=AMOUNT, unearned=st.integers(0, 10**15))
def test_drained_budget_is_split_between_treasury_and_dust(left: int, unearned: int) -> None:
    movement = pool_draining(pool_id="p", version=1, left=left, unearned=unearned, capacity_max=5, at=AT)
    check_movement(movement)
    moved = amounts_of(movement)
    assert moved.get("treasury.amount", 0) == min(left, unearned)
    assert movement.guards[0].expect == {"state": "closed", "principal": 0, "capacity": 5}


def test_other_movements_balance() -> None:
    stake = StakeKey("s", "u", "p", 5, is_limited=False)
    check_movement(stake_claim(stake, 5, action_id="a", at=AT))
    check_movement(campaign_funding(campaign_id="c", amount=5, actor_id="t", at=AT))
    check_movement(campaign_closing(campaign_id="c", version=1, left=5, returned=0, at=AT))
    check_movement(pool_funding(action_id="a", attempt=0, pool_id="p", state="open", amount=5, actor_id="t", at=AT))
    for campaign_id in (None, "c"):
        check_movement(
            reward_credit(log_id="l", attempt=0, user_id="u", campaign_id=campaign_id, amount=5, actor_id="t", at=AT)
        )


def test_pool_is_held_after_everything_that_could_refuse() -> None:
    """A pool that lets a principal go and takes it back would have shared out its rewards without it in between."""
    stake = StakeKey("s", "u", "p", 5, is_limited=True)
    leaving = stake_leaving(stake, Leaving(0, 1, 1, leave(5, 0, early=False)), action_id="a", attempt=0, at=AT)
    opening = stake_opening(stake, attempt=0, at=AT)
    due = Due("s", 1, 0, 0)
    batch = Batch("2026-11-23", "p", 0, 0, stakes_paid=0, amount_paid=0, through=AT, dues=[due])
    for movement in (leaving, opening, distribution_batch(batch, at=AT)):
        assert hold_rounds(movement)[-1][0].kind == POOL


def test_funding_raises_the_reserve_once_and_runs_the_pool_up_to_now_before() -> None:
    fields = {
        "model": "emission",
        "emissionSeconds": 100,
        "index": "0",
        "accruedAt": AT,
        "reserve": "0",
        "rate": 0,
        "principal": 10,
        "funded": 3,
        "dayIndexes": {},
        "distributedDay": 0,
        "openedAt": AT,
        "edition": 1,
    }
    current = {**fields, **run_up_to(fields, AT)}
    movement = pool_funding(action_id="a", attempt=0, pool_id="p", state="open", amount=1_000, actor_id="t", at=AT)
    after = settled(current, movement, AT)
    assert (after["reserve"], after["rate"], after["funded"]) == (str(1_000 * EMISSION_SCALE), 10, 1_003)
    assert settled(current, stake_opening(StakeKey("s", "u", "p", 5, is_limited=False), attempt=0, at=AT), AT) == {}
