"""An event loop in virtual time: it jumps to the next timer, has no threads and no sockets, and runs nothing of a
process that was killed."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

HANDLES_MAX = 5_000_000
BURIALS_MAX = 5


class SimulationStuckError(Exception):
    """Nothing is left to happen, or it never ends."""


class Owner:
    """Whose code a task is. A dead owner's code never runs again, not even a `finally`; a paused one's waits."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.parked: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = Context()
        self.context.run(OWNER.set, self)


OWNER: ContextVar[Owner | None] = ContextVar("simulated owner", default=None)


class _Handle(asyncio.Handle):
    __slots__ = ()

    def _run(self) -> None:
        if _may_run(self):
            super()._run()


class _TimerHandle(asyncio.TimerHandle):
    __slots__ = ()

    def _run(self) -> None:
        if _may_run(self):
            super()._run()


def _may_run(handle: asyncio.Handle) -> bool:
    owner: Owner | None = handle._context.get(OWNER)  # type: ignore[attr-defined]
    if owner is None or (owner.alive and not owner.paused):
        return True
    owner.parked.append(handle)
    return False


class _Selector:
    """What the base loop takes for its waiting: it lets time pass."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise SimulationStuckError("no task can go on and no timer is set")
        if timeout > 0:
            self._loop.now += timeout
        return []


class SimulatedLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.handles = 0
        self._selector = _Selector(self)
        self.set_task_factory(_make_task)

    def time(self) -> float:
        return self.now

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        self.handles += 1
        if self.handles > HANDLES_MAX:
            raise SimulationStuckError(f"more than {HANDLES_MAX} callbacks: something never ends")
        return handle

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        return self._call_soon(callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """There are no threads: it is done at once."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 (it is the future's)
            future.set_exception(error)
        return future

    def resume(self, owner: Owner) -> None:
        owner.paused = False
        parked, owner.parked = owner.parked, []
        self._ready.extend(parked)  # type: ignore[attr-defined]

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody waits in another thread."""


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    owner = context.get(OWNER) if context is not None else OWNER.get()
    if owner is not None:
        # Kept, since a task that nobody holds is ended by the collector, which runs what a killed process must not run.
        owner.tasks.append(task)
        if len(owner.tasks) > 2_000:
            owner.tasks = [one for one in owner.tasks if not one.done()]
    return task


async def bury(loop: SimulatedLoop, owners: list[Owner]) -> None:
    """Ends what killed processes have left, when it can do no harm any more: after the last check, with a store and a
    network that refuse everything. Left to the collector, it would be ended in the middle of another run."""
    for _ in range(BURIALS_MAX):
        waiting = [task for owner in owners for task in owner.tasks if not task.done()]
        if not waiting:
            return
        for task in waiting:
            task.cancel()
        for owner in owners:
            owner.alive = True
            loop.resume(owner)
        await asyncio.wait(waiting, timeout=60.0)


def run(main: Coroutine[Any, Any, T], loop: SimulatedLoop) -> T:
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
