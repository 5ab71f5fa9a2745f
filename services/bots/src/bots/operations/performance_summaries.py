"""What a bot's samples and trades add up to, gone through from the last checkpoint that is still true."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from bots.documents.bot_performance import BotPerformance, ClosedTrade, PerformanceHour, StoredCheckpoint
from bots.domain.checkpoints import Checkpoint, Checkpoints, begins_day, day_start_ms
from bots.domain.moments import epoch_ms, moment_at
from bots.domain.money import Money, parse_money
from bots.domain.samples import MINUTES_PER_HOUR, MS_PER_MINUTE
from bots.domain.segments import Segment, day_segment, extend
from bots.domain.summary_codec import (
    decode_curve,
    decode_segment,
    decode_totals,
    decode_trades,
    encode_segment,
    encode_trades,
)
from bots.domain.trades import Trade, TradeSummary, extend_trades
from kit.store import Store

MS_PER_HOUR = MINUTES_PER_HOUR * MS_PER_MINUTE
PAGE_MAX = 500


async def sum_samples(
    store: Store, record: BotPerformance, capital: Money, stale_hour: int | None
) -> tuple[Segment | None, Checkpoints]:
    """All samples, and the checkpoints as they are then. `stale_hour` is the first that changed, counted from the
    epoch."""
    checkpoints = _read(record.sample_checkpoints)
    if stale_hour is None:
        return (decode_segment(record.samples) if record.samples else None), checkpoints
    base = checkpoints.last_before(stale_hour * MS_PER_HOUR)
    whole = decode_segment(base.summary) if base else None
    async for row in _hours(store, record.bot_id, base.before_ms // MS_PER_HOUR if base else 0):
        if whole is not None and begins_day(whole.totals.last_ms, row["hour"] * MS_PER_HOUR):
            checkpoints.keep(row["hour"] * MS_PER_HOUR, encode_segment(whole))
        curve = decode_curve(row["curve"]) if row.get("curve") else None
        whole = extend(whole, [day_segment(decode_totals(row["totals"]), curve)], capital)
    return whole, checkpoints


async def sum_trades(
    store: Store, record: BotPerformance, capital: Money, stale_ms: int | None
) -> tuple[TradeSummary | None, Checkpoints]:
    """All closed trades, and the checkpoints as they are then. `stale_ms` is the first closing that changed."""
    checkpoints = _read(record.trade_checkpoints)
    if stale_ms is None:
        return (decode_trades(record.trades) if record.trades else None), checkpoints
    whole = await _add_trades(store, record, capital, checkpoints, stale_ms)
    if whole is not None and not whole.totals.exposure.exact:
        whole = await _add_trades(store, record, capital, checkpoints, 0)
    return whole, checkpoints


async def _add_trades(
    store: Store, record: BotPerformance, capital: Money, checkpoints: Checkpoints, stale_ms: int
) -> TradeSummary | None:
    base = checkpoints.last_before(stale_ms)
    whole = decode_trades(base.summary) if base else None
    async for day in _trades_by_day(store, record.bot_id, base.before_ms if base else 0):
        if whole is not None:
            checkpoints.keep(day[0].closed_ms, encode_trades(whole))
        whole = extend_trades(whole, day, capital)
    return whole


async def _hours(store: Store, bot_id: str, first_hour: int) -> AsyncIterator[Mapping[str, Any]]:
    """The summaries of a bot's hours in order, without their columns."""
    hours = store.collection(PerformanceHour)
    while True:
        where = {"botId": bot_id, "hour": {"$gte": first_hour}}
        rows = await hours.rows(where, fields=["hour", "totals", "curve"], sort=[("hour", 1)], limit=PAGE_MAX)
        for row in rows:
            yield row
        if len(rows) < PAGE_MAX:
            return
        first_hour = rows[-1]["hour"] + 1


async def _trades_by_day(store: Store, bot_id: str, first_ms: int) -> AsyncIterator[list[Trade]]:
    """A bot's trades in order of closing, those of one UTC day at once."""
    day: list[Trade] = []
    where = {"botId": bot_id, "closedAt": {"$gte": moment_at(first_ms)}}
    async for stored in store.collection(ClosedTrade).iterate(where, sort=[("closedAt", 1)], batch=PAGE_MAX):
        trade = _trade(stored)
        if day and day_start_ms(day[0].closed_ms) != day_start_ms(trade.closed_ms):
            yield day
            day = []
        day.append(trade)
    if day:
        yield day


def _trade(stored: ClosedTrade) -> Trade:
    return Trade(
        closed_ms=epoch_ms(stored.closed_at),
        trade_id=stored.trade_id,
        opened_ms=epoch_ms(stored.opened_at),
        amount=parse_money(stored.amount),
        open_price=parse_money(stored.open_price),
        close_price=parse_money(stored.close_price),
        fee=parse_money(stored.fee),
        profit=parse_money(stored.profit),
    )


def _read(stored: Sequence[StoredCheckpoint]) -> Checkpoints:
    return Checkpoints([Checkpoint(one.before_ms, one.summary) for one in stored])
