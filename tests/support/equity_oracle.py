"""Performance figures in the plainest way, from all the points at once: what the summaries are compared with."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

MS_PER_DAY = 86_400_000

Points = Sequence[tuple[int, Fraction, Fraction]]  # milliseconds, equity, external flow


@dataclass(frozen=True)
class Fall:
    relative: Fraction
    absolute: Fraction
    peak_at: int
    trough_at: int
    recovered_at: int | None


def value_index(points: Points) -> list[Fraction]:
    """The growth of the first equity, step by step, without the flows; the first point's flow doesn't count."""
    values = [points[0][1]]
    for (_, before, _), (_, equity, flow) in pairwise(points):
        values.append(values[-1] * (equity - flow) / before)
    return values


def deepest_fall(points: Points) -> Fall | None:
    """The maximum drawdown: every peak so far against every point."""
    values = value_index(points)
    paid = [sum((flow for _, _, flow in points[1 : at + 1]), Fraction(0)) for at in range(len(points))]
    worst: Fall | None = None
    peak = 0
    for at, value in enumerate(values):
        if value >= values[peak]:
            peak = at
            continue
        relative = (values[peak] - value) / values[peak]
        if worst is None or relative > worst.relative:
            again = next((points[i][0] for i in range(at, len(values)) if values[i] >= values[peak]), None)
            lost = points[peak][1] - paid[peak] - points[at][1] + paid[at]
            worst = Fall(relative, lost, points[peak][0], points[at][0], again)
    return worst


def longest_underwater_ms(points: Points) -> int:
    """The longest time from a peak to its recovery, or to the last point."""
    values = value_index(points)
    longest = peak = 0
    for at, value in enumerate(values):
        below = any(values[i] < values[peak] for i in range(peak, at))
        if value < values[peak] or below:
            longest = max(longest, points[at][0] - points[peak][0])
        if value >= values[peak]:
            peak = at
    return longest


def daily_returns(points: Points) -> list[float]:
    """One per UTC day from the first point's on; the first point is the start, not an end of a day."""
    first, last = points[0][0] // MS_PER_DAY, points[-1][0] // MS_PER_DAY
    equity, returns = points[0][1], []
    for day in range(first, last + 1):
        of_day = [point for point in points[1:] if point[0] // MS_PER_DAY == day]
        if day == first and not of_day:
            continue
        close = of_day[-1][1] if of_day else equity
        returns.append(float((close - sum((flow for _, _, flow in of_day), Fraction(0))) / equity - 1))
        equity = close
    return returns


def sharpe(returns: Sequence[float]) -> float:
    return statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(365)


def sortino(returns: Sequence[float]) -> float:
    downside = math.sqrt(sum(min(r, 0) ** 2 for r in returns) / len(returns))
    return statistics.mean(returns) / downside * math.sqrt(365)
