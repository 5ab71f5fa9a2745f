"""Pools: draft, change, fund, open, pause, close."""

from collections.abc import Callable
from typing import Any

from kit.identity import TREASURY as TREASURY_ROLE
from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import IllegalTransition, Unavailable
from kit.runtime import Runtime
from kit.store import DuplicateKey
from staking.documents.pool import StakingPool
from staking.domain.amounts import SUPPLY_MAX
from staking.domain.ledger import Posted, Why
from staking.domain.pool import PoolAction, PoolState, allowed_pool_actions, next_pool_state
from staking.domain.pool_accounts import accrual_fields, accrual_of, run_up_to, terms_of
from staking.domain.pool_movements import pool_draining, pool_funding, pool_funding_id
from staking.domain.rewards import start, unearned
from staking.operations.ledger.ledger import Ledger
from staking.operations.pool_changes import changed_fields, check_room
from staking.operations.updates import check_not_going, decide_and_save, save, stored_fields
from staking.problems import SupplyExhausted
from staking.schemas.pools import PoolCreate, PoolPatch

NOUN = "pool"
POOL_SORT = SortFields(allowed={"createdAt": "createdAt", "name": "name"}, default="-createdAt")
TRIES_MAX = 10


async def create_pool(runtime: Runtime, caller: Caller, body: PoolCreate, *, pool_id: str) -> StakingPool:
    """A draft. Without limits it takes as much as can ever be issued. Raises InvalidRequest at /minStake."""
    caller.require_role(TREASURY_ROLE)
    now = runtime.clock.now()
    capacity = SUPPLY_MAX if body.capacity is None else body.capacity
    check_room(min_stake=body.min_stake, capacity=capacity)
    pool = StakingPool(
        id=pool_id,
        name=body.name,
        model=body.model,
        apr_bps=body.apr_bps,
        rate_per_second=body.rate_per_second,
        emission_seconds=body.emission_seconds,
        lock_days=body.lock_days,
        min_stake=body.min_stake,
        max_stake_per_user=body.max_stake_per_user,
        capacity_max=capacity,
        capacity=capacity,
        early_exit_penalty_bps=body.early_exit_penalty_bps,
        state=PoolState.DRAFT,
        accrued_at=now,
        created_at=now,
        updated_at=now,
    )
    try:
        return await runtime.references.create(pool)
    except DuplicateKey:
        return await load_pool(runtime, pool_id)


async def load_pool(runtime: Runtime, pool_id: str) -> StakingPool:
    """Raises NotFound."""
    pool = await runtime.store.collection(StakingPool).get(pool_id)
    if pool is None:
        raise not_found(NOUN)
    return pool


async def read_pool(runtime: Runtime, caller: Caller, pool_id: str) -> StakingPool:
    """Pools are seen by everybody who is signed in."""
    caller.require_signed_in()
    return await load_pool(runtime, pool_id)


async def list_pools(
    runtime: Runtime, caller: Caller, state: str | None, page: PageRequest
) -> tuple[list[StakingPool], str | None]:
    caller.require_signed_in()
    where: dict[str, Any] = {} if state is None else {"state": state}
    pools = runtime.store.collection(StakingPool)
    return await fetch_page(pools, where, page, POOL_SORT, runtime.cursor_key)


async def change_pool(
    runtime: Runtime, caller: Caller, pool_id: str, patch: PoolPatch, if_match: int | None
) -> StakingPool:
    """Raises NotFound, VersionMismatch, TermsFrozen, IllegalTransition, PoolCapacityExceeded, InvalidRequest."""
    caller.require_role(TREASURY_ROLE)

    async def attempt() -> StakingPool | None:
        pool = await load_pool(runtime, pool_id)
        check_if_match(if_match, pool.edition)
        changes, unset = changed_fields(pool, patch)
        return await save(runtime, pool, changes, unset=unset) if changes or unset else pool

    return await decide_and_save(attempt)


