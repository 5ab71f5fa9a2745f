"""Stakes on the ledger: what moves, what is refused, and that it adds up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from staking_world import DAY_S, NOON, Process, World, rewards_of

from kit.ids import new_id
from kit.problems import IllegalTransition, NotFound, Problem
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.domain.pool import PoolState
from staking.domain.rewards import fixed_apr_reward
from staking.problems import (
    InsufficientBalance,
    NothingToClaim,
    PoolCapacityExceeded,
    PoolNotOpen,
    StakeLimitExceeded,
    StakeTooSmall,
)

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Refused:
    terms: dict[str, Any]
    amount: str
    problem: type[Problem]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.prepare()
    yield world
    await world.check_books()


@pytest.fixture
async def process(world: World) -> AsyncIterator[Process]:
    async with world.process() as process:
        yield process


@pytest.fixture
async def user(process: Process) -> str:
    user_id = new_id()
    await process.credit(user_id, "100")
    return user_id


async def amounts(world: World, user_id: str) -> tuple[int, int]:
    balance = await world.balance(user_id)
    return balance.available, balance.staked


async def test_staking_moves_tokens_from_available_to_staked_and_takes_room(
    world: World, process: Process, user: str
) -> None:
    pool = await process.pool(capacity="500")
    stake = await process.stake(user, pool.id, "60")
    assert (stake.state, stake.principal, stake.claimable) == ("active", 60 * OMNI, 0)
    assert await amounts(world, user) == (40 * OMNI, 60 * OMNI)
    pool = await world.pool(pool.id)
    assert (pool.principal, pool.capacity) == (60 * OMNI, 440 * OMNI)


async def test_terms_are_those_of_the_day_the_stake_began(process: Process, user: str) -> None:
    pool = await process.pool(aprBps=700, lockDays=30, earlyExitPenaltyBps=250)
    stake = await process.stake(user, pool.id, "1")
    assert (stake.apr_bps, stake.lock_days, stake.early_exit_penalty_bps) == (700, 30, 250)
    assert (stake.unlocks_at - NOON).days == 30


@pytest.mark.parametrize(
    "refused",
    [
        Refused({}, "100.00000001", InsufficientBalance),
        Refused({"minStake": "5"}, "4.99999999", StakeTooSmall),
        Refused({"maxStakePerUser": "5"}, "5.00000001", StakeLimitExceeded),
        Refused({"capacity": "5"}, "5.00000001", PoolCapacityExceeded),
    ],
)
async def test_refused_stake_leaves_nothing(world: World, process: Process, user: str, refused: Refused) -> None:
    pool = await process.pool(**refused.terms)
    with pytest.raises(refused.problem):
        await process.stake(user, pool.id, refused.amount)
    assert await world.stakes(pool.id) == []
    assert await amounts(world, user) == (100 * OMNI, 0)
    assert (await world.pool(pool.id)).principal == 0


async def test_user_without_a_balance_has_nothing_to_stake(process: Process) -> None:
    pool = await process.pool()
    with pytest.raises(InsufficientBalance):
        await process.stake(new_id(), pool.id, "1")


async def test_pool_takes_stakes_only_while_it_is_open(process: Process, user: str) -> None:
    pool = await process.pool(is_open=False)
    with pytest.raises(PoolNotOpen):
        await process.stake(user, pool.id, "1")
    await process.open(pool.id)
    for change in (process.pause, process.close_pool):
        await change(pool.id)
        with pytest.raises(PoolNotOpen):
            await process.stake(user, pool.id, "1")


async def test_user_limit_holds_over_many_stakes_at_once(world: World, process: Process, user: str) -> None:
    pool = await process.pool(maxStakePerUser="10")
    results = await asyncio.gather(*(process.stake(user, pool.id, "3") for _ in range(8)), return_exceptions=True)
    refused = [one for one in results if isinstance(one, StakeLimitExceeded)]
    assert len(refused) == 5
    assert len(await world.stakes(pool.id)) == 3


async def test_left_stake_gives_its_place_back(world: World, process: Process, user: str) -> None:
    pool = await process.pool(maxStakePerUser="60", capacity="60")
    stake = await process.stake(user, pool.id, "60")
    with pytest.raises(StakeLimitExceeded):
        await process.stake(user, pool.id, "60")
    await process.unstake(stake)
    await process.stake(user, pool.id, "60")
    assert await amounts(world, user) == (40 * OMNI, 60 * OMNI)


async def test_unstaking_pays_principal_and_all_that_was_earned(world: World, process: Process, user: str) -> None:
    pool = await process.pool(aprBps=1200)
    stake = await process.stake(user, pool.id, "50")
    world.clock.advance(10 * DAY_S)
    left = await process.unstake(stake)
    earned = fixed_apr_reward(50 * OMNI, 1200, 10 * DAY_S)
    assert (left.state, left.payout, left.penalty, left.settled) == ("withdrawn", 50 * OMNI, 0, earned)
    assert await amounts(world, user) == (100 * OMNI + earned, 0)
    (log,) = await rewards_of(process, user)
    assert (log.kind, log.amount, log.source_id, log.period) == ("exit", earned, stake.id, "2026-12-03")


async def test_leaving_early_costs_the_stated_penalty_and_no_reward(world: World, process: Process, user: str) -> None:
    pool = await process.pool(aprBps=1200, lockDays=30, earlyExitPenaltyBps=333)
    stake = await process.stake(user, pool.id, "50.00000001")
    world.clock.advance(30 * DAY_S - 0.001)
    left = await process.unstake(stake)
    assert left.payout is not None
    assert left.penalty == 5_000_000_001 * 333 // 10_000
    assert left.payout + left.penalty == 5_000_000_001
    assert left.settled > 0
    assert (await world.balance(user)).available == 100 * OMNI - left.penalty + left.settled


async def test_leaving_at_the_unlock_costs_nothing(world: World, process: Process, user: str) -> None:
    pool = await process.pool(lockDays=30, earlyExitPenaltyBps=10_000)
    stake = await process.stake(user, pool.id, "50")
    world.clock.advance(30 * DAY_S)
    assert (await process.unstake(stake)).penalty == 0


async def test_whole_principal_may_be_the_penalty(world: World, process: Process, user: str) -> None:
    pool = await process.pool(lockDays=1, earlyExitPenaltyBps=10_000, aprBps=0)
    stake = await process.stake(user, pool.id, "50")
    left = await process.unstake(stake)
    assert (left.payout, left.penalty) == (0, 50 * OMNI)
    assert await amounts(world, user) == (50 * OMNI, 0)


async def test_everybody_can_leave_and_claim_whatever_the_pool_is(world: World, process: Process, user: str) -> None:
    for change in (process.pause, process.close_pool):
        pool = await process.pool()
        claimed, left = await process.stake(user, pool.id, "10"), await process.stake(user, pool.id, "10")
        world.clock.advance(3_600)
        await process.distribute()
        await change(pool.id)
        assert await process.claim(claimed) > 0
        assert (await process.unstake(left)).state == "withdrawn"
        assert (await process.unstake(claimed)).state == "withdrawn"
    assert (await world.balance(user)).staked == 0


async def test_stake_is_left_once(process: Process, user: str) -> None:
    pool = await process.pool()
    stake = await process.stake(user, pool.id, "10")
    results = await asyncio.gather(*(process.unstake(stake) for _ in range(5)), return_exceptions=True)
    refused = [one for one in results if isinstance(one, BaseException)]
    assert len(refused) == 4
    assert all(isinstance(one, IllegalTransition) for one in refused)


async def test_same_action_again_finds_what_it_did(world: World, process: Process, user: str) -> None:
    pool = await process.pool()
    stake_id, claim_id, exit_id = new_id(), new_id(), new_id()
    stake = await process.stake(user, pool.id, "10", stake_id=stake_id)
    assert (await process.stake(user, pool.id, "10", stake_id=stake_id)).id == stake.id
    world.clock.advance(3_600)
    await process.distribute()
    claimed = await process.claim(stake, action_id=claim_id)
    assert await process.claim(stake, action_id=claim_id) == claimed
    left = await process.unstake(stake, action_id=exit_id)
    assert await process.unstake(stake, action_id=exit_id) == left
    assert len(await world.stakes(pool.id)) == 1


async def test_claim_without_anything_distributed_is_refused(world: World, process: Process, user: str) -> None:
    pool = await process.pool()
    stake = await process.stake(user, pool.id, "10")
    world.clock.advance(3_600)
    with pytest.raises(NothingToClaim):
        await process.claim(stake)
    await process.distribute()
    await process.claim(stake)
    with pytest.raises(NothingToClaim):
        await process.claim(stake)


async def test_claims_at_once_pay_once(world: World, process: Process, user: str) -> None:
    pool = await process.pool()
    stake = await process.stake(user, pool.id, "10")
    world.clock.advance(3_600)
    await process.distribute()
    results = await asyncio.gather(*(process.claim(stake) for _ in range(6)), return_exceptions=True)
    paid = [one for one in results if isinstance(one, int)]
    assert paid == [fixed_apr_reward(10 * OMNI, 1200, 3_600)]


async def test_leaving_pays_what_was_distributed_and_not_claimed(world: World, process: Process, user: str) -> None:
    pool = await process.pool()
    stake = await process.stake(user, pool.id, "10")
    world.clock.advance(3_600)
    await process.distribute()
    world.clock.advance(3_600)
    left = await process.unstake(stake)
    assert left.claimable == 0
    assert await amounts(world, user) == (100 * OMNI + fixed_apr_reward(10 * OMNI, 1200, 7_200), 0)


async def test_stake_of_somebody_else_is_as_unknown(process: Process, user: str) -> None:
    pool = await process.pool()
    stake = await process.stake(user, pool.id, "10")
    stranger = stake.model_copy(update={"user_id": new_id()})
    with pytest.raises(NotFound):
        await process.claim(stranger)
    with pytest.raises(NotFound):
        await process.unstake(stranger)


async def test_emission_is_shared_by_what_is_staked_and_ends_with_its_period(
    world: World, process: Process, user: str
) -> None:
    pool = await process.pool(model="emission", emissionSeconds=1_000, budget="10")
    other = new_id()
    await process.credit(other, "300")
    first = await process.stake(user, pool.id, "100")
    world.clock.advance(100)
    second = await process.stake(other, pool.id, "300")
    world.clock.advance(5_000)
    await process.unstake(first)
    await process.unstake(second)
    shares = [await amounts(world, user), await amounts(world, other)]
    assert shares == [(100 * OMNI + 325_000_000, 0), (300 * OMNI + 675_000_000, 0)]


async def test_spent_budget_covers_all_that_was_earned_and_new_funding_goes_on(
    world: World, process: Process, user: str
) -> None:
    pool = await process.pool(aprBps=100_000, budget="1")
    first, second = await process.stake(user, pool.id, "50"), await process.stake(user, pool.id, "50")
    world.clock.advance(365 * DAY_S)
    left = await process.unstake(first)
    assert left.settled == OMNI // 2
    assert (await process.distribute("2027-11-23")).pools_spent == 1
    assert await process.claim(second) == OMNI // 2
    await process.fund(pool.id, "1")
    world.clock.advance(3_600)
    assert (await process.unstake(second)).settled == OMNI // 2 + fixed_apr_reward(50 * OMNI, 100_000, 3_600)


async def test_closed_pool_gives_back_what_nobody_earned(world: World, process: Process, user: str) -> None:
    pool = await process.pool(budget="7")
    stake = await process.stake(user, pool.id, "33.33333333")
    world.clock.advance(12_345.678)
    closed = await process.close_pool(pool.id)
    assert (closed.state, closed.budget) == (PoolState.CLOSED, 7 * OMNI)
    world.clock.advance(1_000)
    left = await process.unstake(stake)
    assert left.settled == 3_333_333_333 * 1200 * 13_345_678 // (10_000 * 31_536_000_000)
    emptied = await world.pool(pool.id)
    assert (emptied.budget, emptied.principal, emptied.is_drained) == (0, 0, True)
    assert await world.logs() == await world.logs(stake.id)
