"""Reward campaigns over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from kit.dependencies import CallerDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import Forbidden, IllegalTransition, NotFound, VersionMismatch
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut
from staking.documents.campaign import RewardCampaign
from staking.operations import campaigns as operations
from staking.problems import SupplyExhausted
from staking.routes.ledger import LedgerDep
from staking.schemas.rewards import CampaignCreate, CampaignOut

router = APIRouter(prefix="/v1/reward-campaigns", route_class=KitRoute, tags=["reward campaigns"])

CampaignId = Annotated[Id, Path(alias="campaignId")]


def render(campaign: RewardCampaign, response: Response) -> CampaignOut:
    """A campaign as it travels, with its version as ETag."""
    response.headers["ETag"] = etag(campaign.edition)
    return present(campaign)


def present(campaign: RewardCampaign) -> CampaignOut:
    """A campaign as it travels."""
    return CampaignOut(
        campaign_id=campaign.id,
        name=campaign.name,
        budget=campaign.budget,
        paid=campaign.budget - campaign.left - campaign.returned,
        left=campaign.left,
        returned=campaign.returned,
        state=campaign.state,
        closed_at=campaign.closed_at,
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
        version=campaign.edition,
    )


@router.post("", operation_id="createCampaign", status_code=201, responses=documented(Forbidden, SupplyExhausted))
async def create_campaign(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    campaign_id: ResourceId,
    body: CampaignCreate,
    response: Response,
) -> CampaignOut:
    """Set a budget for bonuses aside (treasury)."""
    campaign = await operations.create_campaign(runtime, ledger, caller, body, campaign_id=campaign_id)
    response.headers["Location"] = f"/v1/reward-campaigns/{campaign.id}"
    return render(campaign, response)


@router.get("", operation_id="listCampaigns", responses=documented(Forbidden))
async def list_campaigns(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    paging: Paging,
    state: Annotated[Literal["open", "closed"] | None, Query()] = None,
) -> PageOut[CampaignOut]:
    """All campaigns (treasury)."""
    campaigns, next_cursor = await operations.list_campaigns(runtime, caller, state, paging)
    return PageOut[CampaignOut](items=[present(campaign) for campaign in campaigns], next_cursor=next_cursor)


@router.get("/{campaignId}", operation_id="readCampaign", responses=documented(Forbidden, NotFound))
async def read_campaign(
    *, runtime: RuntimeDep, caller: CallerDep, campaign_id: CampaignId, response: Response
) -> CampaignOut:
    """One campaign (treasury)."""
    return render(await operations.read_campaign(runtime, caller, campaign_id), response)


@router.post(
    "/{campaignId}/close",
    operation_id="closeCampaign",
    responses=documented(Forbidden, NotFound, IllegalTransition, VersionMismatch),
)
async def close_campaign(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    campaign_id: CampaignId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> CampaignOut:
    """Pay no more from it; what is left goes back to the treasury (treasury)."""
    campaign = await operations.close_campaign(
        runtime, ledger, caller, campaign_id, action_id=action_id, if_match=if_match
    )
    return render(campaign, response)
