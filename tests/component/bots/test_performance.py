"""Performance over HTTP, on real trades and candles, against figures worked out on the spot."""

import random
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import equity_oracle as oracle
import pytest
from bots_service import UNKNOWN_ID, BotsService, Trader, done, pages, sample, trade
from real_input import moment, real_equity, real_trades, samples_of

from bots.documents.bot_performance import BotPerformance, PerformanceHour

pytestmark = pytest.mark.anyio


def at_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


async def bot_with_samples(
    markets: BotsService, owner: Trader, items: Sequence[dict[str, Any]], *, batch: int = 500, **more: Any
) -> dict[str, Any]:
    bot = await markets.created(owner, **more)
    for start in range(0, len(items), batch):
        done(await markets.deliver(owner.client, bot, "samples", items[start : start + batch]))
    return bot


async def test_the_real_trades_give_what_an_independent_sum_gives(markets: BotsService, owner: Trader) -> None:
    source = real_trades()
    capital = {"amount": str(source.capital), "currency": source.currency}
    bot = await markets.created(owner, marketPair="ETH/BTC", initialCapital=capital)
    shuffled = random.Random(1).sample(source.trades, len(source.trades))
    for start in (100, 0, 50):
        done(await markets.deliver(owner.client, bot, "trades", shuffled[start : start + 100]))
    shown = await markets.performance(owner.client, bot)

    closed = sorted(source.trades, key=lambda one: (one["closedAt"], one["tradeId"]))
    results = [Fraction(one["profit"]) - Fraction(one["fee"]) for one in closed]
    wins, losses = [one for one in results if one > 0], [-one for one in results if one < 0]
    assert len(results) == 179
    assert (shown["source"], shown["currency"], shown["trades"]["closed"]) == ("trades", "BTC", 179)
    assert Fraction(shown["netPnl"]) == sum(results)
    assert Fraction(shown["realizedPnl"]) == sum(Fraction(one["profit"]) for one in closed)
    assert Fraction(shown["fees"]) == sum(Fraction(one["fee"]) for one in closed)
    assert Fraction(shown["equity"]) == Fraction(source.capital) + sum(results)
    assert shown["roi"] == float(sum(results) / Fraction(source.capital))
    assert shown["winRate"] == len(wins) / (len(wins) + len(losses))
    assert shown["profitFactor"] == pytest.approx(float(sum(wins) / sum(losses)))
    payoff = statistics.mean(wins) / statistics.mean(losses)
    assert shown["payoff"] == pytest.approx(float(payoff))
    assert Decimal(shown["expectancy"]) == pytest.approx(Decimal(float(statistics.mean(results))))
    assert shown["sqn"] == pytest.approx(
        179**0.5 * statistics.mean(map(float, results)) / statistics.stdev(map(float, results))
    )
    assert shown["streaks"] == {"wins": longest_run(results, 1), "losses": longest_run(results, -1)}
    opened = min(at_ms(one["openedAt"]) for one in closed)
    assert shown["exposure"] == pytest.approx(
        covered_minutes(closed) * 60_000 / (at_ms(closed[-1]["closedAt"]) - opened)
    )

    equity, points = Fraction(source.capital), [(at_ms(closed[0]["openedAt"]), Fraction(source.capital), Fraction(0))]
    for one, result in zip(closed, results, strict=True):
        equity += result
        points.append((at_ms(one["closedAt"]), equity, Fraction(0)))
    check_drawdown(shown, points)
    check_returns(shown, oracle.daily_returns(points))


def longest_run(results: Sequence[Fraction], sign: int) -> int:
    longest = run = 0
    for one in results:
        run = run + 1 if one * sign > 0 else 0
        longest = max(longest, run)
    return longest


