"""How long a bot had a position open: the length of the union of its trades' intervals, taken in order of closing."""

from dataclasses import dataclass

INTERVALS_KEPT_MAX = 64


@dataclass(frozen=True, slots=True)
class Exposure:
    """`intervals` are disjoint and in order; `settled_ms` is the length of older ones, which end at `horizon_ms`.
    `exact` is False once a trade reached back behind the horizon: then the trades have to be gone through from the
    first."""

    intervals: tuple[tuple[int, int], ...] = ()
    settled_ms: int = 0
    horizon_ms: int | None = None
    exact: bool = True

    @property
    def length_ms(self) -> int:
        return self.settled_ms + sum(end - start for start, end in self.intervals)

    def extended(self, trades: "list[tuple[int, int]]") -> "Exposure":
        """With later trades, each from its opening to its closing, in order of closing."""
        intervals = list(self.intervals)
        exact = self.exact
        for opened, closed in trades:
            start = opened
            while intervals and intervals[-1][1] >= start:
                start = min(start, intervals.pop()[0])
            if not intervals and self.horizon_ms is not None and start <= self.horizon_ms:
                exact = False
            intervals.append((start, closed))
        return Exposure(tuple(intervals), self.settled_ms, self.horizon_ms, exact)

    def settled(self) -> "Exposure":
        """The same with at most INTERVALS_KEPT_MAX intervals kept apart, to be stored."""
        old, kept = self.intervals[:-INTERVALS_KEPT_MAX], self.intervals[-INTERVALS_KEPT_MAX:]
        if not old:
            return self
        length = self.settled_ms + sum(end - start for start, end in old)
        return Exposure(kept, length, old[-1][1], self.exact)
