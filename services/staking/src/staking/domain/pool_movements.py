"""Movements of pools and campaigns, as values."""

from datetime import datetime

from staking.domain.campaign import CampaignState
from staking.domain.ledger import Account, Effect, Guard, Leg, Movement, legs_between
from staking.domain.pool import PoolState
from staking.domain.pool_accounts import DRAINING, FUNDING, budget, pool_place
from staking.domain.stake_accounts import campaign_left, campaign_place
from staking.domain.system_accounts import DUST, TREASURY

OPEN_CAMPAIGN = "open-campaign"


def pool_funding(
    *, action_id: str, attempt: int, pool_id: str, state: str, amount: int, actor_id: str, at: datetime
) -> Movement:
    """From the treasury into the budget of a pool that is in `state`: a closed one is never funded."""
    return Movement(
        id=pool_funding_id(action_id, attempt),
        kind=FUNDING,
        source=pool_id,
        legs=legs_between([TREASURY], [budget(pool_id)], amount),
        at=at,
        guards=(Guard(pool_place(pool_id), require={"state": state}),),
        actor_id=actor_id,
    )


def pool_draining(*, pool_id: str, version: int, left: int, unearned: int, capacity_max: int, at: datetime) -> Movement:
    """What is left of a closed pool's budget once nothing is staked in it: what nobody earned goes back to the
    treasury, what rounding left to the dust account. It is refused while a stake is on its way in or out."""
    back = min(unearned, left)
    shares: list[tuple[Account, int]] = [(TREASURY, back), (DUST, left - back)]
    return Movement(
        id=f"pool-drain:{pool_id}:{version}",
        kind=DRAINING,
        source=pool_id,
        legs=(Leg(budget(pool_id), -left), *(Leg(account, amount) for account, amount in shares if amount)),
        at=at,
        guards=(
            Guard(
                pool_place(pool_id),
                expect={"state": PoolState.CLOSED.value, "principal": 0, "capacity": capacity_max},
                put={"isDrained": True},
            ),
        ),
    )


def pool_funding_id(action_id: str, attempt: int) -> str:
    return f"pool-fund:{action_id}:{attempt}"


def campaign_funding(*, campaign_id: str, amount: int, actor_id: str, at: datetime) -> Movement:
    return Movement(
        id=f"campaign-fund:{campaign_id}",
        kind="campaign-fund",
        source=campaign_id,
        legs=legs_between([TREASURY], [campaign_left(campaign_id)], amount),
        at=at,
        effects=(Effect(OPEN_CAMPAIGN, {"campaignId": campaign_id}),),
        actor_id=actor_id,
    )


def campaign_closing(*, campaign_id: str, version: int, left: int, returned: int, at: datetime) -> Movement:
    """What is left of a closed campaign's budget goes back to the treasury, after `returned` did."""
    return Movement(
        id=f"campaign-close:{campaign_id}:{version}",
        kind="campaign-close",
        source=campaign_id,
        legs=legs_between([campaign_left(campaign_id)], [TREASURY], left),
        at=at,
        guards=(
            Guard(
                campaign_place(campaign_id),
                expect={"state": CampaignState.CLOSED.value, "returned": returned},
                put={"returned": returned + left},
            ),
        ),
    )