async def fund_pool(
    runtime: Runtime, ledger: Ledger, caller: Caller, pool_id: str, *, amount: int, action_id: str, if_match: int | None
) -> StakingPool:
    """From the treasury into the budget. Raises NotFound, IllegalTransition, VersionMismatch, SupplyExhausted,
    Unavailable."""
    caller.require_role(TREASURY_ROLE)
    for attempt in range(TRIES_MAX):
        pool = await load_pool(runtime, pool_id)
        outcome = await ledger.drive(pool_funding_id(action_id, attempt))
        if outcome is None:
            check_if_match(if_match if attempt == 0 else None, pool.edition)
            _next_state(pool, PoolAction.FUND)
            funding = pool_funding(
                action_id=action_id,
                attempt=attempt,
                pool_id=pool_id,
                state=pool.state,
                amount=amount,
                actor_id=caller.require_signed_in(),
                at=runtime.clock.now(),
            )
            outcome = await ledger.post(funding)
        if isinstance(outcome, Posted):
            return await load_pool(runtime, pool_id)
        if outcome.refusal.why is Why.LACKING:
            raise SupplyExhausted("The treasury has issued all that may ever be issued.")
        await check_not_going(runtime, StakingPool, pool_id)
    raise Unavailable("The pool is being changed by many at once; try again.")


async def open_pool(
    runtime: Runtime, caller: Caller, pool_id: str, *, action_id: str, if_match: int | None
) -> StakingPool:
    """Take stakes, again after a pause. The first time, an emission starts to run."""

    def opened(pool: StakingPool) -> dict[str, Any]:
        if pool.opened_at is not None:
            return {}
        now = runtime.clock.now()
        fields = {**stored_fields(pool), **run_up_to(stored_fields(pool), now)}
        return {**accrual_fields(start(terms_of(fields), accrual_of(fields))), "openedAt": now}

    return await _transition(runtime, caller, pool_id, PoolAction.OPEN, opened, action_id=action_id, if_match=if_match)


async def pause_pool(
    runtime: Runtime, caller: Caller, pool_id: str, *, action_id: str, if_match: int | None
) -> StakingPool:
    """Take no new stakes for now. Exits, claims and what open stakes earn go on."""
    return await _transition(
        runtime, caller, pool_id, PoolAction.PAUSE, lambda _: {}, action_id=action_id, if_match=if_match
    )


async def close_pool(
    runtime: Runtime, ledger: Ledger, caller: Caller, pool_id: str, *, action_id: str, if_match: int | None
) -> StakingPool:
    """Take no new stakes any more. Open stakes keep their terms; when the last one is gone, the rest of the budget is
    given back."""

    def closed(_: StakingPool) -> dict[str, Any]:
        return {"closedAt": runtime.clock.now()}

    pool = await _transition(runtime, caller, pool_id, PoolAction.CLOSE, closed, action_id=action_id, if_match=if_match)
    await drain_pool(runtime, ledger, pool.id)
    return await load_pool(runtime, pool_id)


async def drain_pool(runtime: Runtime, ledger: Ledger, pool_id: str) -> None:
    """Give back what is left of a closed pool's budget, if nothing is staked in it."""
    for _ in range(TRIES_MAX):
        pool = await load_pool(runtime, pool_id)
        is_over = pool.state == PoolState.CLOSED and pool.principal == 0 and pool.capacity == pool.capacity_max
        if not is_over or pool.budget == 0:
            return
        fields = stored_fields(pool)
        movement = pool_draining(
            pool_id=pool_id,
            version=pool.version,
            left=pool.budget,
            unearned=unearned(terms_of(fields), accrual_of(fields)),
            capacity_max=pool.capacity_max,
            at=runtime.clock.now(),
        )
        if isinstance(await ledger.post(movement), Posted):
            return


async def _transition(
    runtime: Runtime,
    caller: Caller,
    pool_id: str,
    action: PoolAction,
    more: Callable[[StakingPool], dict[str, Any]],
    *,
    action_id: str,
    if_match: int | None,
) -> StakingPool:
    """Raises NotFound, VersionMismatch, IllegalTransition. Done before by the same action: the pool as it is."""
    caller.require_role(TREASURY_ROLE)

    async def attempt() -> StakingPool | None:
        pool = await load_pool(runtime, pool_id)
        if pool.last_action_id == action_id:
            return pool
        check_if_match(if_match, pool.edition)
        state = _next_state(pool, action)
        return await save(runtime, pool, {**more(pool), "state": state.value, "lastActionId": action_id})

    return await decide_and_save(attempt)


def _next_state(pool: StakingPool, action: PoolAction) -> PoolState:
    current = PoolState(pool.state)
    state = next_pool_state(current, action)
    if state is None:
        raise illegal_pool_action(current, action)
    return state


def illegal_pool_action(state: PoolState, action: str, detail: str | None = None) -> IllegalTransition:
    """`detail`: if it is not the state that forbids it."""
    allowed = [one.value for one in allowed_pool_actions(state)]
    return IllegalTransition(
        detail or f"'{action}' is not allowed while the pool is {state.value}.",
        from_=state.value,
        action=str(action),
        allowed=allowed,
    )
