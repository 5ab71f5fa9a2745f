"""Drawdowns of a bot's value, from summaries that can be joined: what an hour holds is looked at once, when it is
written.

The value index leaves deposits and withdrawals out: it is the equity times a factor that changes only where money
flows, by (equity - flow) / equity. So without flows it is the equity itself, exactly. It does not fall below zero.
A drawdown begins at the last moment at the peak and ends when the index is at the peak again or above.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import NamedTuple

from bots.domain.money import Money

ONE = Decimal(1)
# An equity has at most 36 digits: without flows a value is exact, and so is the comparison of two products of values.
_VALUE = Context(prec=60)
_PRODUCT = Context(prec=2 * 60)


class Point(NamedTuple):
    """Equity at a moment, after what flowed in (positive) or out since the point before."""

    at_ms: int
    equity: Money
    flow: Money


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the curve: its value index, and its gain, the equity without what flowed in since the curve's
    start."""

    at_ms: int
    value: Decimal
    gain: Money

    def below(self, other: "Mark") -> bool:
        return (self.value, self.gain) < (other.value, other.gain)


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The fall from a peak to a trough, and when the peak was reached again."""

    peak: Mark
    trough: Mark
    recovered_at_ms: int | None

    @property
    def relative(self) -> float:
        return float(_VALUE.divide(_VALUE.subtract(self.peak.value, self.trough.value), self.peak.value))

    @property
    def absolute(self) -> Money:
        """The money lost between the two, whatever was paid in or out meanwhile."""
        return self.peak.gain - self.trough.gain

    def deeper_than(self, other: "Drawdown") -> bool:
        """Deeper, or as deep and of more money, or of as much and earlier. Compared exactly, without a division."""
        mine = _PRODUCT.multiply(self.trough.value, other.peak.value)
        others = _PRODUCT.multiply(other.trough.value, self.peak.value)
        return (mine, -self.absolute, self.trough.at_ms) < (others, -other.absolute, other.trough.at_ms)


@dataclass(frozen=True, slots=True)
class Span:
    from_ms: int
    to_ms: int

    @property
    def length_ms(self) -> int:
        return self.to_ms - self.from_ms


@dataclass(frozen=True, slots=True)
class Curve:
    """A stretch of the value index, relative to an index of 1 per unit of equity before it.

    `highs` are the first moments of ever higher values; the curve to the left needs them to know when it recovered.
    They are None in a curve that nothing is put in front of any more. `peak` is the last moment at the highest
    value, `low` the first at the lowest; `worst` is the deepest drawdown inside, `underwater` the longest that
    recovered inside.
    """

    factor: Decimal
    flows: Money
    peak: Mark
    low: Mark
    last: Mark
    highs: tuple[Mark, ...] | None
    worst: Drawdown | None
    underwater: Span | None

    def sealed(self) -> "Curve":
        """The same without what only a curve in front of it would ask for."""
        return replace(self, highs=None)


def start_curve(at_ms: int, capital: Money) -> Curve:
    """The curve of the start alone."""
    start = Mark(at_ms, Decimal(capital), capital)
    return Curve(ONE, 0, start, start, start, (start,), None, None)


def curve_of(points: Sequence[Point]) -> Curve | None:
    """The curve of points in order, at least one; None where the index has no meaning: money flowed while the
    equity was not above zero, or more flowed in than there was afterwards."""
    factor, flows = ONE, 0
    highs: list[Mark] = []
    peak = low = mark = Mark(points[0].at_ms, Decimal(0), 0)
    worst: Drawdown | None = None
    underwater: Span | None = None
    recovered = True
    for number, (at_ms, equity, flow) in enumerate(points):
        if flow:
            if equity <= 0 or flow > equity:
                return None
            factor = _VALUE.multiply(factor, _VALUE.divide(Decimal(equity - flow), Decimal(equity)))
            flows += flow
        value = Decimal(max(equity, 0)) if factor is ONE else _VALUE.multiply(factor, Decimal(max(equity, 0)))
        mark = Mark(at_ms, value, equity - flows)
        if number == 0 or value >= peak.value:
            if not recovered:
                underwater = longer(underwater, Span(peak.at_ms, at_ms))
                if worst is not None and worst.recovered_at_ms is None:
                    worst = replace(worst, recovered_at_ms=at_ms)
            if number == 0 or value > peak.value:
                highs.append(mark)
            peak, recovered = mark, True
        else:
            worst = deeper(worst, Drawdown(peak, mark, None))
            recovered = False
        if number == 0 or mark.below(low):
            low = mark
    return Curve(factor, flows, peak, low, mark, tuple(highs), worst, underwater)


def deeper(worst: Drawdown | None, fall: Drawdown) -> Drawdown | None:
    """The deeper of two. A fall from a peak of zero is no share of it."""
    if fall.peak.value <= 0:
        return worst
    return fall if worst is None or fall.deeper_than(worst) else worst


def longer(one: Span | None, other: Span | None) -> Span | None:
    """The longer of two spans, the earlier of two as long."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda span: (span.length_ms, -span.from_ms))


def join_curves(before: Curve, after: Curve) -> Curve:
    """The curve of both, one after the other. Associative. `after` must have its `highs`."""
    if after.highs is None:
        raise ValueError("a sealed curve can't be put behind another")
    highs = tuple(_moved(mark, before) for mark in after.highs)
    low, last = _moved(after.low, before), _moved(after.last, before)
    again = next((mark for mark in highs if mark.value >= before.peak.value), None)
    worst, underwater = before.worst, before.underwater
    if again is not None:
        underwater = longer(underwater, after.underwater)
        if worst is not None and worst.recovered_at_ms is None:
            worst = replace(worst, recovered_at_ms=again.at_ms)
        if before.last.value < before.peak.value or again.at_ms != highs[0].at_ms:
            underwater = longer(underwater, Span(before.peak.at_ms, again.at_ms))
    if low.value < before.peak.value and (again is None or low.at_ms < again.at_ms):
        worst = deeper(worst, Drawdown(before.peak, low, again.at_ms if again else None))
    if after.worst is not None:
        inside = replace(after.worst, peak=_moved(after.worst.peak, before), trough=_moved(after.worst.trough, before))
        worst = deeper(worst, inside)
    peak = _moved(after.peak, before)
    higher = tuple(mark for mark in highs if mark.value > before.peak.value)
    return Curve(
        factor=_VALUE.multiply(before.factor, after.factor),
        flows=before.flows + after.flows,
        peak=peak if peak.value >= before.peak.value else before.peak,
        low=low if low.below(before.low) else before.low,
        last=last,
        highs=None if before.highs is None else before.highs + higher,
        worst=worst,
        underwater=underwater,
    )


def _moved(mark: Mark, before: Curve) -> Mark:
    if before.factor == 1 and before.flows == 0:
        return mark
    return Mark(mark.at_ms, _VALUE.multiply(mark.value, before.factor), mark.gain - before.flows)
