"""The ratios of performance measurement. What can't be said is `Undefined` with its reason, never 0 or infinity.

365 periods a year, since these markets never close; the risk-free rate is 0. Ratios are doubles.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from bots.domain.daily_returns import MS_PER_DAY, ReturnStatistics
from bots.domain.money import UNIT, Money
from bots.domain.trades import TradeTotals

PERIODS_PER_YEAR = 365
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Undefined:
    reason: str


Ratio: TypeAlias = float | Undefined

NO_DATA = Undefined("no samples or trades yet")
NO_TRADES = Undefined("no closed trade")
NO_INDEX = Undefined("money flowed in or out while the equity was not above zero")
NOT_POSITIVE = Undefined("a day began with an equity that was not above zero")
NO_LOSING_DAY = Undefined("no losing day")


def finite(value: float) -> Ratio:
    return value if math.isfinite(value) else Undefined("too large to be stated")


def quotient(numerator: int, denominator: int) -> Ratio:
    try:
        return finite(numerator / denominator)
    except OverflowError:
        return Undefined("too large to be stated")


def roi(net: Money, capital: Money, flows: Money) -> Ratio:
    """Net profit by what was put in: the initial capital and the net external flows."""
    if capital + flows <= 0:
        return Undefined("no more was put in than taken out")
    return quotient(net, capital + flows)


def time_weighted_return(returns: ReturnStatistics | None) -> Ratio:
    if returns is None:
        return NOT_POSITIVE
    if not returns.count:
        return Undefined("no day after the start")
    return finite(float(returns.growth - 1))


def cagr(returns: ReturnStatistics | None, length_ms: int) -> Ratio:
    """(1 + time-weighted return) ^ (365 / days) - 1."""
    if returns is None:
        return NOT_POSITIVE
    if length_ms < MS_PER_DAY:
        return Undefined("less than one day")
    if returns.growth <= 0:
        return Undefined("the equity is not above zero")
    years = Decimal(length_ms) / Decimal(MS_PER_DAY * PERIODS_PER_YEAR)
    try:
        return finite(math.expm1(math.log(returns.growth) / float(years)))
    except OverflowError:
        return Undefined("too large to be stated")


def volatility(returns: ReturnStatistics | None) -> Ratio:
    deviation = _deviation(returns)
    return deviation if isinstance(deviation, Undefined) else deviation * math.sqrt(PERIODS_PER_YEAR)


def sharpe(returns: ReturnStatistics | None) -> Ratio:
    deviation = _deviation(returns)
    if isinstance(deviation, Undefined) or returns is None:
        return deviation
    if deviation <= abs(returns.mean) * _ROUNDING:
        return Undefined("the returns do not vary")
    return finite(returns.mean / deviation * math.sqrt(PERIODS_PER_YEAR))


def sortino(returns: ReturnStatistics | None) -> Ratio:
    """Mean by the root of the mean squared loss; every return counts in that mean."""
    if returns is None:
        return NOT_POSITIVE
    if returns.downside <= 0:
        return NO_LOSING_DAY
    return finite(returns.mean / math.sqrt(returns.downside / returns.count) * math.sqrt(PERIODS_PER_YEAR))


def omega(returns: ReturnStatistics | None) -> Ratio:
    if returns is None:
        return NOT_POSITIVE
    return finite(returns.gains / returns.losses) if returns.losses > 0 else NO_LOSING_DAY


def calmar(growth_yearly: Ratio, drawdown: Ratio) -> Ratio:
    if isinstance(growth_yearly, Undefined):
        return growth_yearly
    if isinstance(drawdown, Undefined):
        return drawdown
    return finite(growth_yearly / drawdown) if drawdown > 0 else Undefined("no drawdown")


def win_rate(trades: TradeTotals | None) -> Ratio:
    if trades is None:
        return NO_TRADES
    decided = trades.wins + trades.losses
    return trades.wins / decided if decided else Undefined("no trade was won or lost")


def profit_factor(trades: TradeTotals | None) -> Ratio:
    if trades is None:
        return NO_TRADES
    return quotient(trades.won, trades.lost) if trades.lost else Undefined("no losing trade")


def payoff(trades: TradeTotals | None) -> Ratio:
    if trades is None:
        return NO_TRADES
    if not trades.losses:
        return Undefined("no losing trade")
    if not trades.wins:
        return Undefined("no winning trade")
    return quotient(trades.won * trades.losses, trades.lost * trades.wins)


def expectancy_ratio(trades: TradeTotals | None) -> Ratio:
    rate, ratio = win_rate(trades), payoff(trades)
    if isinstance(rate, Undefined):
        return rate
    return ratio if isinstance(ratio, Undefined) else (1 + ratio) * rate - 1


def expectancy_floored(trades: TradeTotals | None) -> Money | Undefined:
    """Mean result of a closed trade, rounded down to 1e-18."""
    return NO_TRADES if trades is None else trades.result // trades.count


def system_quality(trades: TradeTotals | None) -> Ratio:
    """√n · mean / std(ddof 1) of the results, from exact sums."""
    if trades is None:
        return NO_TRADES
    if trades.count < 2:
        return Undefined("fewer than two closed trades")
    spread = trades.count * trades.squares - trades.result**2
    if not spread:
        return Undefined("the results do not vary")
    return finite(trades.result / math.sqrt(spread) * math.sqrt(trades.count - 1))


def exposure(trades: TradeTotals | None, start_ms: int, end_ms: int) -> Ratio:
    if trades is None:
        return NO_TRADES
    return trades.exposure.length_ms / (end_ms - start_ms) if end_ms > start_ms else Undefined("no time has passed")


def turnover(traded: int, equities: Money, count: int) -> Ratio:
    """What was traded (in counts of 1e-36) by the mean of `count` equities that sum to `equities`."""
    if equities <= 0:
        return Undefined("the mean equity is not above zero")
    return quotient(traded * count, equities * UNIT)


def _deviation(returns: ReturnStatistics | None) -> Ratio:
    if returns is None:
        return NOT_POSITIVE
    if returns.count < 2:
        return Undefined("fewer than two daily returns")
    return finite(math.sqrt(returns.deviations / (returns.count - 1)))
