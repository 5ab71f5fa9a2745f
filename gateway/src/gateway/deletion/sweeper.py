"""Finds deletions that nobody goes on with, and goes on. Every gateway has one; which comes first is all the same."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from gateway.beats import Beats
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
    """A deletion is taken over if its beat stood still for `idle_s`. `observe` is told how many are unfinished at each
    service."""

    def __init__(
        self,
        coordinator: Coordinator,
        calls: DeletionCalls,
        services: Callable[[], Iterable[str]],
        *,
        idle_s: float,
        observe: Callable[[str, int], None],
    ) -> None:
        self._coordinator = coordinator
        self._calls = calls
        self._services = services
        self._idle_s = idle_s
        self._observe = observe
        self._beats: Beats[str] = Beats()
        self._taken: set[asyncio.Task[Standing | None]] = set()

    async def sweep(self) -> None:
        """One look at every owner."""
        services = tuple(self._services())
        listed = await asyncio.gather(*(self._listed(service) for service in services))
        idle: list[tuple[float, str]] = []
        for service, beats in zip(services, listed, strict=True):
            if beats is None:
                for one in self._beats.known():
                    if owner_of(one) == service:
                        self._beats.keep(one)
                continue
            self._observe(service, len(beats))
            idle += [(self._beats.idle_s(deletion_id, beat), deletion_id) for deletion_id, beat in beats.items()]
        self._beats.forget_others()
        self._take_over(idle)

    def _take_over(self, idle: list[tuple[float, str]]) -> None:
        """Those first that stood still for longest."""
        for idle_s, deletion_id in sorted(idle, key=lambda one: (-one[0], one[1])):
            if idle_s < self._idle_s or len(self._taken) >= RUNNING_MAX:
                return
            if self._coordinator.is_running(deletion_id):
                continue
            _log.info("deletion taken over", deletion=deletion_id, idle_s=round(idle_s, 1))
            self._beats.start_anew(deletion_id)
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


def _beat(one: Any) -> tuple[str, int] | None:
    """A deletion's id and beat; None for what is none."""
    deletion_id, beat = (one.get("deletionId"), one.get("beat")) if isinstance(one, dict) else (None, None)
    return (deletion_id, beat) if isinstance(deletion_id, str) and isinstance(beat, int) else None
