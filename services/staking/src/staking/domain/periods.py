"""Periods of distribution: days in UTC. Outside they are named by their date; where they are compared they are numbered
from 1970 on, since not every store compares texts that look like dates as texts. Moments are milliseconds since 1970.
"""

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


def day_number(period: str) -> int:
    """Days since 1970."""
    return (date.fromisoformat(period) - _EPOCH.date()).days


def day_end_ms(day: int) -> int:
    """The first millisecond after the day."""
    return (day + 1) * DAY_MS


def days_ended(since_ms: int, until_ms: int) -> range:
    """The numbers of the days that ended after `since_ms`, up to and with `until_ms`; of many the last
    DAYS_KEPT_MAX."""
    last = until_ms // DAY_MS
    return range(max(since_ms // DAY_MS, last - DAYS_KEPT_MAX), last)
