"""Where a summary is kept while later parts are added to it, so that a change goes back to there and not to the start.

A checkpoint holds the summary of all that lies before its moment: the beginnings of the last days and of the last
months that hold anything.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MS_PER_DAY = 86_400_000
DAYS_KEPT = 2
MONTHS_KEPT = 12


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`before_ms` is the first moment that the summary, in its stored form, doesn't hold."""

    before_ms: int
    summary: dict[str, Any]


@dataclass
class Checkpoints:
    """In order. `changed` says whether they are others than those that they were made of."""

    kept: list[Checkpoint]
    changed: bool = False

    def last_before(self, changed_ms: int) -> Checkpoint | None:
        """The last checkpoint that a change at this moment leaves true; those behind it are dropped."""
        true = [one for one in self.kept if one.before_ms <= changed_ms]
        self.changed |= len(true) < len(self.kept)
        self.kept = true
        return true[-1] if true else None

    def keep(self, next_ms: int, summary: dict[str, Any]) -> None:
        """Keep the summary of all before the day of `next_ms`, unless it is kept already."""
        start_ms = day_start_ms(next_ms)
        if self.kept and self.kept[-1].before_ms == start_ms:
            return
        self.kept.append(Checkpoint(start_ms, summary))
        months: dict[tuple[int, int], int] = {}
        for one in self.kept:
            months.setdefault(_month(one.before_ms), one.before_ms)
        wanted = {*list(months.values())[-MONTHS_KEPT:], *(one.before_ms for one in self.kept[-DAYS_KEPT:])}
        self.kept = [one for one in self.kept if one.before_ms in wanted]
        self.changed = True


def begins_day(last_ms: int, next_ms: int) -> bool:
    """Whether a new UTC day has begun since the last part."""
    return last_ms < day_start_ms(next_ms)


def day_start_ms(at_ms: int) -> int:
    """The beginning of the UTC day."""
    return at_ms - at_ms % MS_PER_DAY


def _month(at_ms: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.year, moment.month
