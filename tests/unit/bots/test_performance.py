"""The figures of performance against worked examples."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.domain.daily_returns import MS_PER_DAY
from bots.domain.exposure import INTERVALS_KEPT_MAX, Exposure
from bots.domain.money import UNIT
from bots.domain.performance import EquityFigures, Performance, Source, evaluate
from bots.domain.ratios import Undefined
from bots.domain.samples import MS_PER_MINUTE, Sample
from bots.domain.segments import Segment, extend, segment_of
from bots.domain.trades import Trade, TradeSummary, extend_trades
from bots.domain.value_curve import Drawdown

DAY_0 = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1000
VECTOR_A = [1000, 1010, 990, 1005, 970, 1030, 1030, 1060]
VECTOR_B = [10, -20, 15, -35, 60, 0, 30]


def sample(day: float, equity: float, flow: int = 0, **more: int) -> Sample:
    figures = {"realized": 0, "unrealized": 0, "fees": 0, "volume": 0, **more}
    return Sample(
        int(DAY_0 + day * MS_PER_DAY) // MS_PER_MINUTE, 0, int(equity * UNIT), cash_flow=flow * UNIT, **figures
    )


def segment(*samples: Sample) -> Segment | None:
    return extend(None, [segment_of([one]) for one in samples], 1000 * UNIT)


def equity(summary: Segment | None) -> EquityFigures:
    shown = evaluate(1000 * UNIT, summary, None).equity
    assert shown is not None
    return shown


def trade(number: int, profit: int, *, fee: int = 0, hours: float = 1) -> Trade:
    closed = DAY_0 + number * 3_600_000
    return Trade(
        closed, f"{number:04}", int(closed - hours * 3_600_000), UNIT, 10 * UNIT, 10 * UNIT, fee, profit * UNIT
    )


def of_trades(*profits: int, capital: int = 1000) -> Performance:
    return evaluate(capital * UNIT, None, summary(*profits, capital=capital))


def summary(*profits: int, capital: int = 1000) -> TradeSummary | None:
    return extend_trades(None, [trade(number, profit) for number, profit in enumerate(profits)], capital * UNIT)


def test_vector_a_daily_equity() -> None:
    shown = equity(segment(*(sample(day, value) for day, value in enumerate(VECTOR_A))))
    assert shown.time_weighted_return == 0.06
    assert shown.sharpe == pytest.approx(5.2783130921, abs=1e-9)
    assert shown.sortino == pytest.approx(11.0861216657, abs=1e-9)
    assert shown.volatility == pytest.approx(0.0318029596 * 365**0.5, abs=1e-8)
    assert shown.cagr == pytest.approx(1.06 ** (365 / 7) - 1)
    fall = shown.max_drawdown
    assert isinstance(fall, Drawdown)
    assert fall.relative == pytest.approx(0.0396039604, abs=1e-10)
    assert fall.absolute == 40 * UNIT
    assert (fall.peak.at_ms, fall.trough.at_ms) == (DAY_0 + MS_PER_DAY, DAY_0 + 4 * MS_PER_DAY)
    assert fall.recovered_at_ms == DAY_0 + 5 * MS_PER_DAY
    assert shown.current_drawdown is None


def test_vector_a_is_the_same_where_the_start_is_the_initial_capital_alone() -> None:
    shown = equity(segment(*(sample(day, value) for day, value in enumerate(VECTOR_A[1:], start=1))))
    assert shown.time_weighted_return == 0.06
    assert shown.sharpe == pytest.approx(5.2783130921, abs=1e-9)
    assert shown.sortino == pytest.approx(11.0861216657, abs=1e-9)


def test_vector_b_trades() -> None:
    shown = of_trades(*VECTOR_B).trades
    assert shown.profit_factor == pytest.approx(2.0909090909, abs=1e-9)
    assert shown.win_rate == 4 / 6
    assert shown.payoff == pytest.approx(1.0454545455, abs=1e-9)
    assert shown.expectancy_floored == 60 * UNIT // 7
    assert shown.system_quality == pytest.approx(0.7210101217, abs=1e-9)
    assert shown.expectancy_ratio == pytest.approx((1 + 1.0454545455) * 4 / 6 - 1, abs=1e-9)
    assert (shown.wins, shown.losses, shown.ties) == (4, 2, 1)


def test_vector_c_a_deposit_is_no_profit() -> None:
    days = [sample(0, 1000), sample(1, 1100), sample(2, 1600, flow=500), sample(3, 1520)]
    shown = equity(segment(*days))
    assert shown.time_weighted_return == pytest.approx(0.045, abs=1e-15)
    assert isinstance(shown.max_drawdown, Drawdown)
    assert shown.max_drawdown.relative == pytest.approx(0.05)
    assert shown.max_drawdown.absolute == 80 * UNIT
    assert shown.flows == 500 * UNIT


def test_vector_d_the_start_is_a_peak() -> None:
    shown = of_trades(-100, 50, 20)
    assert shown.equity is not None
    assert shown.source is Source.TRADES
    assert isinstance(shown.equity.max_drawdown, Drawdown)
    assert shown.equity.max_drawdown.relative == pytest.approx(0.10)
    assert shown.equity.max_drawdown.recovered_at_ms is None
    assert isinstance(shown.equity.current_drawdown, Drawdown)
    assert shown.equity.current_drawdown.relative == pytest.approx(0.03)


def test_net_is_realized_and_unrealized_less_all_fees() -> None:
    last = sample(1, 1100, realized=90 * UNIT, unrealized=25 * UNIT, fees=10 * UNIT, volume=3000 * UNIT)
    shown = equity(segment(sample(0, 1000, fees=5 * UNIT), last))
    assert (shown.realized, shown.unrealized, shown.fees) == (90 * UNIT, 25 * UNIT, 15 * UNIT)
    assert shown.net == 100 * UNIT
    assert shown.roi == 0.1
    assert shown.turnover == pytest.approx(3000 / 1050)


def test_roi_counts_what_was_paid_in() -> None:
    assert equity(segment(sample(0, 1500, flow=500, realized=150 * UNIT))).roi == 0.1
    taken_out = equity(segment(sample(0, 5, flow=-1000)))
    assert isinstance(taken_out.roi, Undefined)


def test_without_samples_the_trades_make_the_equity() -> None:
    shown = evaluate(
        1000 * UNIT, None, extend_trades(None, [trade(1, 30, fee=UNIT), trade(2, -10, fee=UNIT)], 1000 * UNIT)
    )
    assert shown.equity is not None
    assert (shown.equity.realized, shown.equity.fees, shown.equity.net) == (20 * UNIT, 2 * UNIT, 18 * UNIT)
    assert shown.equity.equity == 1018 * UNIT
    assert shown.equity.turnover == pytest.approx(40 / ((1000 + 1029 + 1018) / 3))


def test_with_samples_the_equity_is_theirs_and_the_trade_figures_are_the_trades() -> None:
    shown = evaluate(1000 * UNIT, segment(sample(0, 1000), sample(1, 1200, realized=200 * UNIT)), summary(-5, -5))
    assert shown.source is Source.SAMPLES
    assert shown.equity is not None
    assert shown.equity.net == 200 * UNIT
    assert (shown.trades.wins, shown.trades.losses, shown.trades.win_rate) == (0, 2, 0.0)
    assert shown.trades.profit_factor == 0.0


def test_nothing_yet_has_reasons_and_no_figures() -> None:
    shown = evaluate(1000 * UNIT, None, None)
    assert (shown.equity, shown.source, shown.as_of_ms) == (None, None, None)
    for figure in (
        shown.trades.win_rate,
        shown.trades.profit_factor,
        shown.trades.system_quality,
        shown.trades.exposure,
    ):
        assert isinstance(figure, Undefined)


@pytest.mark.parametrize(
    ("days", "figure", "reason"),
    [
        ([1000], "sharpe", "fewer than two daily returns"),
        ([1000], "time_weighted_return", "no day after the start"),
        ([1000, 1010], "sharpe", "fewer than two daily returns"),
        ([1000, 1010, 1020.1], "sharpe", "the returns do not vary"),
        ([1000, 1010, 1020], "sortino", "no losing day"),
        ([1000, 1010, 1020], "omega", "no losing day"),
        ([1000, 1010, 1020], "calmar", "no drawdown"),
        ([1000, 1000, 0], "cagr", "the equity is not above zero"),
    ],
)
def test_undefined_figure_says_why(days: list[float], figure: str, reason: str) -> None:
    shown = equity(segment(*(sample(day, value) for day, value in enumerate(days))))
    assert getattr(shown, figure) == Undefined(reason)


def test_less_than_a_day_has_no_yearly_growth() -> None:
    shown = equity(segment(sample(0, 1000), sample(0.9, 1100)))
    assert shown.cagr == Undefined("less than one day")
    assert shown.time_weighted_return == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("profits", "figure", "reason"),
    [
        ([5], "profit_factor", "no losing trade"),
        ([5], "payoff", "no losing trade"),
        ([-5], "payoff", "no winning trade"),
        ([0], "win_rate", "no trade was won or lost"),
        ([5], "system_quality", "fewer than two closed trades"),
        ([5, 5], "system_quality", "the results do not vary"),
    ],
)
def test_undefined_trade_figure_says_why(profits: list[int], figure: str, reason: str) -> None:
    assert getattr(of_trades(*profits).trades, figure) == Undefined(reason)


def test_streaks_are_the_longest_runs_and_a_tie_ends_one() -> None:
    shown = of_trades(1, 1, 0, 1, 1, 1, -1, -1, 1).trades.streaks
    assert (shown.wins, shown.losses) == (3, 2)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(0, 30))
def test_trades_in_two_deliveries_add_up_as_in_one(profits: list[int], cut: int) -> None:
    trades = [trade(number, profit, hours=1 + number % 5) for number, profit in enumerate(profits)]
    begun = extend_trades(None, trades[:cut], 1000 * UNIT)
    assert extend_trades(begun, trades[cut:], 1000 * UNIT) == extend_trades(None, trades, 1000 * UNIT)


INTERVALS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), min_size=1, max_size=60).map(
    lambda pairs: sorted(((start, start + length) for start, length in pairs), key=lambda pair: pair[1])
)


@given(INTERVALS)
def test_exposure_is_the_length_of_the_union(intervals: list[tuple[int, int]]) -> None:
    covered = {moment for start, end in intervals for moment in range(start, end)}
    assert Exposure().extended(intervals).length_ms == len(covered)


@given(INTERVALS, st.integers(0, 60))
def test_exposure_that_was_settled_is_exact_or_says_that_it_is_not(intervals: list[tuple[int, int]], cut: int) -> None:
    shifted = [(start * 10, end * 10) for start, end in intervals]
    stored = Exposure().extended(shifted[:cut]).settled()
    grown = stored.extended(shifted[cut:])
    assert len(stored.intervals) <= INTERVALS_KEPT_MAX
    assert not grown.exact or grown.length_ms == Exposure().extended(shifted).length_ms


def test_trade_that_reaches_behind_what_is_settled_is_noticed() -> None:
    apart = [(number * 10, number * 10 + 1) for number in range(INTERVALS_KEPT_MAX + 10)]
    stored = Exposure().extended(apart).settled()
    assert stored.extended([(10_000, 10_001)]).exact
    assert not stored.extended([(5, 10_001)]).exact


def test_exposure_is_the_share_of_time_with_an_open_position() -> None:
    trades = [trade(1, 1, hours=1), trade(2, 1, hours=0.5), trade(4, 1, hours=1)]
    shown = evaluate(1000 * UNIT, None, extend_trades(None, trades, 1000 * UNIT))
    assert shown.trades.exposure == pytest.approx(2.5 / 4)
