from datetime import UTC, datetime, timedelta, timezone

import pytest

from kit.clock import FixedClock, SystemClock


def test_system_clock_tells_utc_in_whole_milliseconds() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_system_clock_is_monotonic() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


def test_fixed_clock_stands_still_until_advanced() -> None:
    clock = FixedClock(datetime(2026, 1, 1, 1, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now() == clock.now() == datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)
    clock.advance(1.5)
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 1, 623000, tzinfo=UTC)
    assert clock.monotonic() == 1.5


def test_fixed_clock_refuses_to_go_back_and_times_without_a_zone() -> None:
    with pytest.raises(ValueError, match="go back"):
        FixedClock(datetime(2026, 1, 1, tzinfo=UTC)).advance(-1)
    with pytest.raises(ValueError, match="zone"):
        FixedClock(datetime(2026, 1, 1))  # noqa: DTZ001 (what is refused)
