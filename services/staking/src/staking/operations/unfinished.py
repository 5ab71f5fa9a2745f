"""What a crash left half made: stakes, campaigns and rewards that wait for their tokens are brought to their end."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from kit.documents import Entity
from kit.problems import Problem
from kit.runtime import Runtime
from staking.documents.campaign import RewardCampaign
from staking.documents.pool import StakingPool
from staking.documents.reward_log import RewardLog
from staking.documents.stake import UserStake
from staking.domain.campaign import CampaignState
from staking.domain.pool import PoolState
from staking.domain.reward_log import LogState
from staking.domain.stake import StakeState
from staking.operations.campaigns import empty_campaign, fund_campaign
from staking.operations.ledger.ledger import Ledger
from staking.operations.pools import drain_pool
from staking.operations.rewards import credit_reward
from staking.operations.stakes import place_stake

LEFT_AFTER = timedelta(minutes=1)
PAGE = 100
_log = structlog.get_logger("staking.unfinished")


async def finish_unfinished(runtime: Runtime, ledger: Ledger, *, older_than: timedelta = LEFT_AFTER) -> int:
    """At most PAGE of each kind; how many were found. What fails is found again by the next run."""
    before = {"$lt": runtime.clock.now() - older_than}
    pending_stake = {"state": StakeState.PENDING.value, "createdAt": before}
    pending_log = {"state": LogState.PENDING.value, "at": before}
    pending_campaign = {"state": CampaignState.PENDING.value, "createdAt": before}
    full_campaign = {"state": CampaignState.CLOSED.value, "left": {"$gt": 0}}
    full_pool = {"state": PoolState.CLOSED.value, "principal": 0, "budget": {"$gt": 0}}
    return sum(
        [
            await _finish(runtime, UserStake, pending_stake, lambda stake: place_stake(runtime, ledger, stake.id)),
            await _finish(runtime, RewardLog, pending_log, lambda log: credit_reward(runtime, ledger, log.id)),
            await _finish(runtime, RewardCampaign, pending_campaign, lambda one: fund_campaign(runtime, ledger, one)),
            await _finish(runtime, RewardCampaign, full_campaign, lambda one: empty_campaign(runtime, ledger, one.id)),
            await _finish(runtime, StakingPool, full_pool, lambda pool: drain_pool(runtime, ledger, pool.id)),
        ]
    )


async def _finish(
    runtime: Runtime, kind: type[Entity], where: dict[str, Any], end: Callable[[Any], Awaitable[Any]]
) -> int:
    found = await runtime.store.collection(kind).find(where, limit=PAGE)
    for document in found:
        try:
            await end(document)
        except Problem as refused:
            _log.info("not carried through", collection=kind.collection_name(), id=document.id, code=refused.code)
    return len(found)
