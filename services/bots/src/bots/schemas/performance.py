"""Performance as it travels."""

from typing import Literal

from kit.schemas import ReadModel, Timestamp


class DrawdownOut(ReadModel):
    """`relative` is the share of the peak that was lost, `absolute` the money lost, deposits and withdrawals left out.
    The times are null where there was no drawdown, `recoveredAt` also while it lasts."""

    relative: float
    absolute: str
    peak_at: Timestamp | None
    trough_at: Timestamp | None
    recovered_at: Timestamp | None


class CurrentDrawdownOut(ReadModel):
    """How far the last value is below the last peak; `since` is when that was."""

    relative: float
    absolute: str
    since: Timestamp | None


class UnderwaterOut(ReadModel):
    """The longest time from a peak to its recovery, or to now: then `to` is null."""

    seconds: int
    since: Timestamp | None
    to: Timestamp | None


class StreaksOut(ReadModel):
    """The longest runs of won and of lost trades."""

    wins: int
    losses: int


class TradeCountsOut(ReadModel):
    closed: int
    wins: int
    losses: int
    ties: int


class PerformanceOut(ReadModel):
    """Money as decimal strings, ratios as numbers. What is undefined is null, with its reason in `undefined`."""

    bot_id: str
    currency: str
    initial_capital: str
    as_of: Timestamp | None
    source: Literal["samples", "trades"] | None
    equity: str | None
    net_flows: str | None
    realized_pnl: str | None
    unrealized_pnl: str | None
    fees: str | None
    net_pnl: str | None
    roi: float | None
    time_weighted_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    omega: float | None
    max_drawdown: DrawdownOut | None
    current_drawdown: CurrentDrawdownOut | None
    longest_underwater: UnderwaterOut | None
    win_rate: float | None
    profit_factor: float | None
    payoff: float | None
    expectancy: str | None
    expectancy_ratio: float | None
    sqn: float | None
    streaks: StreaksOut
    exposure: float | None
    turnover: float | None
    trades: TradeCountsOut
    undefined: dict[str, str]


class TotalsOut(ReadModel):
    """Sums over a user's bots in one currency. `measured` counts the bots that have any figures; the others count with
    their initial capital only."""

    currency: str
    bots: int
    measured: int
    initial_capital: str
    net_flows: str
    equity: str
    realized_pnl: str
    unrealized_pnl: str
    fees: str
    net_pnl: str
    roi: float | None


class UserPerformanceOut(ReadModel):
    user_id: str
    items: list[TotalsOut]
