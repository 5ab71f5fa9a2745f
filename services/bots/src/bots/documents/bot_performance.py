"""Performance: one current record per bot, whose key is the bot's, and its history in parts.

The record is true at `revision`; a delivery raises that before and after it writes parts, and says in `writing` from
where on it changes them, so that no reader takes an old figure for a current one, even if a writer dies in between.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from bots.references import PerformanceBotRef
from kit.documents import Entity, Part
from kit.references.rules import EntityRules, PartOf
from kit.store import index


class _Value(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Writing(_Value):
    """A delivery under way: when it began, and the first hour (counted from the epoch) or closing time that it
    changes."""

    at: datetime
    hour: int | None = None
    closed_ms: int | None = None


class StoredCheckpoint(_Value):
    """The summary of all that lies before a moment."""

    before_ms: int
    summary: dict[str, Any]


class BotPerformance(Entity):
    """`stale_hour` and `stale_closed_ms` are the first that changed since the summaries were made. `figures` is the
    performance as it travels, made at `figures_revision`."""

    rules = EntityRules(key="performanceId", referable_by=())

    bot_id: PerformanceBotRef
    revision: int
    figures_revision: int
    figures: dict[str, Any] | None = None
    writing: dict[str, Writing]
    stale_hour: int | None = None
    stale_closed_ms: int | None = None
    samples: dict[str, Any] | None = None
    sample_checkpoints: list[StoredCheckpoint]
    trades: dict[str, Any] | None = None
    trade_checkpoints: list[StoredCheckpoint]

    class Settings:
        name = "bot_performance"
        indexes = (index("botId", unique=True),)


class PerformanceHour(Part):
    """The samples of an hour as columns, and their summary. `writer` is the delivery that wrote this version."""

    part_of = PartOf(entity="bot_performance", field="botId")

    bot_id: str
    hour: int
    version: int
    writer: str
    minutes: int
    seq: str
    equity: str
    realized_pnl: str
    unrealized_pnl: str
    fees: str
    volume: str
    cash_flow: str
    totals: dict[str, Any]
    curve: dict[str, Any] | None = None

    class Settings:
        name = "bot_performance_hours"
        indexes = (index("botId", "hour"),)


class ClosedTrade(Part):
    """A closed trade; the key is made of the bot's and the trade's. Money, prices and amounts are decimal strings."""

    part_of = PartOf(entity="bot_performance", field="botId")

    bot_id: str
    trade_id: str
    version: int
    writer: str
    side: str
    market_pair: str | None = None
    opened_at: datetime
    closed_at: datetime
    amount: str
    open_price: str
    close_price: str
    fee: str
    profit: str

    class Settings:
        name = "bot_performance_trades"
        indexes = (index("botId", "closedAt"),)