def covered_minutes(trades: Sequence[dict[str, Any]]) -> int:
    """The real trades begin and end on whole minutes."""
    minutes: set[int] = set()
    for one in trades:
        minutes.update(range(at_ms(one["openedAt"]) // 60_000, at_ms(one["closedAt"]) // 60_000))
    return len(minutes)


def check_drawdown(shown: dict[str, Any], points: oracle.Points) -> None:
    fall = oracle.deepest_fall(points)
    assert fall is not None
    assert shown["maxDrawdown"]["relative"] == pytest.approx(float(fall.relative), rel=1e-12)
    assert Fraction(shown["maxDrawdown"]["absolute"]) == fall.absolute
    assert shown["maxDrawdown"]["peakAt"] == moment(fall.peak_at)
    assert shown["maxDrawdown"]["troughAt"] == moment(fall.trough_at)
    assert shown["maxDrawdown"]["recoveredAt"] == (fall.recovered_at and moment(fall.recovered_at))


def check_returns(shown: dict[str, Any], returns: Sequence[float]) -> None:
    growth = 1.0
    for gain in returns:
        growth *= 1 + gain
    assert shown["timeWeightedReturn"] == pytest.approx(growth - 1)
    assert shown["volatility"] == pytest.approx(statistics.stdev(returns) * 365**0.5)
    assert shown["sharpe"] == pytest.approx(oracle.sharpe(returns))
    assert shown["sortino"] == pytest.approx(oracle.sortino(returns))
    assert shown["calmar"] == pytest.approx(shown["cagr"] / shown["maxDrawdown"]["relative"])


async def test_the_real_candles_in_any_order_give_what_all_points_give(markets: BotsService, owner: Trader) -> None:
    capital = Decimal(1000)
    curve = real_equity(capital)
    items = samples_of(curve, capital)
    batches = [items[start : start + 900] for start in range(0, len(items), 900)]
    bot = await markets.created(owner)
    for batch in random.Random(2).sample([*batches, batches[3]], len(batches) + 1):
        await markets.deliver(owner.client, bot, "samples", batch[::-1])
    shown = await markets.performance(owner.client, bot)

    points = [(at, Fraction(equity), Fraction(0)) for at, equity in curve]
    assert (shown["source"], shown["asOf"]) == ("samples", moment(curve[-1][0]))
    assert Decimal(shown["netPnl"]) == curve[-1][1] - capital
    assert shown["timeWeightedReturn"] == pytest.approx(float(curve[-1][1] / capital - 1))
    days = (curve[-1][0] - curve[0][0]) / 86_400_000
    assert shown["cagr"] == pytest.approx(float(curve[-1][1] / capital) ** (365 / days) - 1)
    peak = max(equity for _, equity in curve)
    assert shown["currentDrawdown"]["relative"] == pytest.approx(float(1 - curve[-1][1] / peak))
    check_returns(shown, oracle.daily_returns(points))
    check_drawdown(shown, thinned(points))

    fed_in_order = await bot_with_samples(markets, owner, items, batch=1000)
    same = await markets.performance(owner.client, fed_in_order)
    assert {**same, "botId": bot["botId"]} == shown


def thinned(points: oracle.Points) -> oracle.Points:
    """The plain search for a fall is quadratic: only highs so far and lows since are needed for it."""
    kept = [points[0]]
    peak = low = points[0][1]
    for point in points[1:]:
        if point[1] >= peak or point[1] < low:
            kept.append(point)
            peak, low = max(peak, point[1]), point[1]
    return kept


async def test_figures_after_each_delivery_are_those_of_all_that_was_delivered(
    markets: BotsService, owner: Trader
) -> None:
    """Reading in between makes summaries and checkpoints; later deliveries, also into the past, must undo them."""
    days = random.Random(3).sample(range(70), 70)
    once = await markets.created(owner)
    step_by_step = await markets.created(owner)
    delivered: list[dict[str, Any]] = []
    for day in days:
        batch = [sample_of_day(day, minute) for minute in (5, 200, 1439)]
        delivered += batch
        await markets.deliver(owner.client, step_by_step, "samples", batch)
        await markets.performance(owner.client, step_by_step)
    await markets.deliver(owner.client, once, "samples", delivered)
    shown = await markets.performance(owner.client, step_by_step)
    expected = await markets.performance(owner.client, once)
    for name in ("maxDrawdown", "longestUnderwater", "netPnl", "equity", "asOf", "currentDrawdown", "turnover"):
        assert shown[name] == expected[name]
    for name in ("sharpe", "sortino", "timeWeightedReturn", "cagr", "omega", "calmar"):
        assert shown[name] == pytest.approx(expected[name])
    record = await markets.runtime.store.collection(BotPerformance).get(step_by_step["botId"])
    assert record is not None
    assert 2 <= len(record.sample_checkpoints) <= 14


def sample_of_day(day: int, minute: int) -> dict[str, Any]:
    at = datetime.fromisoformat("2026-01-01T00:00:00+00:00") + timedelta(days=day, minutes=minute)
    equity = 1000 + random.Random(day * 1440 + minute).randint(-200, 200)
    flow = 50 if day % 7 == 3 and minute == 200 else 0
    return sample(0, ts=at.isoformat(), equity=str(equity), cashFlow=str(flow), volume="10")


async def test_trades_between_readings_add_up_as_all_at_once(markets: BotsService, owner: Trader) -> None:
    trades = [one for one in real_trades().trades if one["closedAt"] < "2018-01-14"]
    once, step_by_step = await markets.created(owner), await markets.created(owner)
    for one in random.Random(4).sample(trades, len(trades)):
        await markets.deliver(owner.client, step_by_step, "trades", [one])
        await markets.performance(owner.client, step_by_step)
    await markets.deliver(owner.client, once, "trades", trades)
    shown, expected = [await markets.performance(owner.client, bot) for bot in (step_by_step, once)]
    for name in ("maxDrawdown", "netPnl", "winRate", "sqn", "streaks", "exposure", "turnover", "longestUnderwater"):
        assert shown[name] == expected[name]


async def test_equity_is_the_samples_and_trade_figures_are_the_trades(markets: BotsService, owner: Trader) -> None:
    bot = await bot_with_samples(markets, owner, [sample(0), sample(1440, realizedPnl="150", fees="10")])
    await markets.deliver(owner.client, bot, "trades", [trade(1), trade(2, profit="-1", fee="2")])
    shown = await markets.performance(owner.client, bot)
    assert (shown["source"], shown["equity"], shown["realizedPnl"]) == ("samples", "2440", "150")
    assert (shown["unrealizedPnl"], shown["fees"], shown["netPnl"]) == ("1440", "10", "1580")
    assert (shown["winRate"], shown["profitFactor"]) == (0.5, 3.0)
    assert shown["trades"] == {"closed": 2, "wins": 1, "losses": 1, "ties": 0}


async def test_deposit_is_no_profit(markets: BotsService, owner: Trader) -> None:
    values = [("1000", "0"), ("1100", "0"), ("1600", "500"), ("1520", "0")]
    items = [sample(1440 * day, equity=equity, cashFlow=flow) for day, (equity, flow) in enumerate(values)]
    shown = await markets.performance(owner.client, await bot_with_samples(markets, owner, items))
    assert shown["timeWeightedReturn"] == pytest.approx(0.045)
    assert shown["netFlows"] == "500"
    assert (shown["maxDrawdown"]["relative"], shown["maxDrawdown"]["absolute"]) == (0.05, "80")


async def test_what_is_undefined_is_null_with_its_reason(markets: BotsService, owner: Trader) -> None:
    nothing = await markets.performance(owner.client, await markets.created(owner))
    for name in ("netPnl", "sharpe", "winRate", "maxDrawdown", "exposure"):
        assert nothing[name] is None
        assert nothing["undefined"][name]
    assert (nothing["asOf"], nothing["source"], nothing["initialCapital"]) == (None, None, "1000")
    rising = await bot_with_samples(markets, owner, [sample(1440 * day) for day in range(4)])
    shown = await markets.performance(owner.client, rising)
    assert shown["sortino"] is None
    assert shown["undefined"]["sortino"] == "no losing day"
    assert shown["maxDrawdown"] == {
        "relative": 0.0,
        "absolute": "0",
        "peakAt": None,
        "troughAt": None,
        "recoveredAt": None,
    }
    assert set(shown["undefined"]) == {name for name, value in shown.items() if value is None}


async def test_totals_are_per_currency_and_add_up(markets: BotsService, owner: Trader) -> None:
    for capital, currency, equity in (("1000", "USDT", "1100"), ("500", "USDT", "450"), ("2", "BTC", "3")):
        gain = str(Decimal(equity) - Decimal(capital))
        bot = await markets.created(owner, initialCapital={"amount": capital, "currency": currency})
        await markets.deliver(
            owner.client, bot, "samples", [sample(0, equity=equity, realizedPnl=gain, unrealizedPnl="0")]
        )
    await markets.created(owner)
    totals = done(await owner.client.get("/v1/performance"))
    assert totals["userId"] == owner.id
    bitcoin, tether = totals["items"]
    assert (bitcoin["currency"], bitcoin["netPnl"], bitcoin["roi"]) == ("BTC", "1", 0.5)
    assert (tether["bots"], tether["measured"], tether["initialCapital"]) == (3, 2, "2500")
    assert (tether["equity"], tether["netPnl"], tether["roi"]) == ("2550", "50", 0.02)
    named = done(await markets.admin.get(f"/v1/performance?userId={owner.id}"))
    assert named == totals


async def test_totals_of_somebody_else_are_those_of_an_unknown_user(markets: BotsService, owner: Trader) -> None:
    await markets.created(owner)
    stranger = markets.trader().client
    for user_id in (owner.id, UNKNOWN_ID):
        assert done(await stranger.get(f"/v1/performance?userId={user_id}")) == {"userId": user_id, "items": []}


async def test_history_of_the_real_candles_is_what_was_delivered(markets: BotsService, owner: Trader) -> None:
    capital = Decimal(1000)
    items = samples_of(real_equity(capital, count=900), capital)
    bot = await bot_with_samples(markets, owner, items)
    shown = await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/history", limit=200)
    assert [(one["ts"], Decimal(one["equity"]), one["seq"]) for one in shown] == [
        (one["ts"], Decimal(one["equity"]), one["seq"]) for one in items
    ]
    hours = markets.runtime.store.collection(PerformanceHour)
    assert await hours.count({"botId": bot["botId"]}) == len({one["ts"][:13] for one in items})
