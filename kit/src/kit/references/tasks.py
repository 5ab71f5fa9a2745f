"""Work that outlives the request that began it: what was sent to the store is brought to an end, whoever waits."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, timeout_s: float) -> None:
        """Waits for what runs, at most that long; what is left is found by the reaper."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_s)
