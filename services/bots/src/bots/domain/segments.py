"""Summaries of samples, of an hour or of many: joined from left to right they say what all the samples would say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bots.domain.daily_returns import DailyReturns, join_days, one_day
from bots.domain.money import Money
from bots.domain.samples import Sample
from bots.domain.value_curve import Curve, Point, curve_of, join_curves, start_curve


@dataclass(frozen=True, slots=True)
class Totals:
    """`realized` and `unrealized` are the last sample's; `equities`, `fees`, `volume` and `flows` are sums."""

    count: int
    first_ms: int
    last_ms: int
    first_equity: Money
    first_flow: Money
    last_equity: Money
    min_equity: Money
    max_equity: Money
    equities: Money
    realized: Money
    unrealized: Money
    fees: Money
    volume: Money
    flows: Money


@dataclass(frozen=True, slots=True)
class Segment:
    """`curve` is None where the value index has no meaning."""

    totals: Totals
    curve: Curve | None
    days: DailyReturns

    def sealed(self) -> "Segment":
        """The same without what only a segment in front of it would ask for."""
        return replace(self, curve=self.curve.sealed() if self.curve else None)


def totals_of(samples: Sequence[Sample]) -> Totals:
    """The totals of samples in order, at least one."""
    first, last = samples[0], samples[-1]
    equities = [sample.equity for sample in samples]
    return Totals(
        count=len(samples),
        first_ms=first.at_ms,
        last_ms=last.at_ms,
        first_equity=first.equity,
        first_flow=first.cash_flow,
        last_equity=last.equity,
        min_equity=min(equities),
        max_equity=max(equities),
        equities=sum(equities),
        realized=last.realized,
        unrealized=last.unrealized,
        fees=sum(sample.fees for sample in samples),
        volume=sum(sample.volume for sample in samples),
        flows=sum(sample.cash_flow for sample in samples),
    )


def segment_of(samples: Sequence[Sample]) -> Segment:
    """The summary of samples in order, at least one, all of one UTC day."""
    curve = curve_of([Point(sample.at_ms, sample.equity, sample.cash_flow) for sample in samples])
    return day_segment(totals_of(samples), curve)


def day_segment(totals: Totals, curve: Curve | None) -> Segment:
    """The segment of samples that are all of one UTC day, as those of an hour are."""
    return Segment(totals, curve, one_day(totals.last_ms, totals.flows, totals.last_equity, totals.count))


def join_totals(before: Totals, after: Totals) -> Totals:
    return Totals(
        count=before.count + after.count,
        first_ms=before.first_ms,
        last_ms=after.last_ms,
        first_equity=before.first_equity,
        first_flow=before.first_flow,
        last_equity=after.last_equity,
        min_equity=min(before.min_equity, after.min_equity),
        max_equity=max(before.max_equity, after.max_equity),
        equities=before.equities + after.equities,
        realized=after.realized,
        unrealized=after.unrealized,
        fees=before.fees + after.fees,
        volume=before.volume + after.volume,
        flows=before.flows + after.flows,
    )


def join_segments(before: Segment, after: Segment) -> Segment:
    """The summary of both, `after` being the later one. Associative."""
    curve = join_curves(before.curve, after.curve) if before.curve and after.curve else None
    return Segment(join_totals(before.totals, after.totals), curve, join_days(before.days, after.days))


def extend(before: Segment | None, later: Iterable[Segment], capital: Money) -> Segment | None:
    """A segment with later ones behind it, sealed; None if there is nothing at all. What begins here begins with the
    start, a point of its own with the initial capital, in front of its curve."""
    whole = before
    for segment in later:
        whole = join_segments(whole, segment) if whole else _from_start(capital, segment)
    return whole.sealed() if whole else None


def _from_start(capital: Money, first: Segment) -> Segment:
    start = start_curve(first.totals.first_ms, capital)
    return replace(first, curve=join_curves(start, first.curve) if first.curve else None)
