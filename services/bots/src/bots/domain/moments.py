"""Moments as whole milliseconds since the epoch, and back."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def moment_at(ms: int) -> datetime:
    return _EPOCH + ms * _MILLISECOND
