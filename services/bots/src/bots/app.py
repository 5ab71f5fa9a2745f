"""The bots service as one ASGI app."""

from importlib.metadata import version

from fastapi import FastAPI

from bots.documents.bot_performance import BotPerformance, ClosedTrade, PerformanceHour
from bots.documents.market_pairs import MarketPair
from bots.documents.trading_bots import BotEvent, TradingBot
from bots.operations.deletes import plan_delete_bot
from bots.operations.parents import plan_change, plan_start
from bots.routes import bots, market_pairs, performance
from bots.settings import BotsSettings, load
from bots.workers.expired_pairs import expired_pairs
from kit.clock import Clock
from kit.service import build_service
from kit.store import StoreClient

DOCUMENTS = (MarketPair, TradingBot, BotEvent, BotPerformance, PerformanceHour, ClosedTrade)
DESCRIPTION = "What trades: market pairs, trading bots with their life cycle, and their performance."
TAGS = (
    {"name": "market pairs", "description": "What the exchanges trade, imported from their own lists."},
    {"name": "bots", "description": "Trading bots and their life cycle."},
    {"name": "performance", "description": "Samples and trades as engines deliver them, and what they amount to."},
)


def create_app(settings: BotsSettings, *, client: StoreClient | None = None, clock: Clock | None = None) -> FastAPI:
    """The app; nothing is opened before its lifespan starts."""
    return build_service(
        name="bots",
        version=version("omnitrade-bots"),
        settings=settings,
        documents=DOCUMENTS,
        routers=(market_pairs.router, bots.router, performance.router),
        client=client,
        clock=clock,
        deleters={"deleteBot": plan_delete_bot},
        planners={"startBot": plan_start, "changeBot": plan_change},
        workers=lambda runtime: [expired_pairs(runtime, interval_s=settings.expired_pairs_interval_s)],
        description=DESCRIPTION,
        tags=TAGS,
    )


def make() -> FastAPI:
    """The app of this process's environment."""
    return create_app(load())
