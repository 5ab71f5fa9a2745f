"""Where time comes from. Documents hold milliseconds, so `now` is cut to them at the source."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time in UTC, cut to milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, of no particular origin."""
        ...


def cut_to_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class SystemClock:
    def now(self) -> datetime:
        return cut_to_milliseconds(datetime.now(UTC))

    def monotonic(self) -> float:
        return time.monotonic()


class FixedClock:
    """A clock that stands still until it is told otherwise; for tests and for replays."""

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock needs a time with a zone")
        self._now = cut_to_milliseconds(now.astimezone(UTC))
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._now = cut_to_milliseconds(self._now + timedelta(seconds=seconds))
        self._monotonic += seconds
