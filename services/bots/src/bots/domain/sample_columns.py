"""An hour of samples as columns of text: a tenth of what as many documents take, and exact.

A column is `<power>;<first> <difference> <difference> …`: integers, to be multiplied by ten to that power. A column
that doesn't change has its first value only. Which minutes there are is one bit each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import gcd

from bots.domain.samples import MINUTES_PER_HOUR, Sample


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """The samples of one hour; bit n of `minutes` says that its minute n has one."""

    minutes: int
    seq: str
    equity: str
    realized: str
    unrealized: str
    fees: str
    volume: str
    cash_flow: str


def pack_samples(samples: Sequence[Sample]) -> SampleColumns:
    """The samples of one hour, which come in order and are at least one."""
    minutes, *columns = zip(*samples, strict=True)
    return SampleColumns(sum(1 << minute % MINUTES_PER_HOUR for minute in minutes), *map(pack_integers, columns))


def unpack_samples(hour: int, columns: SampleColumns) -> list[Sample]:
    """The samples of an hour (counted from the epoch), in order."""
    first = hour * MINUTES_PER_HOUR
    minutes = [first + bit for bit in range(MINUTES_PER_HOUR) if columns.minutes >> bit & 1]
    count = len(minutes)
    return [
        Sample._make(row)
        for row in zip(
            minutes,
            unpack_integers(columns.seq, count),
            unpack_integers(columns.equity, count),
            unpack_integers(columns.realized, count),
            unpack_integers(columns.unrealized, count),
            unpack_integers(columns.fees, count),
            unpack_integers(columns.volume, count),
            unpack_integers(columns.cash_flow, count),
            strict=True,
        )
    ]


def pack_integers(values: Sequence[int]) -> str:
    """Any integers, at least one, as a column."""
    digits = str(gcd(*values))
    power = len(digits) - len(digits.rstrip("0")) if digits != "0" else 0
    scale = 10**power
    scaled = [value // scale for value in values]
    if all(value == scaled[0] for value in scaled):
        return f"{power};{scaled[0]}"
    steps = [str(scaled[0])]
    steps += [str(value - before) for before, value in pairwise(scaled)]
    return f"{power};{' '.join(steps)}"


def unpack_integers(column: str, count: int) -> Iterable[int]:
    """The `count` integers of a column."""
    power, _, steps = column.partition(";")
    scale = 10 ** int(power)
    texts = steps.split(" ")
    if len(texts) == 1:
        return [int(steps) * scale] * count
    return [value * scale for value in accumulate(map(int, texts))]
