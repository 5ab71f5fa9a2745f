"""Samples of a bot's equity, one per minute, and how deliveries of them are merged.

The newest writing of a minute wins by `seq`; of two with the same `seq` the greater in all its figures does, so
that any order of any deliveries, repeated or not, ends in the same samples.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bots.domain.money import Money

MINUTES_PER_HOUR = 60
MS_PER_MINUTE = 60_000
SEQ_MAX = 2**63 - 1


class Sample(NamedTuple):
    """`minute` counts from the epoch. `realized` is gross and cumulative, `unrealized` is of that moment, `fees`
    (negative: a rebate), `volume` and `cash_flow` (a deposit is positive) are of that minute alone."""

    minute: int
    seq: int
    equity: Money
    realized: Money
    unrealized: Money
    fees: Money
    volume: Money
    cash_flow: Money

    @property
    def at_ms(self) -> int:
        return self.minute * MS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Merged:
    """The samples of an hour after a delivery, in order, and what became of each one delivered."""

    samples: tuple[Sample, ...]
    created: int
    updated: int
    unchanged: int

    @property
    def changed(self) -> bool:
        return self.created + self.updated > 0


def hour_of(minute: int) -> int:
    """The hour, counted from the epoch, that holds a minute."""
    return minute // MINUTES_PER_HOUR


def by_hour(samples: Iterable[Sample]) -> dict[int, list[Sample]]:
    """The samples by the hour that holds them, in the order given."""
    hours: dict[int, list[Sample]] = {}
    for sample in samples:
        hours.setdefault(hour_of(sample.minute), []).append(sample)
    return hours


def merge(stored: Mapping[int, Sample], delivered: Iterable[Sample]) -> Merged:
    """What an hour holds after a delivery. `stored` is by minute."""
    kept = dict(stored)
    created = updated = unchanged = 0
    for sample in delivered:
        known = kept.get(sample.minute)
        if known is None:
            created += 1
        elif sample > known:
            updated += 1
        else:
            unchanged += 1
            continue
        kept[sample.minute] = sample
    return Merged(tuple(kept[minute] for minute in sorted(kept)), created, updated, unchanged)
