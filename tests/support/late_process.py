"""Become a service or the gateway whose wall clock stands LATE_S seconds back: `late_process.py bots`.

What runs by the monotonic clock is not changed, as it isn't on a machine whose clock was set back."""

import os
import runpy
import sys
import time
from datetime import datetime, timedelta

from kit.clock import SystemClock

LATE_S = float(os.environ["LATE_S"])
_time, _now = time.time, SystemClock.now


def late_time() -> float:
    return _time() - LATE_S


def late_now(clock: SystemClock) -> datetime:
    return _now(clock) - timedelta(seconds=LATE_S)


if __name__ == "__main__":
    time.time = late_time
    SystemClock.now = late_now  # type: ignore[method-assign,assignment]  # this process has no other clock
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
