"""What stakes have earned: shown as of any moment, and made firm before it is paid."""

from datetime import datetime

from kit.problems import Unavailable
from kit.runtime import Runtime
from staking.documents.pool import StakingPool
from staking.documents.stake import UserStake
from staking.domain.periods import from_ms
from staking.domain.pool_accounts import accrual_of, run_up_to, terms_of
from staking.domain.rewards import RewardTerms, covered_until_ms, is_spent, unearned, unsettled
from staking.domain.stake import StakeState
from staking.operations.updates import ATTEMPTS_MAX, stored_fields

MOMENT_MAX_MS = 4_102_444_800_000
"""The year 2100: what is covered until then is covered for ever."""


def pool_as_of(pool: StakingPool, moment: datetime) -> StakingPool:
    """The pool with its rewards run up to a moment. Nothing is written."""
    fields = stored_fields(pool)
    as_of: StakingPool = StakingPool.model_validate({**fields, **run_up_to(fields, moment)})
    return as_of


async def bring_up_to(runtime: Runtime, pool_id: str, moment: datetime) -> StakingPool | None:
    """The pool once its stored rewards have reached a moment: from then on no other action can change what its stakes
    had earned until there. Raises Unavailable."""
    pools = runtime.store.collection(StakingPool)
    for _ in range(ATTEMPTS_MAX):
        pool = await pools.get(pool_id)
        if pool is None or pool.accrued_at >= moment:
            return pool
        where = {"_id": pool_id, "version": pool.version}
        changes = run_up_to(stored_fields(pool), moment)
        saved = await pools.update_and_get(where, {"$set": changes, "$inc": {"version": 1}})
        if saved is not None:
            return saved
    raise Unavailable("The pool is being changed by many at once; try again.")


def accrued(stake: UserStake, terms: RewardTerms, index: int) -> int:
    """What an active stake has earned and was not given yet when its pool's index was `index`."""
    if stake.state != StakeState.ACTIVE or stake.index_from is None:
        return 0
    return unsettled(terms, stake.principal, int(stake.index_from), index, stake.settled)


def pool_terms(pool: StakingPool) -> RewardTerms:
    return terms_of(stored_fields(pool))


def unearned_budget(pool: StakingPool) -> int:
    """The part of the budget that nobody has earned; a closed pool's that was given back is none."""
    fields = stored_fields(pool)
    return unearned(terms_of(fields), accrual_of(fields))


def covered_until(pool: StakingPool) -> datetime | None:
    """How long the budget pays what is staked; None for ever, or while nothing is staked."""
    fields = stored_fields(pool)
    until_ms = covered_until_ms(terms_of(fields), accrual_of(fields), pool.principal)
    return None if until_ms is None or until_ms > MOMENT_MAX_MS else from_ms(until_ms)


def is_budget_spent(pool: StakingPool) -> bool:
    """Its stakes would earn, but for the budget."""
    fields = stored_fields(pool)
    return is_spent(terms_of(fields), accrual_of(fields), pool.principal)
