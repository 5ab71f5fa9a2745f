"""Rewards over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from kit.dependencies import AttachedDep, CallerDep, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.problems import Forbidden, ReferenceClosed, ReferenceNotFound
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut, Timestamp
from staking.documents.reward_log import RewardLog
from staking.operations import rewards as operations
from staking.problems import CampaignBudgetExceeded, CampaignClosed, SupplyExhausted
from staking.routes.ledger import LedgerDep
from staking.schemas.rewards import RewardCreate, RewardOut

router = APIRouter(prefix="/v1/rewards", route_class=KitRoute, tags=["rewards"])

CREATE_REFUSALS = (Forbidden, ReferenceNotFound, ReferenceClosed)
BUDGET_REFUSALS = (CampaignClosed, CampaignBudgetExceeded, SupplyExhausted)


async def reward_filters(
    user_id: Annotated[Id | None, Query(alias="userId")] = None,
    source_id: Annotated[Id | None, Query(alias="sourceId")] = None,
    since: Annotated[Timestamp | None, Query(alias="from", description="Included.")] = None,
    until: Annotated[Timestamp | None, Query(alias="to", description="Not included.")] = None,
) -> operations.RewardFilters:
    """The query parameters of the list."""
    return operations.RewardFilters(user_id=user_id, source_id=source_id, since=since, until=until)


def present(log: RewardLog) -> RewardOut:
    """A reward as it travels."""
    return RewardOut(
        log_id=log.id,
        user_id=log.user_id,
        source_type=log.source_type,
        source_id=log.source_id,
        amount=log.amount,
        period=log.period,
        kind=log.kind,
        at=log.at,
    )


@router.get("", operation_id="listRewards")
async def list_rewards(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    filters: Annotated[operations.RewardFilters, Depends(reward_filters)],
    paging: Paging,
) -> PageOut[RewardOut]:
    """The caller's own rewards, the latest first; everybody's for treasury and admins."""
    logs, next_cursor = await operations.list_rewards(runtime, caller, filters, paging)
    return PageOut[RewardOut](items=[present(log) for log in logs], next_cursor=next_cursor)


@router.post(
    "",
    operation_id="createReward",
    status_code=201,
    responses=documented(*CREATE_REFUSALS, *BUDGET_REFUSALS),
)
async def create_reward(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    attached: AttachedDep,
    log_id: ResourceId,
    body: RewardCreate,
) -> RewardOut:
    """Credit a bonus at once (treasury)."""
    return present(await operations.create_reward(runtime, ledger, caller, attached, body, log_id=log_id))
