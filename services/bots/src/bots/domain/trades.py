"""Closed trades and what they add up to. A trade's result is its profit less its fee."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from bots.domain.daily_returns import DailyReturns, join_days, one_day
from bots.domain.exposure import Exposure
from bots.domain.money import Money
from bots.domain.value_curve import Curve, Point, curve_of, join_curves, start_curve


class Trade(NamedTuple):
    """Trades are in order of closing; those of one moment in order of their ids."""

    closed_ms: int
    trade_id: str
    opened_ms: int
    amount: Money
    open_price: Money
    close_price: Money
    fee: Money
    profit: Money

    @property
    def result(self) -> Money:
        return self.profit - self.fee

    @property
    def value(self) -> int:
        """What was bought and sold, in counts of 1e-36."""
        return self.amount * (self.open_price + self.close_price)


@dataclass(frozen=True, slots=True)
class Streaks:
    """The longest runs of wins and of losses, and the run that the last trade is in. A tie ends a run."""

    wins: int = 0
    losses: int = 0
    run_sign: int = 0
    run_length: int = 0

    def extended(self, results: Sequence[Money]) -> "Streaks":
        wins, losses, sign, length = self.wins, self.losses, self.run_sign, self.run_length
        for result in results:
            now = (result > 0) - (result < 0)
            length = length + 1 if now == sign else 1
            sign = now
            if sign > 0:
                wins = max(wins, length)
            elif sign < 0:
                losses = max(losses, length)
        return Streaks(wins, losses, sign, length)


@dataclass(frozen=True, slots=True)
class TradeTotals:
    """Sums over trades; `squares` is of results, in counts of 1e-36, as `values` is. Exact, so no variance cancels."""

    wins: int = 0
    losses: int = 0
    ties: int = 0
    won: Money = 0
    lost: Money = 0
    squares: int = 0
    profits: Money = 0
    fees: Money = 0
    values: int = 0
    equities: Money = 0
    first_opened_ms: int = 0
    last_closed_ms: int = 0
    streaks: Streaks = field(default_factory=Streaks)
    exposure: Exposure = field(default_factory=Exposure)

    @property
    def count(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def result(self) -> Money:
        return self.profits - self.fees


@dataclass(frozen=True, slots=True)
class TradeSummary:
    """Trades from the first on, and the equity that they make of the initial capital. `curve` begins with the start,
    when the first trade was opened; `days` with the day of its closing."""

    totals: TradeTotals
    curve: Curve | None
    days: DailyReturns


def extend_trades(before: TradeSummary | None, later: Sequence[Trade], capital: Money) -> TradeSummary | None:
    """A summary with later trades, in order; None if there are none at all. `capital` is the initial capital."""
    if not later:
        return before
    totals = before.totals if before else TradeTotals()
    results = [trade.result for trade in later]
    points: list[Point] = []
    equity = capital + totals.result
    for trade, result in zip(later, results, strict=True):
        equity += result
        points.append(Point(trade.closed_ms, equity, 0))
    grown = _extend_totals(totals, later, results, sum(point.equity for point in points))
    curve, days = curve_of(points), _days(points)
    begun = before.curve if before else start_curve(later[0].opened_ms, capital)
    curve = join_curves(begun, curve) if begun and curve else None
    if before is not None:
        days = join_days(before.days, days)
    return TradeSummary(grown, curve.sealed() if curve else None, days)


def _days(points: Sequence[Point]) -> DailyReturns:
    return reduce(join_days, (one_day(point.at_ms, point.flow, point.equity, 1) for point in points))


def _extend_totals(
    totals: TradeTotals, later: Sequence[Trade], results: Sequence[Money], equities: Money
) -> TradeTotals:
    opened = [trade.opened_ms for trade in later]
    if totals.count:
        opened.append(totals.first_opened_ms)
    return TradeTotals(
        wins=totals.wins + sum(result > 0 for result in results),
        losses=totals.losses + sum(result < 0 for result in results),
        ties=totals.ties + sum(result == 0 for result in results),
        won=totals.won + sum(result for result in results if result > 0),
        lost=totals.lost - sum(result for result in results if result < 0),
        squares=totals.squares + sum(result * result for result in results),
        profits=totals.profits + sum(trade.profit for trade in later),
        fees=totals.fees + sum(trade.fee for trade in later),
        values=totals.values + sum(trade.value for trade in later),
        equities=totals.equities + equities,
        first_opened_ms=min(opened),
        last_closed_ms=later[-1].closed_ms,
        streaks=totals.streaks.extended(results),
        exposure=totals.exposure.extended([(trade.opened_ms, trade.closed_ms) for trade in later]),
    )
