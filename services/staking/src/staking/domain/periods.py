"""Periods of distribution: days in UTC, named by their date, in milliseconds since 1970."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

DAY_MS = 86_400_000
DAYS_KEPT_MAX = 400
"""How many ends of days a pool remembers that were not distributed; older ones fall to a later period."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(moment_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=moment_ms)


def period_of(moment: datetime) -> str:
    """The day that a moment belongs to."""
    return moment.astimezone(UTC).date().isoformat()


def period_before(period: str) -> str:
    return (date.fromisoformat(period) - timedelta(days=1)).isoformat()


def period_end_ms(period: str) -> int:
    """The first millisecond after the day."""
    return date.fromisoformat(period).toordinal() * DAY_MS - _EPOCH.date().toordinal() * DAY_MS + DAY_MS


def days_ended(from_ms: int, until_ms: int) -> Iterator[str]:
    """The days that ended after `from_ms`, up to and with `until_ms`; the last DAYS_KEPT_MAX of them, in order."""
    last = until_ms // DAY_MS
    first = max(from_ms // DAY_MS, last - DAYS_KEPT_MAX)
    origin = _EPOCH.date().toordinal()
    for day in range(first, last):
        yield date.fromordinal(origin + day).isoformat()
