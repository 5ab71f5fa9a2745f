import asyncio
from itertools import pairwise

import pytest

from kit.workers import Worker, WorkerGroup

pytestmark = pytest.mark.anyio


async def test_worker_runs_again_and_again_and_stops_with_its_group() -> None:
    runs = 0
    often = asyncio.Event()

    async def run_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            often.set()

    async with WorkerGroup([Worker("counter", 0.001, run_once)]):
        await asyncio.wait_for(often.wait(), 5)
    stopped_at = runs
    await asyncio.sleep(0.01)
    assert runs == stopped_at


async def test_failing_worker_pauses_longer_and_goes_on() -> None:
    times: list[float] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def run_once() -> None:
        times.append(loop.time())
        if len(times) == 4:
            done.set()
        raise ValueError("broken")

    async with WorkerGroup([Worker("broken", 0.01, run_once)]):
        await asyncio.wait_for(done.wait(), 5)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] >= 0.019
    assert pauses[2] >= 0.079


async def test_worker_that_does_not_stop_is_left_behind_after_the_timeout() -> None:
    started = asyncio.Event()
    release = asyncio.Event()

    async def run_once() -> None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(5):
        async with WorkerGroup([Worker("stubborn", 0.0, run_once)], stop_timeout_s=0.05):
            await started.wait()
    release.set()
    await asyncio.sleep(0)
