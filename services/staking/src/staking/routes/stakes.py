"""Stakes over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from kit.dependencies import AttachedDep, CallerDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import IllegalTransition, NotFound, ReferenceClosed, ReferenceNotFound, VersionMismatch
from kit.responses import documented
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.schemas import PageOut
from staking.documents.pool import StakingPool
from staking.documents.stake import UserStake
from staking.operations import stake_exits, stake_previews
from staking.operations import stakes as operations
from staking.operations.accruals import accrued, pool_as_of, pool_terms
from staking.problems import (
    InsufficientBalance,
    NothingToClaim,
    PoolCapacityExceeded,
    PoolNotOpen,
    StakeLimitExceeded,
    StakeTooSmall,
)
from staking.routes.ledger import LedgerDep
from staking.schemas.stakes import ClaimOut, PreviewOut, StakeCreate, StakeOut, StakeTermsOut

router = APIRouter(prefix="/v1/staking/stakes", route_class=KitRoute, tags=["stakes"])

StakeId = Annotated[Id, Path(alias="stakeId")]
POOL_REFUSALS = (ReferenceNotFound, PoolNotOpen, StakeTooSmall, StakeLimitExceeded, PoolCapacityExceeded)


async def stake_filters(
    user_id: Annotated[Id | None, Query(alias="userId")] = None,
    pool_id: Annotated[Id | None, Query(alias="poolId")] = None,
    state: Annotated[Literal["active", "withdrawn"] | None, Query()] = None,
) -> operations.StakeFilters:
    """The query parameters of the list."""
    return operations.StakeFilters(user_id=user_id, pool_id=pool_id, state=state)


async def render(runtime: Runtime, stake: UserStake, response: Response) -> StakeOut:
    """A stake as it travels, with its version as ETag."""
    response.headers["ETag"] = etag(stake.edition)
    return (await present_all(runtime, [stake]))[0]


async def present_all(runtime: Runtime, stakes: list[UserStake]) -> list[StakeOut]:
    """Stakes with what they have accrued as of now."""
    now = runtime.clock.now()
    pools = {id_: pool_as_of(pool, now) for id_, pool in (await operations.pools_of(runtime, stakes)).items()}
    return [StakeOut(**fields_of(stake, pools[stake.pool_id])) for stake in stakes]


def fields_of(stake: UserStake, pool: StakingPool) -> dict[str, Any]:
    """What of a stake travels."""
    return {
        "stake_id": stake.id,
        "user_id": stake.user_id,
        "pool_id": stake.pool_id,
        "principal": stake.principal,
        "state": stake.state,
        "terms": StakeTermsOut.model_validate(stake),
        "unlocks_at": stake.unlocks_at,
        "accrued": accrued(stake, pool_terms(pool), int(pool.index)),
        "claimable": stake.claimable,
        "settled": stake.settled,
        "settled_through": stake.settled_through,
        "payout": stake.payout,
        "penalty": stake.penalty,
        "withdrawn_at": stake.withdrawn_at,
        "created_at": stake.created_at,
        "updated_at": stake.updated_at,
        "version": stake.edition,
    }


@router.post(
    "",
    operation_id="createStake",
    status_code=201,
    responses=documented(*POOL_REFUSALS, InsufficientBalance, ReferenceClosed),
)
async def create_stake(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    attached: AttachedDep,
    stake_id: ResourceId,
    body: StakeCreate,
    response: Response,
) -> StakeOut:
    """Stake tokens of the balance in a pool."""
    stake = await operations.create_stake(runtime, ledger, caller, attached, body, stake_id=stake_id)
    response.headers["Location"] = f"/v1/staking/stakes/{stake.id}"
    return await render(runtime, stake, response)


@router.post("/preview", operation_id="previewStake", responses=documented(*POOL_REFUSALS))
async def preview_stake(*, runtime: RuntimeDep, caller: CallerDep, body: StakeCreate) -> PreviewOut:
    """What a stake would come to. Nothing is moved; the balance is not asked."""
    return PreviewOut.model_validate(await stake_previews.preview_stake(runtime, caller, body))


@router.get("", operation_id="listStakes")
async def list_stakes(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    filters: Annotated[operations.StakeFilters, Depends(stake_filters)],
    paging: Paging,
) -> PageOut[StakeOut]:
    """The caller's own stakes; everybody's for treasury and admins."""
    stakes, next_cursor = await operations.list_stakes(runtime, caller, filters, paging)
    return PageOut[StakeOut](items=await present_all(runtime, stakes), next_cursor=next_cursor)


@router.get("/{stakeId}", operation_id="readStake", responses=documented(NotFound))
async def read_stake(*, runtime: RuntimeDep, caller: CallerDep, stake_id: StakeId, response: Response) -> StakeOut:
    """One stake with what it has accrued as of now."""
    return await render(runtime, await operations.read_stake(runtime, caller, stake_id), response)


@router.post(
    "/{stakeId}/claim",
    operation_id="claimStake",
    responses=documented(NotFound, NothingToClaim, IllegalTransition, VersionMismatch),
)
async def claim_stake(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    stake_id: StakeId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> ClaimOut:
    """Move what was distributed to the balance."""
    stake, claimed = await stake_exits.claim_stake(
        runtime, ledger, caller, stake_id, action_id=action_id, if_match=if_match
    )
    rendered = await render(runtime, stake, response)
    return ClaimOut(**dict(rendered), claimed=claimed)


@router.post(
    "/{stakeId}/unstake",
    operation_id="unstake",
    responses=documented(NotFound, IllegalTransition, VersionMismatch),
)
async def unstake(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    stake_id: StakeId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> StakeOut:
    """Leave with everything, at any time; before `unlocksAt` the stated penalty is kept."""
    stake = await stake_exits.unstake(runtime, ledger, caller, stake_id, action_id=action_id, if_match=if_match)
    return await render(runtime, stake, response)
