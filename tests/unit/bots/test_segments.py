"""Summaries of samples: joined in any grouping they say what all the points say."""

from fractions import Fraction
from functools import reduce
from itertools import groupby, pairwise

import equity_oracle as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.domain.daily_returns import MS_PER_DAY
from bots.domain.money import UNIT
from bots.domain.performance import EquityFigures, evaluate
from bots.domain.ratios import Undefined
from bots.domain.samples import MS_PER_MINUTE, Sample, hour_of
from bots.domain.segments import Segment, extend, join_segments, segment_of
from bots.domain.value_curve import Drawdown

CAPITAL = 1000
FIRST_MINUTE = 29_460_000
STEPS = st.lists(  # minutes to the next, equity, flow
    st.tuples(
        st.sampled_from([1, 1, 1, 7, 30, 60, 61, 700, 1440, 4000]),
        st.integers(1, 40),
        st.sampled_from([0, 0, 0, 0, 0, -1, 5, 20]),
    ),
    min_size=1,
    max_size=40,
)


def samples_of(steps: list[tuple[int, int, int]]) -> list[Sample]:
    """From minutes apart, equity and flow; no more flows in than there is, none out of what is not there."""
    minute, made = FIRST_MINUTE, []
    for number, (apart, equity, flow) in enumerate(steps):
        allowed = flow if number and flow < equity else 0
        made.append(Sample(minute, number, equity * 100 * UNIT, 0, 0, 0, 0, allowed * 100 * UNIT))
        minute += apart
    return made


def hours_of(samples: list[Sample]) -> list[Segment]:
    return [segment_of(list(group)) for _, group in groupby(samples, lambda one: hour_of(one.minute))]


def figures(segment: Segment | None) -> EquityFigures:
    shown = evaluate(CAPITAL * UNIT, segment, None).equity
    assert shown is not None
    return shown


def points_of(samples: list[Sample]) -> oracle.Points:
    start = (samples[0].at_ms, Fraction(CAPITAL), Fraction(0))
    return [start, *((one.at_ms, Fraction(one.equity, UNIT), Fraction(one.cash_flow, UNIT)) for one in samples)]


@given(STEPS, st.integers(0, 5), st.data())
def test_joining_is_associative(steps: list[tuple[int, int, int]], debt: int, data: st.DataObject) -> None:
    hours = hours_of(samples_of([(apart, equity - debt, 0) for apart, equity, _ in steps]))
    straight = reduce(join_segments, hours)
    while len(hours) > 1:
        at = data.draw(st.integers(0, len(hours) - 2))
        hours[at : at + 2] = [join_segments(hours[at], hours[at + 1])]
    joined = hours[0]
    assert (joined.totals, joined.curve) == (straight.totals, straight.curve)
    assert (joined.days.first, joined.days.last, joined.days.before_last) == (
        straight.days.first,
        straight.days.last,
        straight.days.before_last,
    )
    one, other = joined.days.inner, straight.days.inner
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.count == other.count
        assert one.mean == pytest.approx(other.mean, abs=1e-9)
        assert one.deviations == pytest.approx(other.deviations, abs=1e-6)


@given(STEPS)
def test_drawdown_of_the_summaries_is_that_of_all_points(steps: list[tuple[int, int, int]]) -> None:
    samples = samples_of(steps)
    shown = figures(extend(None, hours_of(samples), CAPITAL * UNIT))
    expected = oracle.deepest_fall(points_of(samples))
    if expected is None:
        assert shown.max_drawdown is None
        return
    assert isinstance(shown.max_drawdown, Drawdown)
    assert shown.max_drawdown.relative == pytest.approx(float(expected.relative), rel=1e-12)
    if all(sample.cash_flow == 0 for sample in samples):
        found = shown.max_drawdown
        assert Fraction(found.absolute, UNIT) == expected.absolute
        assert (found.peak.at_ms, found.trough.at_ms) == (expected.peak_at, expected.trough_at)
        assert found.recovered_at_ms == expected.recovered_at


@given(STEPS)
def test_longest_time_under_water_is_that_of_all_points(steps: list[tuple[int, int, int]]) -> None:
    samples = samples_of([(apart, equity, 0) for apart, equity, _ in steps])
    shown = figures(extend(None, hours_of(samples), CAPITAL * UNIT)).underwater
    assert not isinstance(shown, Undefined)
    assert (shown.span.length_ms if shown else 0) == oracle.longest_underwater_ms(points_of(samples))


