"""The staking service as one ASGI app."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from kit.clock import Clock
from kit.documents import Stored
from kit.runtime import Runtime
from kit.service import build_service
from kit.store import StoreClient
from kit.workers import Worker
from staking.documents.balance import BalanceEntry, TokenBalance
from staking.documents.campaign import RewardCampaign
from staking.documents.distribution import Distribution, PoolDistribution
from staking.documents.movement import LedgerSweep, MovementRecord, SystemAccount
from staking.documents.pool import PoolAllowance, StakingPool
from staking.documents.reward_log import RewardLog
from staking.documents.stake import UserStake
from staking.operations.accounts import KINDS
from staking.operations.deletes import plan_delete_pool
from staking.operations.effects import effect_handlers
from staking.operations.ledger.ledger import Ledger
from staking.operations.system_accounts import ensure_system_accounts
from staking.routes import balances, campaigns, distributions, pools, rewards, stakes
from staking.settings import StakingSettings, load
from staking.workers.ledger_sweeper import ledger_sweeper
from staking.workers.rewards import distributor, finisher

DESCRIPTION = "OMNI balances in double entry, staking pools, stakes, and what they earn."
TAGS = (
    {"name": "balances", "description": "What a user holds, and every change of it."},
    {"name": "pools", "description": "Terms, budget and life cycle of staking pools."},
    {"name": "stakes", "description": "Tokens in a pool: staked, claimed and taken out again."},
    {"name": "distributions", "description": "Each day's rewards, paid once."},
    {"name": "rewards", "description": "All that was ever given, and bonuses."},
    {"name": "reward campaigns", "description": "Budgets for bonuses."},
)
ROUTERS = (
    balances.router,
    pools.router,
    stakes.router,
    distributions.router,
    rewards.router,
    campaigns.router,
)
DOCUMENTS: tuple[type[Stored], ...] = (
    TokenBalance,
    BalanceEntry,
    MovementRecord,
    LedgerSweep,
    SystemAccount,
    StakingPool,
    PoolAllowance,
    UserStake,
    RewardLog,
    RewardCampaign,
    Distribution,
    PoolDistribution,
)


def create_app(settings: StakingSettings, *, client: StoreClient | None = None, clock: Clock | None = None) -> FastAPI:
    """The app; nothing is opened before its lifespan starts."""
    ledgers: list[Ledger] = []

    @asynccontextmanager
    async def on_start(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
        await ensure_system_accounts(runtime.store)
        app.state.ledger = ledger = make_ledger(runtime)
        ledgers.append(ledger)
        try:
            yield
        finally:
            ledgers.remove(ledger)
            await ledger.close()

    def workers(runtime: Runtime) -> Sequence[Worker]:
        sweeper = ledger_sweeper(
            ledgers[-1], interval_s=settings.ledger_sweep_interval_s, after_s=settings.ledger_sweep_after_s
        )
        return (
            sweeper,
            distributor(runtime, ledgers[-1], interval_s=settings.distribution_interval_s),
            finisher(runtime, ledgers[-1], interval_s=settings.finishing_interval_s),
        )

    return build_service(
        name="staking",
        version=version("omnitrade-staking"),
        settings=settings,
        documents=DOCUMENTS,
        routers=ROUTERS,
        client=client,
        clock=clock,
        deleters={"deletePool": plan_delete_pool},
        workers=workers,
        on_start=on_start,
        description=DESCRIPTION,
        tags=TAGS,
    )


def make() -> FastAPI:
    """The app of this process's environment."""
    return create_app(load())


def make_ledger(runtime: Runtime) -> Ledger:
    """The ledger over every kind of account, with what follows from movements."""
    effects = effect_handlers(runtime.store, runtime.references, runtime.clock)
    return Ledger(runtime.store, runtime.clock, kinds=KINDS, effects=effects)
