"""What a stake would come to, told before it is made."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kit.identity import Caller
from kit.runtime import Runtime
from staking.domain.periods import DAY_MS, to_ms
from staking.domain.pool_accounts import accrual_of
from staking.domain.rewards import advance, earned
from staking.domain.stake import leave
from staking.operations.accruals import covered_until, pool_as_of, pool_terms
from staking.operations.stakes import pool_for
from staking.operations.updates import stored_fields
from staking.schemas.stakes import StakeCreate


@dataclass(frozen=True, slots=True)
class Preview:
    pool_id: str
    amount: int
    unlocks_at: datetime
    reward_per_day: int
    early_exit_penalty: int
    early_exit_payout: int
    covered_until: datetime | None


async def preview_stake(runtime: Runtime, caller: Caller, body: StakeCreate) -> Preview:
    """Raises what making it would raise, as far as the pool's terms tell. Nothing is written."""
    caller.require_signed_in()
    now = runtime.clock.now()
    pool = pool_as_of(await pool_for(runtime, body), now)
    joined = pool.model_copy(update={"principal": pool.principal + body.amount})
    terms, accrual = pool_terms(pool), accrual_of(stored_fields(pool))
    tomorrow = advance(terms, accrual, joined.principal, to_ms(now) + DAY_MS)
    early = leave(body.amount, pool.early_exit_penalty_bps, early=pool.lock_days > 0)
    return Preview(
        pool_id=pool.id,
        amount=body.amount,
        unlocks_at=now + timedelta(days=pool.lock_days),
        reward_per_day=earned(terms, body.amount, accrual.index, tomorrow.index),
        early_exit_penalty=early.penalty,
        early_exit_payout=early.payout,
        covered_until=covered_until(joined),
    )
