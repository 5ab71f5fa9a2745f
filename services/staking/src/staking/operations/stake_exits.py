"""Claiming what a stake was paid, and leaving with everything. Always possible, whatever the pool's state."""

from kit.identity import Caller
from kit.preconditions import check_if_match
from kit.problems import IllegalTransition, Unavailable
from kit.runtime import Runtime
from staking.documents.pool import StakingPool
from staking.documents.stake import UserStake
from staking.domain.ledger import Leg, Movement, Posted
from staking.domain.pool import PoolState
from staking.domain.stake import StakeAction, StakeState, allowed_stake_actions, leave, next_stake_state
from staking.domain.stake_accounts import claimable
from staking.domain.stake_movements import Leaving, claim_id, stake_claim, stake_leaving
from staking.operations.accruals import accrued, bring_up_to, pool_terms
from staking.operations.ledger.ledger import Ledger
from staking.operations.pools import drain_pool
from staking.operations.stakes import key_of, load_stake, read_stake
from staking.problems import NothingToClaim

TRIES_MAX = 20


async def claim_stake(
    runtime: Runtime, ledger: Ledger, caller: Caller, stake_id: str, *, action_id: str, if_match: int | None
) -> tuple[UserStake, int]:
    """Move what is claimable to the balance: the stake and the amount. Raises NotFound, VersionMismatch,
    NothingToClaim."""
    stake = await read_stake(runtime, caller, stake_id)
    outcome = await ledger.drive(claim_id(action_id))
    if outcome is None:
        check_if_match(if_match, stake.edition)
        _require(stake, StakeAction.CLAIM)
        if stake.claimable == 0:
            raise NothingToClaim("What a stake earns can be claimed once it is distributed.")
        movement = stake_claim(key_of(stake), stake.claimable, action_id=action_id, at=runtime.clock.now())
        outcome = await ledger.post(movement)
    if not isinstance(outcome, Posted):
        raise NothingToClaim("It was claimed by another request.")
    return await load_stake(runtime, stake_id), -_leg_at(outcome.movement, stake_id).amount


async def unstake(
    runtime: Runtime, ledger: Ledger, caller: Caller, stake_id: str, *, action_id: str, if_match: int | None
) -> UserStake:
    """Leave with the principal, what was earned up to now and what was not claimed yet; before `unlocksAt` the stated
    penalty is kept. Raises NotFound, VersionMismatch, IllegalTransition."""
    for attempt in range(TRIES_MAX):
        stake = await read_stake(runtime, caller, stake_id)
        if stake.last_action_id == action_id:
            return stake
        check_if_match(if_match if attempt == 0 else None, stake.edition)
        _require(stake, StakeAction.UNSTAKE)
        outcome = await ledger.post(await _exit(runtime, stake, action_id, attempt))
        if isinstance(outcome, Posted):
            await _after_exit(runtime, ledger, stake.pool_id)
            return await load_stake(runtime, stake_id)
    raise Unavailable("The stake is being changed by many at once; try again.")


async def _exit(runtime: Runtime, stake: UserStake, action_id: str, attempt: int) -> Movement:
    """What leaving comes to now. The budget covers all that is earned; it is asked all the same, so that nothing can
    ever keep a principal in."""
    now = runtime.clock.now()
    pool = await bring_up_to(runtime, stake.pool_id, now)
    leaving = Leaving(
        settled_before=stake.settled,
        accrued=0 if pool is None else min(accrued(stake, pool_terms(pool), int(pool.index)), pool.budget),
        claimable=stake.claimable,
        exit=leave(stake.principal, stake.early_exit_penalty_bps, early=now < stake.unlocks_at),
    )
    return stake_leaving(key_of(stake), leaving, action_id=action_id, attempt=attempt, at=now)


async def _after_exit(runtime: Runtime, ledger: Ledger, pool_id: str) -> None:
    pool = await runtime.store.collection(StakingPool).get(pool_id)
    if pool is not None and pool.state == PoolState.CLOSED:
        await drain_pool(runtime, ledger, pool_id)


def _require(stake: UserStake, action: StakeAction) -> None:
    state = StakeState(stake.state)
    if next_stake_state(state, action) is None:
        raise IllegalTransition(
            f"'{action.value}' is not allowed while the stake is {state.value}.",
            from_=state.value,
            action=action.value,
            allowed=[one.value for one in allowed_stake_actions(state)],
        )


def _leg_at(movement: Movement, stake_id: str) -> Leg:
    return next(leg for leg in movement.legs if leg.account == claimable(stake_id))
