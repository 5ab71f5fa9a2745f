"""What a service does on its own, beside requests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

PAUSE_FACTOR_MAX = 32
_log = structlog.get_logger("kit.workers")


@dataclass(frozen=True)
class Worker:
    """Runs `run_once` every `interval_s` seconds while the service lives. A failure is logged and the pause doubles,
    up to PAUSE_FACTOR_MAX intervals, until a run succeeds. `run_once` must bound its own work and stand being
    cancelled."""

    name: str
    interval_s: float
    run_once: Callable[[], Awaitable[object]]

    async def run(self) -> None:
        factor = 1
        while True:
            await asyncio.sleep(self.interval_s * factor)
            try:
                await self.run_once()
                factor = 1
            except Exception:  # noqa: BLE001 (one bad run must not end the worker)
                factor = min(factor * 2, PAUSE_FACTOR_MAX)
                _log.exception("worker failed", worker=self.name, next_try_s=self.interval_s * factor)


class WorkerGroup:
    """Starts workers as tasks and stops them within `stop_timeout_s`."""

    def __init__(self, workers: list[Worker], *, stop_timeout_s: float = 5.0) -> None:
        self._workers = workers
        self._stop_timeout_s = stop_timeout_s
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "WorkerGroup":
        self._tasks = [asyncio.create_task(worker.run(), name=f"worker {worker.name}") for worker in self._workers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._stop_timeout_s)
