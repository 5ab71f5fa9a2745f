"""Finds deletions that nobody goes on with, and goes on. Every gateway has one; which comes first is all the same."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from gateway.deletion.calls import DeletionCalls
from gateway.deletion.coordinator import Coordinator
from gateway.deletion.steps import Call, Standing, owner_of
from kit.identity import ANONYMOUS

RUNNING_MAX: Final = 16
LISTED_MAX: Final = 500
LIST_TIMEOUT_S: Final = 2.0
"""So long one owner that hangs may hold up the others."""
GIVE_UP_AFTER_S: Final = 5.0
"""One that only waits makes room for the next, and has its turn again."""
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
        self._taken: set[asyncio.Task[Standing | None]] = set()
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
        services = tuple(self._services())
        listed = await asyncio.gather(*(self._listed(service) for service in services))
        now = asyncio.get_running_loop().time()
        still: dict[str, tuple[int, float]] = {}
        idle: list[tuple[float, str]] = []
        for service, beats in zip(services, listed, strict=True):
            if beats is None:  # what is known of its deletions stays as it is
                still.update({one: seen for one, seen in self._seen.items() if owner_of(one) == service})
                continue
            self.unfinished[service] = len(beats)
            for deletion_id, beat in beats.items():
                known_beat, since = self._seen.get(deletion_id, (beat, now))
                still[deletion_id] = (beat, since if beat == known_beat else now)
                idle.append((still[deletion_id][1], deletion_id))
        self._seen = still
        self._take_over(idle, now)

    def _take_over(self, idle: list[tuple[float, str]], now: float) -> None:
        """Those first that stood still for longest."""
        for since, deletion_id in sorted(idle):
            if now - since < self._idle_s or len(self._taken) >= RUNNING_MAX:
                return
            if self._coordinator.is_running(deletion_id):
                continue
            _log.info("deletion taken over", deletion=deletion_id, idle_s=round(now - since, 1))
            self._seen[deletion_id] = (self._seen[deletion_id][0], now)
            task = self._coordinator.begin(deletion_id, give_up_after_s=GIVE_UP_AFTER_S)
            self._taken.add(task)
            task.add_done_callback(self._taken.discard)

    async def _listed(self, service: str) -> dict[str, int] | None:
        """The beats of its unfinished deletions; None if it doesn't say."""
        call = Call(service, "deletions/unfinished", {})
        answers = await self._calls.make_what_can_be([call], ANONYMOUS, timeout_s=LIST_TIMEOUT_S)
        items = answers[0].get("items") if answers else None
        if not isinstance(items, list):
            return None
        beats = (_beat(one) for one in items[:LISTED_MAX])
        return {one[0]: one[1] for one in beats if one is not None and owner_of(one[0]) == service}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001 (one bad sweep must not end them)
                _log.exception("sweep failed")


def _beat(one: Any) -> tuple[str, int] | None:
    """A deletion's id and beat; None for what is none."""
    deletion_id, beat = (one.get("deletionId"), one.get("beat")) if isinstance(one, dict) else (None, None)
    return (deletion_id, beat) if isinstance(deletion_id, str) and isinstance(beat, int) else None
