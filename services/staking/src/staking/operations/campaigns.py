"""Reward campaigns: make, read, close."""

from typing import Any

from kit.identity import TREASURY as TREASURY_ROLE
from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import IllegalTransition
from kit.runtime import Runtime
from kit.store import DuplicateKey
from staking.documents.campaign import RewardCampaign
from staking.domain.campaign import CampaignAction, CampaignState, allowed_campaign_actions, next_campaign_state
from staking.domain.ledger import Posted
from staking.domain.pool_movements import campaign_closing, campaign_funding
from staking.operations.ledger.ledger import Ledger
from staking.operations.updates import decide_and_save, save
from staking.problems import SupplyExhausted
from staking.schemas.rewards import CampaignCreate

NOUN = "campaign"
CAMPAIGN_SORT = SortFields(allowed={"createdAt": "createdAt", "name": "name"}, default="-createdAt")
TRIES_MAX = 10
SEEN = [CampaignState.OPEN.value, CampaignState.CLOSED.value]


async def create_campaign(
    runtime: Runtime, ledger: Ledger, caller: Caller, body: CampaignCreate, *, campaign_id: str
) -> RewardCampaign:
    """The budget comes from the treasury. Raises SupplyExhausted: then there is no campaign."""
    caller.require_role(TREASURY_ROLE)
    campaigns = runtime.store.collection(RewardCampaign)
    now = runtime.clock.now()
    campaign = RewardCampaign(
        id=campaign_id,
        name=body.name,
        budget=body.budget,
        state=CampaignState.PENDING,
        created_by=caller.require_signed_in(),
        created_at=now,
        updated_at=now,
    )
    try:
        await runtime.references.create(campaign)
    except DuplicateKey:
        known = await campaigns.get(campaign_id)
        if known is not None and known.state != CampaignState.PENDING:
            return known
    return await fund_campaign(runtime, ledger, campaign)


async def fund_campaign(runtime: Runtime, ledger: Ledger, campaign: RewardCampaign) -> RewardCampaign:
    """Bring a pending campaign to its end: open with its budget, or gone. Anyone may, any number of times."""
    movement = campaign_funding(
        campaign_id=campaign.id, amount=campaign.budget, actor_id=campaign.created_by, at=campaign.created_at
    )
    if isinstance(await ledger.post(movement), Posted):
        return await load_campaign(runtime, campaign.id)
    campaigns = runtime.store.collection(RewardCampaign)
    # Nothing refers to a pending campaign: rewards are given only from one that was opened.
    await campaigns.delete({"_id": campaign.id, "state": CampaignState.PENDING.value})
    raise SupplyExhausted("The treasury has issued all that may ever be issued.")


async def load_campaign(runtime: Runtime, campaign_id: str) -> RewardCampaign:
    """Raises NotFound, for a pending one too."""
    campaign = await runtime.store.collection(RewardCampaign).get(campaign_id)
    if campaign is None or campaign.state == CampaignState.PENDING:
        raise not_found(NOUN)
    return campaign


async def read_campaign(runtime: Runtime, caller: Caller, campaign_id: str) -> RewardCampaign:
    caller.require_role(TREASURY_ROLE)
    return await load_campaign(runtime, campaign_id)


async def list_campaigns(
    runtime: Runtime, caller: Caller, state: str | None, page: PageRequest
) -> tuple[list[RewardCampaign], str | None]:
    caller.require_role(TREASURY_ROLE)
    where: dict[str, Any] = {"state": state or {"$in": SEEN}}
    return await fetch_page(runtime.store.collection(RewardCampaign), where, page, CAMPAIGN_SORT, runtime.cursor_key)


async def close_campaign(
    runtime: Runtime, ledger: Ledger, caller: Caller, campaign_id: str, *, action_id: str, if_match: int | None
) -> RewardCampaign:
    """Pay no more from it; what is left goes back to the treasury. Raises NotFound, VersionMismatch,
    IllegalTransition."""
    caller.require_role(TREASURY_ROLE)

    async def attempt() -> RewardCampaign | None:
        campaign = await load_campaign(runtime, campaign_id)
        if campaign.last_action_id == action_id:
            return campaign
        check_if_match(if_match, campaign.edition)
        state = require_campaign_action(campaign, CampaignAction.CLOSE)
        changes = {"state": state.value, "closedAt": runtime.clock.now(), "lastActionId": action_id}
        return await save(runtime, campaign, changes)

    await decide_and_save(attempt)
    return await empty_campaign(runtime, ledger, campaign_id)


async def empty_campaign(runtime: Runtime, ledger: Ledger, campaign_id: str) -> RewardCampaign:
    """Give back what is left of a closed campaign's budget."""
    for _ in range(TRIES_MAX):
        campaign = await load_campaign(runtime, campaign_id)
        if campaign.state != CampaignState.CLOSED or campaign.left == 0:
            return campaign
        movement = campaign_closing(
            campaign_id=campaign_id,
            version=campaign.version,
            left=campaign.left,
            returned=campaign.returned,
            at=runtime.clock.now(),
        )
        await ledger.post(movement)
    return await load_campaign(runtime, campaign_id)


def require_campaign_action(campaign: RewardCampaign, action: CampaignAction) -> CampaignState:
    """The state that the action leads to. Raises IllegalTransition."""
    current = CampaignState(campaign.state)
    state = next_campaign_state(current, action)
    if state is None:
        raise IllegalTransition(
            f"'{action.value}' is not allowed while the campaign is {current.value}.",
            from_=current.value,
            action=action.value,
            allowed=[one.value for one in allowed_campaign_actions(current)],
        )
    return state
