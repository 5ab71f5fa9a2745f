"""A bot's performance from the summaries of its samples and of its trades.

PnL and equity figures come from samples where there are any, else from the equity that the trades make of the
initial capital; trade figures always come from trades. The start, with the initial capital, is a point of the
curve: it may be a peak. A first sample that shows just the initial capital is the start itself, so that its day
begins with it.
"""

from dataclasses import dataclass
from enum import StrEnum

from bots.domain import ratios
from bots.domain.daily_returns import DailyReturns, ReturnStatistics, join_days, one_day
from bots.domain.money import UNIT, Money
from bots.domain.ratios import NO_DATA, NO_INDEX, Ratio, Undefined
from bots.domain.segments import Segment
from bots.domain.trades import Streaks, TradeSummary, TradeTotals
from bots.domain.value_curve import Curve, Drawdown, Span, longer


class Source(StrEnum):
    SAMPLES = "samples"
    TRADES = "trades"


@dataclass(frozen=True, slots=True)
class Underwater:
    """The longest time from a peak to its recovery; `recovered` is False where it goes on to the last point."""

    span: Span
    recovered: bool


@dataclass(frozen=True, slots=True)
class EquityFigures:
    """Money in counts of 1e-18, times in milliseconds of the epoch. A drawdown that is None has not happened."""

    equity: Money
    flows: Money
    realized: Money
    unrealized: Money
    fees: Money
    net: Money
    roi: Ratio
    time_weighted_return: Ratio
    cagr: Ratio
    volatility: Ratio
    sharpe: Ratio
    sortino: Ratio
    calmar: Ratio
    omega: Ratio
    max_drawdown: Drawdown | Undefined | None
    current_drawdown: Drawdown | Undefined | None
    underwater: Underwater | Undefined | None
    turnover: Ratio


@dataclass(frozen=True, slots=True)
class TradeFigures:
    wins: int
    losses: int
    ties: int
    streaks: Streaks
    win_rate: Ratio
    profit_factor: Ratio
    payoff: Ratio
    expectancy_floored: Money | Undefined
    expectancy_ratio: Ratio
    system_quality: Ratio
    exposure: Ratio


@dataclass(frozen=True, slots=True)
class Performance:
    """`equity` is None where there is neither a sample nor a trade."""

    source: Source | None
    as_of_ms: int | None
    equity: EquityFigures | None
    trades: TradeFigures


@dataclass(frozen=True, slots=True)
class _Basis:
    """Equity and PnL, wherever they come from. `equities` is the sum of `points`
    equities; `traded` is in counts of 1e-36."""

    source: Source
    start_ms: int
    end_ms: int
    equity: Money
    flows: Money
    realized: Money
    unrealized: Money
    fees: Money
    curve: Curve | None
    returns: ReturnStatistics | None
    equities: Money
    points: int
    traded: int


def evaluate(capital: Money, samples: Segment | None, trades: TradeSummary | None) -> Performance:
    """The performance of a bot that began with `capital`, which is above zero."""
    totals = trades.totals if trades else None
    if samples is not None:
        basis = _from_samples(capital, samples, totals)
    elif trades is not None:
        basis = _from_trades(capital, trades)
    else:
        return Performance(None, None, None, _trade_figures(None, NO_DATA))
    start_ms, end_ms = basis.start_ms, basis.end_ms
    if totals is not None:
        start_ms, end_ms = min(start_ms, totals.first_opened_ms), max(end_ms, totals.last_closed_ms)
    exposure = ratios.exposure(totals, start_ms, end_ms)
    return Performance(basis.source, end_ms, _equity_figures(capital, basis), _trade_figures(totals, exposure))


def _from_samples(capital: Money, samples: Segment, trades: TradeTotals | None) -> _Basis:
    totals = samples.totals
    begins_at_start = totals.first_equity - totals.first_flow == capital and samples.days.first.points == 1
    return _Basis(
        source=Source.SAMPLES,
        start_ms=totals.first_ms,
        end_ms=totals.last_ms,
        equity=totals.last_equity,
        flows=totals.flows,
        realized=totals.realized,
        unrealized=totals.unrealized,
        fees=totals.fees,
        curve=samples.curve,
        returns=samples.days.without_first() if begins_at_start else samples.days.since(capital),
        equities=totals.equities,
        points=totals.count,
        traded=trades.values if trades else totals.volume * UNIT,
    )


def _from_trades(capital: Money, trades: TradeSummary) -> _Basis:
    totals = trades.totals
    start = one_day(totals.first_opened_ms, 0, capital, 0)
    days: DailyReturns = join_days(start, trades.days)
    return _Basis(
        source=Source.TRADES,
        start_ms=totals.first_opened_ms,
        end_ms=totals.last_closed_ms,
        equity=capital + totals.result,
        flows=0,
        realized=totals.profits,
        unrealized=0,
        fees=totals.fees,
        curve=trades.curve,
        returns=days.since(capital),
        equities=totals.equities + capital,
        points=totals.count + 1,
        traded=totals.values,
    )


def _equity_figures(capital: Money, basis: _Basis) -> EquityFigures:
    net = basis.realized + basis.unrealized - basis.fees
    growth_yearly = ratios.cagr(basis.returns, basis.end_ms - basis.start_ms)
    curve = basis.curve
    depth: Ratio = NO_INDEX if curve is None else curve.worst.relative if curve.worst else 0.0
    return EquityFigures(
        equity=basis.equity,
        flows=basis.flows,
        realized=basis.realized,
        unrealized=basis.unrealized,
        fees=basis.fees,
        net=net,
        roi=ratios.roi(net, capital, basis.flows),
        time_weighted_return=ratios.time_weighted_return(basis.returns),
        cagr=growth_yearly,
        volatility=ratios.volatility(basis.returns),
        sharpe=ratios.sharpe(basis.returns),
        sortino=ratios.sortino(basis.returns),
        calmar=ratios.calmar(growth_yearly, depth),
        omega=ratios.omega(basis.returns),
        max_drawdown=curve.worst if curve else NO_INDEX,
        current_drawdown=_current_drawdown(curve) if curve else NO_INDEX,
        underwater=_underwater(curve) if curve else NO_INDEX,
        turnover=ratios.turnover(basis.traded, basis.equities, basis.points),
    )


def _current_drawdown(curve: Curve) -> Drawdown | None:
    return Drawdown(curve.peak, curve.last, None) if curve.last.value < curve.peak.value else None


def _underwater(curve: Curve) -> Underwater | None:
    current = _current_drawdown(curve)
    ongoing = Span(current.peak.at_ms, current.trough.at_ms) if current else None
    span = longer(curve.underwater, ongoing)
    return Underwater(span, recovered=span != ongoing) if span else None


def _trade_figures(totals: TradeTotals | None, exposure: Ratio) -> TradeFigures:
    return TradeFigures(
        wins=totals.wins if totals else 0,
        losses=totals.losses if totals else 0,
        ties=totals.ties if totals else 0,
        streaks=totals.streaks if totals else Streaks(),
        win_rate=ratios.win_rate(totals),
        profit_factor=ratios.profit_factor(totals),
        payoff=ratios.payoff(totals),
        expectancy_floored=ratios.expectancy_floored(totals),
        expectancy_ratio=ratios.expectancy_ratio(totals),
        system_quality=ratios.system_quality(totals),
        exposure=exposure,
    )
