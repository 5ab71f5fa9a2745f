"""A bot's performance, kept in its current record and made anew when a delivery has changed what it stands for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from bots.documents.bot_performance import BotPerformance
from bots.documents.trading_bots import TradingBot
from bots.domain.checkpoints import Checkpoints
from bots.domain.money import Money, parse_money
from bots.domain.performance import evaluate
from bots.domain.ratios import Undefined, roi
from bots.domain.summary_codec import encode_segment, encode_trades, read_money
from bots.operations.bots import get_bot, sees_every_bot
from bots.operations.deliveries import live_writers
from bots.operations.performance_figures import Figures, render
from bots.operations.performance_summaries import sum_samples, sum_trades
from kit.identity import Caller
from kit.runtime import Runtime

BATCH = 200


@dataclass
class CurrencyTotals:
    """Sums over bots in one currency; `measured` are those that have any figures."""

    currency: str
    bots: int = 0
    measured: int = 0
    initial_capital: Money = 0
    sums: dict[str, Money] = field(default_factory=dict)

    @property
    def roi(self) -> float | None:
        share = roi(self.sums["netPnl"], self.initial_capital, self.sums["netFlows"])
        return None if isinstance(share, Undefined) else share


_SUMMED = ("netFlows", "equity", "realizedPnl", "unrealizedPnl", "fees", "netPnl")


async def get_performance(runtime: Runtime, caller: Caller, bot_id: str) -> Figures:
    """A bot's figures, true at this moment. Raises NotFound."""
    bot = await get_bot(runtime, caller, bot_id)
    record = await runtime.store.collection(BotPerformance).get(bot_id)
    return await _figures(runtime, bot, record)


async def get_totals(runtime: Runtime, caller: Caller, user_id: str) -> list[CurrencyTotals]:
    """Sums over a user's bots, per currency; none for a user whose bots the caller can't see."""
    caller.require_signed_in()
    if user_id != caller.id and not sees_every_bot(caller):
        return []
    totals: dict[str, CurrencyTotals] = {}
    async for bots in _bots_of(runtime, user_id):
        records = runtime.store.collection(BotPerformance)
        found = await records.find({"_id": {"$in": [bot.id for bot in bots]}}, limit=len(bots))
        by_bot = {record.bot_id: record for record in found}
        for bot in bots:
            currency = bot.initial_capital.currency
            figures = await _figures(runtime, bot, by_bot.get(bot.id))
            _add(totals.setdefault(currency, CurrencyTotals(currency)), bot, figures)
    return [totals[currency] for currency in sorted(totals)]


async def _bots_of(runtime: Runtime, user_id: str) -> AsyncIterator[list[TradingBot]]:
    batch: list[TradingBot] = []
    async for bot in runtime.store.collection(TradingBot).iterate({"userId": user_id}, batch=BATCH):
        batch.append(bot)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _add(totals: CurrencyTotals, bot: TradingBot, figures: Figures) -> None:
    """A bot without figures has its initial capital, and nothing else has happened."""
    totals.bots += 1
    totals.initial_capital += parse_money(bot.initial_capital.amount)
    measured = figures["equity"] is not None
    totals.measured += measured
    unmeasured = {"equity": bot.initial_capital.amount}
    for name in _SUMMED:
        amount = figures[name] if measured else unmeasured.get(name, "0")
        totals.sums[name] = totals.sums.get(name, 0) + read_money(amount)


async def _figures(runtime: Runtime, bot: TradingBot, record: BotPerformance | None) -> Figures:
    capital = parse_money(bot.initial_capital.amount)
    if record is None:
        return render(bot, evaluate(capital, None, None))
    if record.figures is not None and record.figures_revision == record.revision and not record.writing:
        return record.figures
    samples, sample_checkpoints = await sum_samples(runtime.store, record, capital, record.stale_hour)
    trades, trade_checkpoints = await sum_trades(runtime.store, record, capital, record.stale_closed_ms)
    figures = render(bot, evaluate(capital, samples, trades))
    changes: dict[str, Any] = {"figures": figures, "updatedAt": runtime.clock.now()}
    if record.stale_hour is not None and samples is not None:
        changes["samples"] = encode_segment(samples)
    if record.stale_closed_ms is not None and trades is not None:
        changes["trades"] = encode_trades(trades)
    if sample_checkpoints.changed:
        changes["sampleCheckpoints"] = _stored(sample_checkpoints)
    if trade_checkpoints.changed:
        changes["tradeCheckpoints"] = _stored(trade_checkpoints)
    await _save(runtime, record, changes)
    return figures


async def _save(runtime: Runtime, record: BotPerformance, changes: dict[str, Any]) -> None:
    """Keep what was made, unless a delivery began or ended meanwhile. What deliveries under way change stays stale."""
    writers = live_writers(runtime, record)
    stale = {
        "staleHour": min((one.hour for one in writers.values() if one.hour is not None), default=None),
        "staleClosedMs": min((one.closed_ms for one in writers.values() if one.closed_ms is not None), default=None),
    }
    gone = {name: "" for name, value in stale.items() if value is None}
    gone |= {f"writing.{token}": "" for token in record.writing.keys() - writers.keys()}
    changes |= {name: value for name, value in stale.items() if value is not None}
    changes["figuresRevision"] = record.revision
    update: dict[str, Any] = {"$set": changes, "$inc": {"version": 1}}
    if gone:
        update["$unset"] = gone
    await runtime.store.collection(BotPerformance).update({"_id": record.id, "revision": record.revision}, update)


def _stored(checkpoints: Checkpoints) -> list[dict[str, Any]]:
    return [{"beforeMs": one.before_ms, "summary": one.summary} for one in checkpoints.kept]