@given(STEPS)
def test_daily_figures_of_the_summaries_are_those_of_all_points(steps: list[tuple[int, int, int]]) -> None:
    samples = samples_of(steps)
    shown = figures(extend(None, hours_of(samples), CAPITAL * UNIT))
    points = points_of(samples)
    if points[1][1] == points[0][1]:
        points = points[1:]
    returns = oracle.daily_returns(points)
    growth = 1.0
    for gain in returns:
        growth *= 1 + gain
    if not returns:
        assert isinstance(shown.time_weighted_return, Undefined)
        return
    assert shown.time_weighted_return == pytest.approx(growth - 1, rel=1e-9, abs=1e-12)
    losses = sum(-gain for gain in returns if gain < 0)
    if losses:
        assert shown.sortino == pytest.approx(oracle.sortino(returns), rel=1e-9)
        assert shown.omega == pytest.approx(sum(gain for gain in returns if gain > 0) / losses, rel=1e-9)
    else:
        assert shown.sortino == Undefined("no losing day")
    if len(returns) > 1 and max(returns) - min(returns) > 1e-9:
        assert shown.sharpe == pytest.approx(oracle.sharpe(returns), rel=1e-6)


@given(STEPS, st.integers(0, 39))
def test_a_stored_beginning_is_extended_by_later_hours(steps: list[tuple[int, int, int]], cut: int) -> None:
    hours = hours_of(samples_of(steps))
    begun = extend(None, hours[:cut], CAPITAL * UNIT)
    assert (
        figures(extend(begun, hours[cut:], CAPITAL * UNIT)).max_drawdown
        == figures(extend(None, hours, CAPITAL * UNIT)).max_drawdown
    )


def test_nothing_is_put_in_front_of_a_sealed_segment() -> None:
    hours = hours_of(samples_of([(60, 10, 0), (60, 11, 0)]))
    with pytest.raises(ValueError, match="sealed"):
        join_segments(hours[0], hours[1].sealed())


def test_flow_at_an_equity_that_is_not_above_zero_makes_the_index_undefined() -> None:
    emptied = [Sample(FIRST_MINUTE, 1, 10, 0, 0, 0, 0, 0), Sample(FIRST_MINUTE + 1, 2, 0, 0, 0, 0, 0, -10)]
    shown = figures(extend(None, hours_of(emptied), CAPITAL * UNIT))
    assert isinstance(shown.max_drawdown, Undefined)
    assert isinstance(shown.calmar, Undefined)
    assert shown.net == 0


def test_a_day_that_begins_with_nothing_makes_returns_undefined() -> None:
    minutes = [FIRST_MINUTE + day * 1440 for day in range(3)]
    broke = [Sample(minute, 1, equity * UNIT, 0, 0, 0, 0, 0) for minute, equity in zip(minutes, (5, 0, 0), strict=True)]
    shown = figures(extend(None, hours_of(broke), CAPITAL * UNIT))
    for figure in (shown.time_weighted_return, shown.sharpe, shown.sortino, shown.omega, shown.cagr, shown.volatility):
        assert isinstance(figure, Undefined)
    assert isinstance(shown.max_drawdown, Drawdown)
    assert shown.max_drawdown.relative == 1.0


def test_equity_below_zero_is_a_drawdown_of_everything() -> None:
    minutes = [FIRST_MINUTE, FIRST_MINUTE + 1, FIRST_MINUTE + 70]
    equities = (1000, -500, -200)
    owing = [Sample(minute, 1, equity * UNIT, 0, 0, 0, 0, 0) for minute, equity in zip(minutes, equities, strict=True)]
    shown = figures(extend(None, hours_of(owing), CAPITAL * UNIT))
    assert isinstance(shown.max_drawdown, Drawdown)
    assert (shown.max_drawdown.relative, shown.max_drawdown.absolute) == (1.0, 1500 * UNIT)
    assert shown.max_drawdown.trough.at_ms == minutes[1] * MS_PER_MINUTE


def test_hours_stay_within_their_day() -> None:
    assert MS_PER_DAY % (60 * MS_PER_MINUTE) == 0
    assert all(one.days.first == one.days.last for one in hours_of(samples_of([(50, 9, 0)] * 40)))
    assert all(
        one.totals.last_ms < other.totals.first_ms for one, other in pairwise(hours_of(samples_of([(9, 9, 0)] * 9)))
    )
