"""Performance in the form in which it travels and in which the current record keeps it."""

from typing import Any

from bots.documents.trading_bots import TradingBot
from bots.domain.moments import moment_at
from bots.domain.money import format_money
from bots.domain.performance import EquityFigures, Performance, TradeFigures, Underwater
from bots.domain.ratios import NO_DATA, Undefined
from bots.domain.value_curve import Drawdown
from kit.schemas import format_timestamp

Figures = dict[str, Any]

_EQUITY_NAMES = (
    "equity",
    "netFlows",
    "realizedPnl",
    "unrealizedPnl",
    "fees",
    "netPnl",
    "roi",
    "timeWeightedReturn",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "calmar",
    "omega",
    "maxDrawdown",
    "currentDrawdown",
    "longestUnderwater",
    "turnover",
)


def render(bot: TradingBot, performance: Performance) -> Figures:
    """The figures, with null and a reason for each that is undefined."""
    undefined: dict[str, str] = {}
    equity = performance.equity
    figures: Figures = {
        "botId": bot.id,
        "currency": bot.initial_capital.currency,
        "initialCapital": bot.initial_capital.amount,
        "asOf": None if performance.as_of_ms is None else _time(performance.as_of_ms),
        "source": performance.source.value if performance.source else None,
        **(_equity(equity) if equity else dict.fromkeys(_EQUITY_NAMES, NO_DATA)),
        **_trades(performance.trades),
    }
    for name, value in figures.items():
        if isinstance(value, Undefined):
            undefined[name] = value.reason
    shown = {name: None if isinstance(value, Undefined) else value for name, value in figures.items()}
    return {**shown, "undefined": undefined}


def _equity(equity: EquityFigures) -> Figures:
    return {
        "equity": format_money(equity.equity),
        "netFlows": format_money(equity.flows),
        "realizedPnl": format_money(equity.realized),
        "unrealizedPnl": format_money(equity.unrealized),
        "fees": format_money(equity.fees),
        "netPnl": format_money(equity.net),
        "roi": equity.roi,
        "timeWeightedReturn": equity.time_weighted_return,
        "cagr": equity.cagr,
        "volatility": equity.volatility,
        "sharpe": equity.sharpe,
        "sortino": equity.sortino,
        "calmar": equity.calmar,
        "omega": equity.omega,
        "maxDrawdown": _max_drawdown(equity.max_drawdown),
        "currentDrawdown": _current_drawdown(equity.current_drawdown),
        "longestUnderwater": _underwater(equity.underwater),
        "turnover": equity.turnover,
    }


def _trades(trades: TradeFigures) -> Figures:
    expectancy = trades.expectancy_floored
    return {
        "winRate": trades.win_rate,
        "profitFactor": trades.profit_factor,
        "payoff": trades.payoff,
        "expectancy": expectancy if isinstance(expectancy, Undefined) else format_money(expectancy),
        "expectancyRatio": trades.expectancy_ratio,
        "sqn": trades.system_quality,
        "streaks": {"wins": trades.streaks.wins, "losses": trades.streaks.losses},
        "exposure": trades.exposure,
        "trades": {
            "closed": trades.wins + trades.losses + trades.ties,
            "wins": trades.wins,
            "losses": trades.losses,
            "ties": trades.ties,
        },
    }


def _max_drawdown(drawdown: Drawdown | Undefined | None) -> Figures | Undefined:
    if isinstance(drawdown, Undefined):
        return drawdown
    recovered_ms = drawdown.recovered_at_ms if drawdown else None
    return {
        **_depth(drawdown),
        "peakAt": _time(drawdown.peak.at_ms) if drawdown else None,
        "troughAt": _time(drawdown.trough.at_ms) if drawdown else None,
        "recoveredAt": None if recovered_ms is None else _time(recovered_ms),
    }


def _current_drawdown(drawdown: Drawdown | Undefined | None) -> Figures | Undefined:
    if isinstance(drawdown, Undefined):
        return drawdown
    return {**_depth(drawdown), "since": _time(drawdown.peak.at_ms) if drawdown else None}


def _depth(drawdown: Drawdown | None) -> Figures:
    if drawdown is None:
        return {"relative": 0.0, "absolute": "0"}
    return {"relative": drawdown.relative, "absolute": format_money(drawdown.absolute)}


def _underwater(underwater: Underwater | Undefined | None) -> Figures | Undefined:
    if isinstance(underwater, Undefined):
        return underwater
    if underwater is None:
        return {"seconds": 0, "since": None, "to": None}
    span = underwater.span
    return {
        "seconds": span.length_ms // 1000,
        "since": _time(span.from_ms),
        "to": _time(span.to_ms) if underwater.recovered else None,
    }


def _time(at_ms: int) -> str:
    return format_timestamp(moment_at(at_ms))
