"""Distributing a period in one pool, batch after batch. Any number of workers may do so at once, and die at any point.

What is due is found by reading, and paid by a movement that is posted only if every stake still is as it was read and
was not paid in this period: so a stake is paid once, whoever asks and however often. The movement's id is made from the
period, the pool and the number of the batch, so that workers who meet drive the same one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from kit.runtime import Runtime
from staking.documents.distribution import PoolDistribution
from staking.documents.pool import StakingPool
from staking.documents.stake import UserStake
from staking.domain.ledger import Posted
from staking.domain.periods import day_end_ms, day_number, from_ms
from staking.domain.rewards import RewardTerms
from staking.domain.stake import StakeState
from staking.domain.stake_accounts import distribution_id
from staking.domain.stake_movements import BATCH_STAKES_MAX, Batch, Due, distribution_batch
from staking.operations.accruals import accrued, bring_up_to, is_budget_spent, pool_terms
from staking.operations.ledger.ledger import Ledger

REFUSALS_MAX = 100
_log = structlog.get_logger("staking.distributions")


@dataclass(frozen=True, slots=True)
class Target:
    """Up to where a pool's stakes are paid: its index at `through`."""

    pool: StakingPool
    terms: RewardTerms
    index: int
    through: datetime


async def distribute_pool(
    runtime: Runtime, ledger: Ledger, pool_id: str, period: str, *, goes_on: Callable[[], bool]
) -> bool:
    """Pay every stake of the pool what is due in the period. False: there is more to do, but `goes_on` said no, or
    others kept changing the stakes. Raises Unavailable."""
    target = await _target(runtime, pool_id, period)
    if target is None:
        return True
    run = PoolRun(runtime, ledger, target, period)
    await run.begin()
    is_complete = await run.pay_all(goes_on)
    if is_complete and runtime.clock.now() >= from_ms(day_end_ms(day_number(period))):
        await _forget_days_before(runtime, pool_id, period)
    return is_complete


class PoolRun:
    """One pass over a pool's stakes."""

    def __init__(self, runtime: Runtime, ledger: Ledger, target: Target, period: str) -> None:
        self._clock = runtime.clock
        self._ledger = ledger
        self._target = target
        self._period = period
        self._pool_id = target.pool.id
        self._runs = runtime.store.collection(PoolDistribution)
        self._stakes = runtime.store.collection(UserStake)
        self._pools = runtime.store.collection(StakingPool)
        self._run_id = distribution_id(period, self._pool_id)
        self._cursor = ""

    async def begin(self) -> None:
        await self._runs.insert_many([PoolDistribution(id=self._run_id, period=self._period, pool_id=self._pool_id)])
        is_spent = is_budget_spent(self._target.pool)
        await self._runs.update({"_id": self._run_id, "isSpent": not is_spent}, {"$set": {"isSpent": is_spent}})

    async def pay_all(self, goes_on: Callable[[], bool]) -> bool:
        """False: stopped before the end."""
        refusals = 0
        while goes_on() and refusals < REFUSALS_MAX:
            page = await self._page()
            if not page:
                return True
            dues, is_short = await self._dues(page)
            if not dues and is_short:
                return True
            if dues:
                outcome = await self._pay(dues, attempt=refusals)
                refusals = refusals + 1 if outcome is None else 0
                if outcome is not True:
                    continue
            if not is_short:
                self._cursor = page[-1].id
        return False

    async def _page(self) -> list[UserStake]:
        where = {
            "poolId": self._pool_id,
            "state": StakeState.ACTIVE.value,
            "settledDay": {"$lt": day_number(self._period)},
            "_id": {"$gt": self._cursor},
        }
        return await self._stakes.find(where, sort=[("_id", 1)], limit=BATCH_STAKES_MAX)

    async def _dues(self, page: list[UserStake]) -> tuple[list[Due], bool]:
        """In the order of their ids, as far as the budget reaches, and whether it fell short. It reaches all of them,
        since nothing is earned that is not covered; if the books say otherwise, what is there is paid."""
        pool = await self._pools.get(self._pool_id)
        left = 0 if pool is None else pool.budget
        dues: list[Due] = []
        for stake in page:
            amount = accrued(stake, self._target.terms, self._target.index)
            if amount > left:
                _log.error("budget short of what was earned", pool=self._pool_id, stake=stake.id)
                return dues, True
            if amount:
                left -= amount
                dues.append(Due(stake.id, amount, stake.settled, stake.settled_day))
        return dues, False

    async def _pay(self, dues: list[Due], *, attempt: int) -> bool | None:
        """True: exactly these were paid. False: somebody else paid this batch. None: refused, since a stake was left or
        paid meanwhile: look again."""
        run = await self._runs.get(self._run_id)
        if run is None:
            return None
        movement = distribution_batch(
            Batch(
                period=self._period,
                pool_id=self._pool_id,
                number=run.batches,
                attempt=attempt,
                stakes_paid=run.stakes_paid,
                amount_paid=run.amount_paid,
                through=self._target.through,
                dues=dues,
            ),
            at=self._clock.now(),
        )
        outcome = await self._ledger.post(movement)
        return outcome.movement.legs == movement.legs if isinstance(outcome, Posted) else None


async def _target(runtime: Runtime, pool_id: str, period: str) -> Target | None:
    """None: nothing was staked in the pool as the period ended, or it ended too long ago to tell what was earned until
    then; that falls to a later period."""
    now, end = runtime.clock.now(), from_ms(day_end_ms(day_number(period)))
    pool = await bring_up_to(runtime, pool_id, now)
    if pool is None:
        return None
    if now < end:
        return Target(pool, pool_terms(pool), int(pool.index), pool.accrued_at)
    index = pool.day_indexes.get(str(day_number(period)))
    return None if index is None else Target(pool, pool_terms(pool), int(index), end)


async def _forget_days_before(runtime: Runtime, pool_id: str, period: str) -> None:
    """The period is distributed: earlier ends of days are not needed any more."""
    day = day_number(period)
    pools = runtime.store.collection(StakingPool)
    await pools.update({"_id": pool_id, "distributedDay": {"$lt": day}}, {"$set": {"distributedDay": day}})
