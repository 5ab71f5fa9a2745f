"""Drives deletions to their ends, each in a task of its own, whoever waits for it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from gateway.catalogue import Catalogue
from gateway.deletion.calls import DeletionCalls
from gateway.deletion.core import Core
from gateway.deletion.order import leaves_first
from gateway.deletion.patience import Patience
from gateway.deletion.steps import (
    FINAL,
    Call,
    Progress,
    Referring,
    Standing,
    WaitingError,
    owner_of,
    read_standing_of,
)
from gateway.upstream_errors import BadAnswerError
from kit.identity import ANONYMOUS, Caller

PAUSE_S_MIN: Final = 0.05
PAUSE_S_MAX: Final = 2.0
REPORT_EVERY_S: Final = 1.0
GIVE_UP_AFTER_S: Final = 60.0
"""So long a deletion that only waits is driven here; then it is left to the sweepers."""
RUNNING_MAX: Final = 1_000
"""Followed at once; those beyond are left to the sweepers from the beginning."""
_log = structlog.get_logger("gateway.deletion")


class Coordinator:
    """`follow` shares the task of a deletion that runs here already."""

    def __init__(self, calls: DeletionCalls, catalogue: Callable[[], Catalogue], patience: Patience) -> None:
        self._calls = calls
        self._catalogue = catalogue
        self._patience = patience
        self._running: dict[str, asyncio.Task[Standing | None]] = {}

    def is_running(self, deletion_id: str) -> bool:
        return deletion_id in self._running

    def core(self, progress: Progress) -> Core:
        return Core(self._ordered, progress)

    async def follow(
        self, deletion_id: str, *, until: float, standing: Standing | None = None, caller: Caller = ANONYMOUS
    ) -> Standing | None:
        """Drives the deletion on, until its end or `until`, in the event loop's time, or until patience is at its end.
        None if it goes on after that. `standing` is where it stands, if that is known."""
        if len(self._running) >= RUNNING_MAX and not self.is_running(deletion_id):
            return None
        task = self.begin(deletion_id, standing=standing, caller=caller)
        async with self._patience.kept():
            await asyncio.wait({task}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        return task.result() if task.done() else None

    def begin(
        self,
        deletion_id: str,
        *,
        standing: Standing | None = None,
        caller: Caller = ANONYMOUS,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> asyncio.Task[Standing | None]:
        """The task that drives it."""
        task = self._running.get(deletion_id)
        if task is None:
            driving = self._drive(deletion_id, standing, caller, give_up_after_s)
            task = asyncio.create_task(driving, name=f"deletion {deletion_id}")
            self._running[deletion_id] = task
            task.add_done_callback(lambda _: self._running.pop(deletion_id, None))
        return task

    async def stop(self) -> None:
        """What runs is left to the other gateways' sweepers, or to this one's after its restart."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(
        self, deletion_id: str, standing: Standing | None, caller: Caller, give_up_after_s: float
    ) -> Standing | None:
        """None if it is given up for now."""
        loop = asyncio.get_running_loop()
        progress = Progress()
        pause_s, moved_at, seen = PAUSE_S_MIN, loop.time(), (0, 0, "")
        is_claimed = standing is not None
        while True:
            try:
                standing = standing or await self._resume(deletion_id)
                progress.take_up(standing)
                if not is_claimed:  # a beat, so that the other gateways' sweepers see it driven
                    is_claimed = True
                    await self._report(deletion_id, progress)
                standing = await self._advance(standing, progress, _whoever_asked(standing, caller))
                if standing.state in FINAL:
                    _log.info("deletion ended", deletion=deletion_id, state=standing.state, entity=standing.entity)
                    return standing
            except (WaitingError, BadAnswerError) as error:
                progress.waiting = error.services if isinstance(error, WaitingError) else {"gateway": str(error)}
                _log.info("deletion waits", deletion=deletion_id, step=progress.step, reason=str(error))
            except Exception:  # noqa: BLE001 (a bug here must not end it for good)
                _log.exception("deletion failed", deletion=deletion_id, step=progress.step)
                return None
            standing = None
            await self._report(deletion_id, progress)
            now = (progress.removed, progress.set_null, progress.step)
            if now != seen:
                pause_s, moved_at, seen = PAUSE_S_MIN, loop.time(), now
            if loop.time() - moved_at > give_up_after_s:
                return None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    async def _advance(self, standing: Standing, progress: Progress, caller: Caller) -> Standing:
        """The core's steps, with a report now and then, so that a long delete is seen to go on."""
        loop = asyncio.get_running_loop()
        reported_at = loop.time()
        steps = self.core(progress).run(standing)
        try:
            calls = next(steps)
            while True:
                answers = await self._calls.make(calls, caller)
                progress.waiting = {}
                if loop.time() - reported_at > REPORT_EVERY_S:
                    await self._report(standing.deletion_id, progress)
                    reported_at = loop.time()
                calls = steps.send(answers)
        except StopIteration as ended:
            result: Standing = ended.value
            return result

    async def _resume(self, deletion_id: str) -> Standing:
        call = Call(owner_of(deletion_id), "deletions/resume", {"deletionId": deletion_id})
        (answer,) = await self._calls.make([call])
        return read_standing_of(deletion_id, answer)

    async def _report(self, deletion_id: str, progress: Progress) -> None:
        """Nothing depends on it."""
        body = {
            "deletionId": deletion_id,
            "step": progress.step,
            "waitingFor": [{"service": name, "reason": reason} for name, reason in progress.waiting.items()],
            "progress": progress.counts(),
        }
        await self._calls.make_what_can_be([Call(owner_of(deletion_id), "deletions/report", body)], ANONYMOUS)

    def _ordered(self, relationships: Sequence[Referring]) -> list[Referring]:
        refers_to: dict[str, set[str]] = {}
        for document in self._catalogue().documents.values():
            for one in document.relationships:
                refers_to.setdefault(one.child, set()).add(one.parent)
        return leaves_first(relationships, refers_to)


def _whoever_asked(standing: Standing, caller: Caller) -> Caller:
    """As whom children are counted: what blocks is kept, and shown to whoever asked first, not to who joined him. His
    roles are not kept."""
    return caller if caller.id == standing.requested_by else Caller(standing.requested_by)
