"""Deliveries of closed trades, and the list of them. A trade is one document, put in its place on the version that was
read; the last delivery of a trade counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bots.documents.bot_performance import ClosedTrade
from bots.documents.trading_bots import TradingBot
from bots.domain.moments import epoch_ms
from bots.domain.money import format_money
from bots.operations.bots import get_bot
from bots.operations.deliveries import ATTEMPTS_MAX, Outcome, Place, begin, contended, end, new_token, require_deliverer
from bots.schemas.deliveries import TradeBatch, TradeIn
from kit.identity import Caller
from kit.paging import PageRequest, SortFields, fetch_page
from kit.problems import FieldError, InvalidRequest
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store.codec import to_row

TRADE_SORT = SortFields(allowed={"closedAt": "closedAt"}, default="closedAt")
_SIDES = {"buy": "long", "sell": "short"}
_KEPT = frozenset({"version", "writer"})


@dataclass
class _Delivery:
    """Trades by key, as long as they are not known to be stored."""

    token: str
    pending: dict[str, ClosedTrade]
    outcome: Outcome
    place: Place | None = None


async def deliver_trades(
    runtime: Runtime, caller: Caller, bot_id: str, batch: TradeBatch, attached: Attached
) -> Outcome:
    """Raises NotFound, Forbidden, InvalidRequest for one trade in two ways, Unavailable."""
    bot = await get_bot(runtime, caller, bot_id)
    require_deliverer(caller, bot)
    token = new_token()
    delivery = _Delivery(token, _distinct(bot, batch.trades, token), Outcome(received=len(batch.trades)))
    delivery.outcome.add(unchanged=len(batch.trades) - len(delivery.pending))
    for _ in range(ATTEMPTS_MAX):
        stored = await _stored(runtime, delivery)
        _settle_unchanged(delivery, stored)
        if not delivery.pending:
            break
        await _announce(runtime, delivery, stored, bot, attached)
        await _write(runtime, delivery, stored)
        if not delivery.pending:
            break
    if delivery.place is not None:
        await end(runtime, token, {bot.id: delivery.place})
    if delivery.pending:
        raise contended()
    return delivery.outcome


async def list_trades(
    runtime: Runtime, caller: Caller, bot_id: str, page: PageRequest
) -> tuple[list[ClosedTrade], str | None]:
    """A bot's closed trades in order of closing. Raises NotFound."""
    bot = await get_bot(runtime, caller, bot_id)
    trades = runtime.store.collection(ClosedTrade)
    return await fetch_page(trades, {"botId": bot.id}, page, TRADE_SORT, runtime.cursor_key)


def _distinct(bot: TradingBot, trades: Sequence[TradeIn], token: str) -> dict[str, ClosedTrade]:
    made: dict[str, ClosedTrade] = {}
    errors: list[FieldError] = []
    for position, sent in enumerate(trades):
        trade = _closed_trade(bot, sent, token)
        if made.setdefault(trade.id, trade) != trade:
            detail = "This trade stands in the delivery twice, in two ways."
            errors.append(FieldError(f"/trades/{position}/tradeId", "duplicate", detail))
    if errors:
        raise InvalidRequest("Each trade is delivered in one way.", errors=errors)
    return made


async def _stored(runtime: Runtime, delivery: _Delivery) -> dict[str, ClosedTrade]:
    trades = runtime.store.collection(ClosedTrade)
    found = await trades.find({"_id": {"$in": list(delivery.pending)}}, limit=len(delivery.pending))
    return {trade.id: trade for trade in found}


def _settle_unchanged(delivery: _Delivery, stored: Mapping[str, ClosedTrade]) -> None:
    same = [
        key for key, trade in delivery.pending.items() if key in stored and _content(stored[key]) == _content(trade)
    ]
    for key in same:
        del delivery.pending[key]
    delivery.outcome.add(unchanged=len(same))


async def _announce(
    runtime: Runtime, delivery: _Delivery, stored: Mapping[str, ClosedTrade], bot: TradingBot, attached: Attached
) -> None:
    """Before anything is written, and once more if somebody moved a trade further back meanwhile."""
    moved = [trade for key, trade in stored.items() if key in delivery.pending]
    first_ms = min(epoch_ms(trade.closed_at) for trade in [*delivery.pending.values(), *moved])
    before_ms = delivery.place.closed_ms if delivery.place else None
    if before_ms is None or first_ms < before_ms:
        delivery.place = Place(closed_ms=first_ms)
        await begin(runtime, delivery.token, {bot.id: delivery.place}, [bot], attached)


async def _write(runtime: Runtime, delivery: _Delivery, stored: Mapping[str, ClosedTrade]) -> None:
    """Whatever was written by somebody else meanwhile stays in the delivery."""
    trades = runtime.store.collection(ClosedTrade)
    new = [trade for key, trade in delivery.pending.items() if key not in stored]
    known = [trade for key, trade in delivery.pending.items() if key in stored]
    taken = frozenset(await trades.insert_many(new))
    for position, trade in enumerate(new):
        if position not in taken:
            del delivery.pending[trade.id]
    delivery.outcome.add(created=len(new) - len(taken))
    if not known:
        return
    updates = [({"_id": one.id, "version": stored[one.id].version}, _replacement(one, stored[one.id])) for one in known]
    written = {trade.id for trade in known}
    if await trades.bulk_update(updates) < len(known):
        where = {"_id": {"$in": list(written)}, "writer": delivery.token}
        written = {row["_id"] for row in await trades.rows(where, fields=["writer"], limit=len(known))}
    for key in written:
        del delivery.pending[key]
    delivery.outcome.add(updated=len(written))


def _content(trade: ClosedTrade) -> dict[str, Any]:
    return {name: value for name, value in to_row(trade).items() if name not in _KEPT}


def _replacement(trade: ClosedTrade, before: ClosedTrade) -> dict[str, Any]:
    values = {**to_row(trade), "version": before.version + 1}
    del values["_id"], values["botId"]
    update: dict[str, Any] = {"$set": values}
    if trade.market_pair is None and before.market_pair is not None:
        update["$unset"] = {"marketPair": ""}
    return update


def _closed_trade(bot: TradingBot, sent: TradeIn, token: str) -> ClosedTrade:
    return ClosedTrade(
        id=f"{bot.id}|{sent.trade_id}",
        bot_id=bot.id,
        trade_id=sent.trade_id,
        version=1,
        writer=token,
        side=_SIDES.get(sent.side, sent.side),
        market_pair=sent.market_pair,
        opened_at=sent.opened_at,
        closed_at=sent.closed_at,
        amount=format_money(sent.amount),
        open_price=format_money(sent.open_price),
        close_price=format_money(sent.close_price),
        fee=format_money(sent.fee),
        profit=format_money(sent.profit),
    )
