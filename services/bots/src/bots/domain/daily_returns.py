"""Returns per UTC day, from summaries that can be joined.

E is the equity at the end of a day, F the external cash flow of that day, r = (E - F) / E of the day before - 1. A day
without any point ends as the one before it: its return is 0.
"""

from dataclasses import dataclass, replace
from decimal import Context, Decimal

from bots.domain.money import Money

MS_PER_DAY = 86_400_000
_GROWTH = Context(prec=40)


@dataclass(frozen=True, slots=True)
class ReturnStatistics:
    """Of `count` returns: mean, sum of squared deviations from it, sum of squared losses, sums of gains and of losses
    (positive), and the product of 1 + r, which is exact to 40 digits. Joined by Chan's formula."""

    count: int = 0
    mean: float = 0.0
    deviations: float = 0.0
    downside: float = 0.0
    gains: float = 0.0
    losses: float = 0.0
    growth: Decimal = Decimal(1)

    def joined(self, other: "ReturnStatistics") -> "ReturnStatistics":
        count = self.count + other.count
        if not self.count or not other.count:
            return other if other.count else self
        apart = other.mean - self.mean
        return ReturnStatistics(
            count=count,
            mean=self.mean + apart * other.count / count,
            deviations=self.deviations + other.deviations + apart * apart * self.count * other.count / count,
            downside=self.downside + other.downside,
            gains=self.gains + other.gains,
            losses=self.losses + other.losses,
            growth=_GROWTH.multiply(self.growth, other.growth),
        )


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day, counted from the epoch, as far as it was seen: what flowed, the equity at the last point, and how many
    points there were."""

    number: int
    flow: Money
    close: Money
    points: int


@dataclass(frozen=True, slots=True)
class DailyReturns:
    """A stretch of days. `inner` has the returns of the days after the first and before the last; `before_last` is
    the equity that the last day began with, None where the first day is the last too. `inner` is None, for good,
    where a day began with an equity that was not above zero."""

    first: Day
    last: Day
    before_last: Money | None
    inner: ReturnStatistics | None

    def since(self, start: Money) -> ReturnStatistics | None:
        """The returns of all days, the first one having begun with `start`."""
        if self.before_last is None:
            return _return(self.first, start)
        return _joined(_joined(_return(self.first, start), self.inner), _return(self.last, self.before_last))

    def without_first(self) -> ReturnStatistics | None:
        """The returns of all days but the first."""
        if self.before_last is None:
            return ReturnStatistics()
        return _joined(self.inner, _return(self.last, self.before_last))


def one_day(at_ms: int, flow: Money, close: Money, points: int) -> DailyReturns:
    """The day that holds a moment. The points that it stands for are all of that day."""
    day = Day(at_ms // MS_PER_DAY, flow, close, points)
    return DailyReturns(day, day, None, ReturnStatistics())


def join_days(before: DailyReturns, after: DailyReturns) -> DailyReturns:
    """The days of both, one after the other. Associative. A day may begin in one and end in the other."""
    if before.last.number == after.first.number:
        return _join_within_day(before, after)
    inner = before.inner
    if before.before_last is not None:
        inner = _joined(inner, _return(before.last, before.before_last))
    inner = _joined(inner, ReturnStatistics(count=after.first.number - before.last.number - 1))
    if after.before_last is None:
        return DailyReturns(before.first, after.last, before.last.close, inner)
    inner = _joined(_joined(inner, _return(after.first, before.last.close)), after.inner)
    return DailyReturns(before.first, after.last, after.before_last, inner)


def _join_within_day(before: DailyReturns, after: DailyReturns) -> DailyReturns:
    flow, points = before.last.flow + after.first.flow, before.last.points + after.first.points
    day = replace(after.first, flow=flow, points=points)
    if before.before_last is None:
        last = day if after.before_last is None else after.last
        return DailyReturns(day, last, after.before_last, after.inner)
    if after.before_last is None:
        return DailyReturns(before.first, day, before.before_last, before.inner)
    inner = _joined(_joined(before.inner, _return(day, before.before_last)), after.inner)
    return DailyReturns(before.first, after.last, after.before_last, inner)


def _return(day: Day, began_with: Money) -> ReturnStatistics | None:
    if began_with <= 0:
        return None
    growth = _GROWTH.divide(Decimal(day.close - day.flow), Decimal(began_with))
    gain = float(_GROWTH.subtract(growth, Decimal(1)))
    return ReturnStatistics(1, gain, 0.0, min(gain, 0.0) ** 2, max(gain, 0.0), max(-gain, 0.0), growth)


def _joined(one: ReturnStatistics | None, other: ReturnStatistics | None) -> ReturnStatistics | None:
    return None if one is None or other is None else one.joined(other)
