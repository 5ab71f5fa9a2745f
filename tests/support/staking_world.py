"""Pools, stakes and rewards on a store of their own: the service's operations without HTTP, in many processes."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from mock_store import mock_motor

from kit.clock import FixedClock
from kit.context import ValidatedReference
from kit.identity import Caller
from kit.ids import new_id
from kit.paging import PageRequest
from kit.references.attached import Attached
from kit.references.guarded import References
from kit.runtime import Runtime
from kit.store import StoreClient
from staking.app import DOCUMENTS, make_ledger
from staking.documents.balance import TokenBalance
from staking.documents.campaign import RewardCampaign
from staking.documents.pool import StakingPool
from staking.documents.reward_log import RewardLog
from staking.documents.stake import UserStake
from staking.domain.amounts import parse_omni
from staking.operations import balances, campaigns, distributions, pools, rewards, stake_exits, stakes
from staking.operations.audit.audit import audit_ledger
from staking.operations.ledger.ledger import Ledger
from staking.operations.system_accounts import ensure_system_accounts
from staking.operations.unfinished import finish_unfinished
from staking.schemas.pools import PoolCreate
from staking.schemas.rewards import CampaignCreate, RewardCreate
from staking.schemas.stakes import StakeCreate
from staking.settings import StakingSettings

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = "2026-11-23"
DAY_S = 86_400
DATABASE = "omnitrade_staking"
TREASURER = Caller(new_id(), frozenset({"user", "treasury"}))
LONG_AGO = timedelta(seconds=-60)


def caller(user_id: str) -> Caller:
    return Caller(user_id, frozenset({"user"}))


def attached(user_id: str, source: tuple[str, str] | None = None) -> Attached:
    """What the gateway says of a user who exists, and of a bot of theirs."""
    relationships = ("user_token_balances.userId", "user_stakes.userId", "reward_transaction_logs.userId")
    references = [ValidatedReference(relationship, "users", user_id) for relationship in relationships]
    if source is not None and source[0] == "bot":
        references.append(ValidatedReference("reward_transaction_logs.sourceId", "trading_bots", source[1]))
    return Attached(references)


@dataclass
class Process:
    """One process of the service: what it knows in memory dies with it."""

    runtime: Runtime
    ledger: Ledger

    async def credit(self, user_id: str, amount: str) -> None:
        move = balances.BalanceMove(new_id(), user_id, parse_omni(amount), "deposit")
        await balances.credit(self.runtime, self.ledger, TREASURER, attached(user_id), move)

    async def pool(self, *, budget: str | None = "1000", is_open: bool = True, **terms: Any) -> StakingPool:
        body = {"name": "pool", "model": "fixed-apr", **terms}
        if body["model"] == "fixed-apr":
            body.setdefault("aprBps", 1200)
        pool = await pools.create_pool(self.runtime, TREASURER, PoolCreate.model_validate(body), pool_id=new_id())
        if budget is not None:
            pool = await self.fund(pool.id, budget)
        return await self.open(pool.id) if is_open else pool

    async def fund(self, pool_id: str, amount: str) -> StakingPool:
        return await pools.fund_pool(
            self.runtime,
            self.ledger,
            TREASURER,
            pool_id,
            amount=parse_omni(amount),
            action_id=new_id(),
            if_match=None,
        )

    async def open(self, pool_id: str) -> StakingPool:
        return await pools.open_pool(self.runtime, TREASURER, pool_id, action_id=new_id(), if_match=None)

    async def pause(self, pool_id: str) -> StakingPool:
        return await pools.pause_pool(self.runtime, TREASURER, pool_id, action_id=new_id(), if_match=None)

    async def close_pool(self, pool_id: str) -> StakingPool:
        return await pools.close_pool(self.runtime, self.ledger, TREASURER, pool_id, action_id=new_id(), if_match=None)

    async def stake(self, user_id: str, pool_id: str, amount: str, *, stake_id: str | None = None) -> UserStake:
        body = StakeCreate.model_validate({"poolId": pool_id, "amount": amount})
        return await stakes.create_stake(
            self.runtime, self.ledger, caller(user_id), attached(user_id), body, stake_id=stake_id or new_id()
        )

    async def claim(self, stake: UserStake, *, action_id: str | None = None) -> int:
        _, claimed = await stake_exits.claim_stake(
            self.runtime, self.ledger, caller(stake.user_id), stake.id, action_id=action_id or new_id(), if_match=None
        )
        return claimed

    async def unstake(self, stake: UserStake, *, action_id: str | None = None) -> UserStake:
        return await stake_exits.unstake(
            self.runtime, self.ledger, caller(stake.user_id), stake.id, action_id=action_id or new_id(), if_match=None
        )

    async def campaign(self, budget: str, *, campaign_id: str | None = None) -> RewardCampaign:
        body = CampaignCreate.model_validate({"name": "welcome", "budget": budget})
        return await campaigns.create_campaign(
            self.runtime, self.ledger, TREASURER, body, campaign_id=campaign_id or new_id()
        )

    async def close_campaign(self, campaign_id: str) -> RewardCampaign:
        return await campaigns.close_campaign(
            self.runtime, self.ledger, TREASURER, campaign_id, action_id=new_id(), if_match=None
        )

    async def bonus(
        self, user_id: str, source: tuple[str, str], amount: str, *, log_id: str | None = None
    ) -> RewardLog:
        body = RewardCreate.model_validate(
            {"userId": user_id, "sourceType": source[0], "sourceId": source[1], "amount": amount}
        )
        return await rewards.create_reward(
            self.runtime, self.ledger, TREASURER, attached(user_id, source), body, log_id=log_id or new_id()
        )

    async def distribute(self, period: str = TODAY) -> distributions.Progress:
        return await distributions.request_distribution(self.runtime, self.ledger, TREASURER, period)


@dataclass
class World:
    """One store and a clock that stands still."""

    folder: Path
    motor: Any = field(default_factory=mock_motor)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))

    @property
    def client(self) -> StoreClient:
        return StoreClient.from_motor(self.motor)

    async def prepare(self) -> None:
        store = self.client.database(DATABASE)
        await store.prepare([*DOCUMENTS, *References.records])
        await ensure_system_accounts(store)

    @asynccontextmanager
    async def process(self, client: StoreClient | None = None) -> AsyncIterator[Process]:
        store = (client or self.client).database(DATABASE)
        references = References(store, DOCUMENTS, clock=self.clock, service="staking")
        await references.start()
        settings = StakingSettings(data_dir=self.folder)
        runtime = Runtime("staking", settings, store, references, self.clock, b"cursor key of the tests")
        ledger = make_ledger(runtime)
        yield Process(runtime, ledger)
        await ledger.close()
        await references.stop()

    async def heal(self) -> None:
        """What the workers of a process that lives do after a while."""
        async with self.process() as alive:
            for _ in range(3):
                await alive.ledger.sweep(older_than=LONG_AGO)
                await alive.runtime.references.reaper.run_once()
                await finish_unfinished(alive.runtime, alive.ledger, older_than=LONG_AGO)
            await distributions.distribute_due(alive.runtime, alive.ledger)

    async def balance(self, user_id: str) -> TokenBalance:
        found = await self.client.database(DATABASE).collection(TokenBalance).get(user_id)
        assert found is not None
        return found

    async def pool(self, pool_id: str) -> StakingPool:
        found = await self.client.database(DATABASE).collection(StakingPool).get(pool_id)
        assert found is not None
        return found

    async def stake(self, stake_id: str) -> UserStake | None:
        return await self.client.database(DATABASE).collection(UserStake).get(stake_id)

    async def campaign(self, campaign_id: str) -> RewardCampaign | None:
        return await self.client.database(DATABASE).collection(RewardCampaign).get(campaign_id)

    async def stakes(self, pool_id: str) -> list[UserStake]:
        stakes_ = self.client.database(DATABASE).collection(UserStake)
        return await stakes_.find({"poolId": pool_id}, sort=[("_id", 1)], limit=10_000)

    async def logs(self, stake_id: str | None = None) -> list[RewardLog]:
        logs = self.client.database(DATABASE).collection(RewardLog)
        return await logs.find({} if stake_id is None else {"sourceId": stake_id}, sort=[("_id", 1)], limit=10_000)

    async def check_books(self) -> None:
        """Every invariant of the ledger, at rest."""
        report = await audit_ledger(self.client.database(DATABASE))
        assert report.is_clean, report.body()
        assert report.unsettled == 0


@contextmanager
def silent_logs() -> Iterator[None]:
    """Rendering what a dying process logs would take most of a test's time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


async def rewards_of(process: Process, user_id: str) -> list[RewardLog]:
    """What a user sees of their rewards."""
    filters = rewards.RewardFilters(user_id=None, source_id=None, since=None, until=None)
    logs, _ = await rewards.list_rewards(process.runtime, caller(user_id), filters, PageRequest())
    return logs
