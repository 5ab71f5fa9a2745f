"""Staking pools over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from kit.dependencies import CallerDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import Forbidden, IllegalTransition, NotFound, ResourceDeleted, VersionMismatch
from kit.references.deletes.deleting import delete_responses, deletes, refuse_direct
from kit.responses import documented
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.schemas import PageOut
from staking.documents.pool import StakingPool
from staking.domain.amounts import SUPPLY_MAX
from staking.operations import pools as operations
from staking.operations.accruals import covered_until, pool_as_of, unearned_budget
from staking.problems import PoolCapacityExceeded, SupplyExhausted, TermsFrozen
from staking.routes.ledger import LedgerDep
from staking.schemas.pools import BudgetOut, PoolCreate, PoolFund, PoolOut, PoolPatch

router = APIRouter(prefix="/v1/staking/pools", route_class=KitRoute, tags=["pools"])

PoolId = Annotated[Id, Path(alias="poolId")]
PoolStateQuery = Annotated[Literal["draft", "open", "paused", "closed"] | None, Query(alias="state")]

ACTION_REFUSALS = documented(Forbidden, NotFound, IllegalTransition, VersionMismatch)


def render(runtime: Runtime, pool: StakingPool, response: Response) -> PoolOut:
    """A pool as it travels, with its version as ETag."""
    response.headers["ETag"] = etag(pool.edition)
    return present(runtime, pool)


def present(runtime: Runtime, stored: StakingPool) -> PoolOut:
    """A pool with its rewards as of now."""
    pool = pool_as_of(stored, runtime.clock.now())
    return PoolOut(
        pool_id=pool.id,
        name=pool.name,
        model=pool.model,
        apr_bps=pool.apr_bps,
        rate_per_second=pool.rate_per_second,
        emission_seconds=pool.emission_seconds,
        lock_days=pool.lock_days,
        min_stake=pool.min_stake,
        max_stake_per_user=pool.max_stake_per_user,
        capacity=None if pool.capacity_max == SUPPLY_MAX else pool.capacity_max,
        early_exit_penalty_bps=pool.early_exit_penalty_bps,
        state=pool.state,
        staked=pool.principal,
        budget=BudgetOut(funded=pool.funded, left=pool.budget, unearned=unearned_budget(pool)),
        current_rate_per_second=pool.rate if pool.model == "emission" else None,
        covered_until=covered_until(pool),
        opened_at=pool.opened_at,
        closed_at=pool.closed_at,
        created_at=pool.created_at,
        updated_at=pool.updated_at,
        version=pool.edition,
    )


@router.post("", operation_id="createPool", status_code=201, responses=documented(Forbidden, ResourceDeleted))
async def create_pool(
    *, runtime: RuntimeDep, caller: CallerDep, pool_id: ResourceId, body: PoolCreate, response: Response
) -> PoolOut:
    """Draft a pool (treasury)."""
    pool = await operations.create_pool(runtime, caller, body, pool_id=pool_id)
    response.headers["Location"] = f"/v1/staking/pools/{pool.id}"
    return render(runtime, pool, response)


@router.get("", operation_id="listPools")
async def list_pools(
    *, runtime: RuntimeDep, caller: CallerDep, paging: Paging, state: PoolStateQuery = None
) -> PageOut[PoolOut]:
    """All pools, for everybody who is signed in."""
    pools, next_cursor = await operations.list_pools(runtime, caller, state, paging)
    return PageOut[PoolOut](items=[present(runtime, pool) for pool in pools], next_cursor=next_cursor)


@router.get("/{poolId}", operation_id="readPool", responses=documented(NotFound))
async def read_pool(*, runtime: RuntimeDep, caller: CallerDep, pool_id: PoolId, response: Response) -> PoolOut:
    """One pool with its budget as of now."""
    return render(runtime, await operations.read_pool(runtime, caller, pool_id), response)


@router.patch(
    "/{poolId}",
    operation_id="changePool",
    responses=documented(Forbidden, NotFound, IllegalTransition, TermsFrozen, PoolCapacityExceeded, VersionMismatch),
)
async def change_pool(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    pool_id: PoolId,
    body: PoolPatch,
    if_match: IfMatch,
    response: Response,
) -> PoolOut:
    """Change a draft; of an opened pool only name and limits (treasury)."""
    return render(runtime, await operations.change_pool(runtime, caller, pool_id, body, if_match), response)


@router.delete(
    "/{poolId}",
    operation_id="deletePool",
    status_code=204,
    responses=delete_responses(Forbidden, IllegalTransition),
    openapi_extra=deletes("staking_pools"),
)
async def delete_pool(*, pool_id: PoolId, if_match: IfMatch) -> None:  # noqa: ARG001 (the deleter gets them)
    """Delete a draft that was never funded; any other pool can be closed (treasury)."""
    refuse_direct()


@router.post(
    "/{poolId}/fund",
    operation_id="fundPool",
    responses=documented(Forbidden, NotFound, IllegalTransition, VersionMismatch, SupplyExhausted),
)
async def fund_pool(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    pool_id: PoolId,
    action_id: ResourceId,
    body: PoolFund,
    if_match: IfMatch,
    response: Response,
) -> PoolOut:
    """Add to the budget that rewards are paid from (treasury)."""
    pool = await operations.fund_pool(
        runtime, ledger, caller, pool_id, amount=body.amount, action_id=action_id, if_match=if_match
    )
    return render(runtime, pool, response)


@router.post("/{poolId}/open", operation_id="openPool", responses=ACTION_REFUSALS)
async def open_pool(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    pool_id: PoolId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> PoolOut:
    """Take stakes, for the first time or again (treasury)."""
    pool = await operations.open_pool(runtime, caller, pool_id, action_id=action_id, if_match=if_match)
    return render(runtime, pool, response)


@router.post("/{poolId}/pause", operation_id="pausePool", responses=ACTION_REFUSALS)
async def pause_pool(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    pool_id: PoolId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> PoolOut:
    """Take no stakes for now; exits, claims and rewards go on (treasury)."""
    pool = await operations.pause_pool(runtime, caller, pool_id, action_id=action_id, if_match=if_match)
    return render(runtime, pool, response)


@router.post("/{poolId}/close", operation_id="closePool", responses=ACTION_REFUSALS)
async def close_pool(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    pool_id: PoolId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> PoolOut:
    """Take no stakes any more. Open stakes keep their terms and can be left at any time (treasury)."""
    pool = await operations.close_pool(runtime, ledger, caller, pool_id, action_id=action_id, if_match=if_match)
    return render(runtime, pool, response)
