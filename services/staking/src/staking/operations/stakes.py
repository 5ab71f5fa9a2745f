"""Stakes: preview, make, read."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kit.identity import TREASURY as TREASURY_ROLE
from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.problems import FieldError, ReferenceNotFound, Unavailable
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import DuplicateKey
from staking.documents.pool import PoolAllowance, StakingPool
from staking.documents.stake import UserStake
from staking.domain.amounts import format_omni
from staking.domain.balances import BALANCE_RULES
from staking.domain.ledger import Posted, Refusal, Why
from staking.domain.pool import PoolState
from staking.domain.pool_accounts import ALLOWANCE, allowance_id
from staking.domain.stake import StakeState
from staking.domain.stake_movements import StakeKey, stake_opening
from staking.operations.ledger.ledger import Ledger
from staking.problems import (
    InsufficientBalance,
    PoolCapacityExceeded,
    PoolNotOpen,
    StakeLimitExceeded,
    StakeTooSmall,
)
from staking.schemas.stakes import StakeCreate

NOUN = "stake"
STAKE_SORT = SortFields(allowed={"createdAt": "createdAt", "unlocksAt": "unlocksAt"}, default="-createdAt")
TRIES_MAX = 10
SEEN = [StakeState.ACTIVE.value, StakeState.WITHDRAWN.value]


@dataclass(frozen=True)
class StakeFilters:
    """What a list of stakes is narrowed to; None is everything the caller may see."""

    user_id: str | None
    pool_id: str | None
    state: str | None

    def stored(self, caller: Caller) -> dict[str, Any]:
        caller_id = caller.require_signed_in()
        if self.user_id is not None and not caller.may_act_for(self.user_id):
            return {"_id": {"$in": []}}
        user_id = self.user_id if caller.has(TREASURY_ROLE) else caller_id
        wanted = {"userId": user_id, "poolId": self.pool_id, "state": self.state or {"$in": SEEN}}
        return {name: value for name, value in wanted.items() if value is not None}


async def create_stake(
    runtime: Runtime, ledger: Ledger, caller: Caller, attached: Attached, body: StakeCreate, *, stake_id: str
) -> UserStake:
    """Take the tokens from the balance into the pool. Raises ReferenceNotFound, PoolNotOpen, StakeTooSmall,
    StakeLimitExceeded, PoolCapacityExceeded, InsufficientBalance: then nothing is left of it."""
    user_id = body.user_id or caller.require_signed_in()
    if not caller.may_act_for(user_id):
        raise ReferenceNotFound(errors=[FieldError("/userId", "reference-not-found", "There is no such user.")])
    made_before = await runtime.store.collection(UserStake).get(stake_id)
    if made_before is None:
        pool = await pool_for(runtime, body)
        if pool.max_stake_per_user is not None:
            await _set_allowance(runtime, pool, user_id, pool.max_stake_per_user)
        await _write_pending(runtime, _pending(runtime, stake_id, user_id, pool, body.amount), attached)
    elif made_before.state != StakeState.PENDING:
        return made_before
    return await place_stake(runtime, ledger, stake_id)


async def pool_for(runtime: Runtime, body: StakeCreate) -> StakingPool:
    """The pool, if it takes such a stake. What only its accounts can tell is told by the movement."""
    pool = await runtime.store.collection(StakingPool).get(body.pool_id)
    if pool is None:
        raise ReferenceNotFound(errors=[FieldError("/poolId", "reference-not-found", "There is no such pool.")])
    if pool.state != PoolState.OPEN:
        raise PoolNotOpen(f"The pool is {pool.state}.", state=pool.state)
    if body.amount < pool.min_stake:
        least = format_omni(pool.min_stake)
        raise StakeTooSmall(
            "The amount is below the pool's minimum.",
            errors=[FieldError("/amount", "stake-too-small", f"The pool takes {least} or more.")],
            min_stake=least,
        )
    if pool.max_stake_per_user is not None and body.amount > pool.max_stake_per_user:
        raise StakeLimitExceeded(f"The pool takes {format_omni(pool.max_stake_per_user)} from one user.")
    if body.amount > pool.capacity_max:
        raise PoolCapacityExceeded(f"The pool's capacity is {format_omni(pool.capacity_max)}.")
    return pool


async def place_stake(runtime: Runtime, ledger: Ledger, stake_id: str) -> UserStake:
    """Bring a pending stake to its end: active with its tokens, or gone without. Anyone may, any number of times."""
    stakes = runtime.store.collection(UserStake)
    stake = await stakes.get(stake_id)
    if stake is None:
        raise not_found(NOUN)
    for attempt in range(TRIES_MAX):
        outcome = await ledger.post(stake_opening(key_of(stake), attempt=attempt, at=stake.created_at))
        if isinstance(outcome, Posted):
            return await load_stake(runtime, stake_id)
        if outcome.refusal.why is not Why.CONTENDED:
            # Nothing refers to a pending stake: rewards are given only for one that has its tokens.
            await stakes.delete({"_id": stake_id, "state": StakeState.PENDING.value})
            raise await _refused(runtime, stake, outcome.refusal)
    raise Unavailable("The accounts are being changed by many at once; try again.")


async def load_stake(runtime: Runtime, stake_id: str) -> UserStake:
    """Raises NotFound, for a pending one too."""
    stake = await runtime.store.collection(UserStake).get(stake_id)
    if stake is None or stake.state == StakeState.PENDING:
        raise not_found(NOUN)
    return stake


async def read_stake(runtime: Runtime, caller: Caller, stake_id: str) -> UserStake:
    """One stake, for its owner, treasury and admins. Raises NotFound for everybody else as for an unknown id."""
    stake = await load_stake(runtime, stake_id)
    caller.require_owner(stake.user_id, NOUN)
    return stake


async def list_stakes(
    runtime: Runtime, caller: Caller, filters: StakeFilters, page: PageRequest
) -> tuple[list[UserStake], str | None]:
    """The caller's own stakes; treasury and admins see everybody's."""
    stakes = runtime.store.collection(UserStake)
    return await fetch_page(stakes, filters.stored(caller), page, STAKE_SORT, runtime.cursor_key)


async def pools_of(runtime: Runtime, stakes: list[UserStake]) -> dict[str, StakingPool]:
    """The pools that stakes are in, by id."""
    ids = sorted({stake.pool_id for stake in stakes})
    if not ids:
        return {}
    pools = await runtime.store.collection(StakingPool).find({"_id": {"$in": ids}}, limit=len(ids))
    return {pool.id: pool for pool in pools}


def key_of(stake: UserStake) -> StakeKey:
    return StakeKey(stake.id, stake.user_id, stake.pool_id, stake.principal, stake.is_limited)


def _pending(runtime: Runtime, stake_id: str, user_id: str, pool: StakingPool, amount: int) -> UserStake:
    now = runtime.clock.now()
    return UserStake(
        id=stake_id,
        user_id=user_id,
        pool_id=pool.id,
        principal=amount,
        state=StakeState.PENDING,
        model=pool.model,
        apr_bps=pool.apr_bps,
        rate_per_second=pool.rate_per_second,
        emission_seconds=pool.emission_seconds,
        lock_days=pool.lock_days,
        early_exit_penalty_bps=pool.early_exit_penalty_bps,
        is_limited=pool.max_stake_per_user is not None,
        unlocks_at=now + timedelta(days=pool.lock_days),
        created_at=now,
        updated_at=now,
    )


async def _write_pending(runtime: Runtime, stake: UserStake, attached: Attached) -> None:
    try:
        await runtime.references.create(stake, attached)
    except DuplicateKey:
        return  # another try of this request made it


async def _set_allowance(runtime: Runtime, pool: StakingPool, user_id: str, limit: int) -> None:
    """See that the user's allowance is there and follows the pool's present limit; what is taken stays taken."""
    allowances = runtime.store.collection(PoolAllowance)
    allowance_key = allowance_id(pool.id, user_id)
    for _ in range(TRIES_MAX):
        allowance = await allowances.get(allowance_key)
        if allowance is None:
            await allowances.insert_many([PoolAllowance(id=allowance_key, limit=limit, free=limit)])
            continue
        reach = max(limit, allowance.limit - allowance.free)
        if reach == allowance.limit:
            return
        changes = {"limit": reach, "free": allowance.free + reach - allowance.limit}
        where = {"_id": allowance_key, "version": allowance.version}
        if await allowances.update(where, {"$set": changes, "$inc": {"version": 1}}):
            return
    raise Unavailable("The user's stakes in this pool are being changed by many at once; try again.")


async def _refused(runtime: Runtime, stake: UserStake, refusal: Refusal) -> Exception:
    if refusal.place.kind == BALANCE_RULES.name:
        return InsufficientBalance("Less than this amount is available.")
    if refusal.place.kind == ALLOWANCE:
        return StakeLimitExceeded("With this amount the user would have more in the pool than it takes from one user.")
    if refusal.why in (Why.MOVED, Why.ABSENT):
        pool = await runtime.store.collection(StakingPool).get(stake.pool_id)
        state = "gone" if pool is None else pool.state
        return PoolNotOpen(f"The pool is {state}.", state=state)
    return PoolCapacityExceeded("The pool has less room than this amount.")
