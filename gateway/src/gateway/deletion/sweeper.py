"""Finds deletions that nobody goes on with, and goes on. Every gateway has one; which comes first is all the same."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from gateway.deletion.calls import DeletionCalls
from gateway.deletion.coordinator import Coordinator
from gateway.deletion.steps import Call
from kit.identity import ANONYMOUS, Caller

RUNNING_MAX: Final = 16
_log = structlog.get_logger("gateway.deletion")


class Sweeper:
    """A deletion is taken over if its beat stood still for `idle_s`, by this process's own monotonic clock: the clock
    of whoever wrote it isn't asked."""

    def __init__(
        self,
        coordinator: Coordinator,
        calls: DeletionCalls,
        services: Callable[[], Iterable[str]],
        *,
        interval_s: float,
        idle_s: float,
    ) -> None:
        self._coordinator = coordinator
        self._calls = calls
        self._services = services
        self._interval_s = interval_s
        self._idle_s = idle_s
        self._seen: dict[str, tuple[int, float]] = {}
        self._task: asyncio.Task[None] | None = None
        self.unfinished: dict[str, int] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="deletions sweeper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> None:
        """One look at every owner."""
        now = asyncio.get_running_loop().time()
        still: dict[str, tuple[int, float]] = {}
        for service in self._services():
            answers = await self._calls.make_what_can_be([Call(service, "deletions/unfinished", {})], ANONYMOUS)
            items = [one for answer in answers for one in answer.get("items", []) if isinstance(one, dict)]
            if answers:
                self.unfinished[service] = len(items)
            for one in items:
                self._look_at(one, now, still)
        self._seen = still

    def _look_at(self, one: dict[str, Any], now: float, still: dict[str, tuple[int, float]]) -> None:
        deletion_id, beat = str(one.get("deletionId")), int(one.get("beat", 0))
        known_beat, since = self._seen.get(deletion_id, (beat, now))
        still[deletion_id] = (beat, since if beat == known_beat else now)
        idle_s = now - still[deletion_id][1]
        if idle_s < self._idle_s or self._coordinator.is_running(deletion_id):
            return
        if self._coordinator.running_count < RUNNING_MAX:
            _log.info("deletion taken over", deletion=deletion_id, idle_s=round(idle_s, 1))
            self._coordinator.begin(deletion_id, caller=_requester(one))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001 (one bad sweep must not end them)
                _log.exception("sweep failed")


def _requester(one: dict[str, Any]) -> Caller:
    """Whoever asked for it, without roles: what these would let see isn't kept."""
    requested_by = one.get("requestedBy")
    return Caller(requested_by) if isinstance(requested_by, str) else ANONYMOUS
