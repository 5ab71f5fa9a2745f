"""Pools whose stakes are to be paid, and whether they were: once each."""

from collections import Counter

from staking_world import TODAY, Process, World

from kit.ids import new_id
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.domain.rewards import fixed_apr_reward

USERS = 3
STAKES = 12


async def staked(process: Process, *, stakes: int = STAKES, amount: str = "10") -> str:
    """A pool with stakes of several users."""
    pool = await process.pool()
    for _ in range(USERS):
        user_id = new_id()
        await process.credit(user_id, "1000")
        for _ in range(stakes // USERS):
            await process.stake(user_id, pool.id, amount)
    return pool.id


async def assert_paid_once(world: World, pool_id: str, seconds: int, *, period: str = TODAY) -> None:
    due = fixed_apr_reward(10 * OMNI, 1200, seconds)
    stakes = await world.stakes(pool_id)
    assert {stake.claimable for stake in stakes} == {due}
    assert {stake.settled for stake in stakes} == {due}
    logs = [log for log in await world.logs() if log.period == period]
    assert Counter(log.source_id for log in logs) == Counter(stake.id for stake in stakes)
    assert {log.amount for log in logs} == {due}
