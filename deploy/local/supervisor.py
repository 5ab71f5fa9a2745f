"""Keeps a platform's processes running: started in stages, started again when one ends, stopped the other way round."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from deploy.local.output import Output
from deploy.local.plan import ProcessPlan, Stage
from deploy.local.process import Child, until_ready


@dataclass(frozen=True)
class Limits:
    """Durations in seconds. The graces of the three stages end before ten seconds."""

    start_s: float = 60.0
    grace_s: tuple[float, float, float] = (3.0, 3.5, 2.5)  # store, services, gateway
    pause_first_s: float = 0.5
    pause_max_s: float = 30.0
    settled_s: float = 60.0  # a process that ran this long starts with the first pause again


class StartError(Exception):
    """The platform could not be started; the message says which process and why."""


class Supervisor:
    """Runs until `stop` is set. One task per process watches it."""

    def __init__(self, plans: Sequence[ProcessPlan], output: Output, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._output = output
        self._children = [Child(plan, self._line) for plan in plans]
        self.stop = asyncio.Event()

    @property
    def pids(self) -> dict[str, int]:
        return {child.plan.name: child.pid for child in self._children if child.running}

    async def run(self, on_stage: Callable[[Stage], Awaitable[None]], on_change: Callable[[], None]) -> None:
        """Start, watch and stop. `on_stage` is awaited when a stage is ready, `on_change` called after a new start."""
        watchers: list[asyncio.Task[None]] = []
        try:
            async with aiohttp.ClientSession() as session:
                for stage in Stage:
                    if not await self._start_stage(stage, session):
                        return
                    await on_stage(stage)
                    watchers += [
                        asyncio.create_task(self._keep(child, session, on_change)) for child in self._of(stage)
                    ]
                await self._until_stopped(watchers)
        finally:
            self.stop.set()
            for watcher in watchers:  # first, so that none starts a process that is being stopped
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self._stop_all()

    async def _until_stopped(self, watchers: Sequence[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self.stop.wait())
        done, _ = await asyncio.wait([stopped, *watchers], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            await task  # a watcher ends early only by an error, which belongs to whoever runs us

    def _of(self, stage: Stage) -> list[Child]:
        return [child for child in self._children if child.plan.stage == stage]

    async def _start_stage(self, stage: Stage, session: aiohttp.ClientSession) -> bool:
        """Whether the stage is ready; False if a stop was asked for meanwhile."""
        children = self._of(stage)
        if not children:
            return True
        for child in children:
            await child.start()
        ready = asyncio.ensure_future(asyncio.gather(*(until_ready(child, session) for child in children)))
        stopped: asyncio.Future[Any] = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({ready, stopped}, timeout=self._limits.start_s, return_when=asyncio.FIRST_COMPLETED)
        if self.stop.is_set():
            ready.cancel()
            return False
        stopped.cancel()
        if not ready.done():
            ready.cancel()
            slow = [child.plan for child in children if not await child.answers(session)]
            names = ", ".join(f"{plan.name} ({plan.address})" for plan in slow)
            raise StartError(f"not ready within {self._limits.start_s:g} s: {names}")
        ended = [child for child, is_ready in zip(children, ready.result(), strict=True) if not is_ready]
        if ended:
            said = [f"{child.plan.name} {describe_status(await child.wait())}" for child in ended]
            raise StartError(f"{', '.join(said)} before being ready; see the last lines above")
        return True

    async def _keep(self, child: Child, session: aiohttp.ClientSession, on_change: Callable[[], None]) -> None:
        pause_s = self._limits.pause_first_s
        while True:
            status = await child.wait()
            if self.stop.is_set():
                return
            if child.uptime_s > self._limits.settled_s:
                pause_s = self._limits.pause_first_s
            self._output.say(
                f"{child.plan.name} {describe_status(status)}; starting it again in {pause_s:g} s", "bold yellow"
            )
            try:
                await asyncio.wait_for(self.stop.wait(), pause_s)
            except TimeoutError:
                pass
            else:
                return
            pause_s = min(2 * pause_s, self._limits.pause_max_s)
            await child.start()
            on_change()
            if await until_ready(child, session):
                self._output.say(f"{child.plan.name} is ready again after {child.uptime_s:.1f} s", "bold green")

    async def _stop_all(self) -> None:
        for stage in reversed(Stage):
            grace_s = self._limits.grace_s[stage]
            children = [child for child in self._of(stage) if child.running]
            asked = await asyncio.gather(*(child.stop(grace_s) for child in children))
            for child, was_enough in zip(children, asked, strict=True):
                if not was_enough:
                    self._output.say(
                        f"{child.plan.name} did not stop within {grace_s:g} s and was killed", "bold yellow"
                    )

    def kill_all(self) -> None:
        """The impatient way out: everything at once."""
        for child in self._children:
            child.kill()

    def _line(self, name: str, text: str) -> None:
        self._output.line(name, text)
        if self._output.closed:
            self.stop.set()


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"ended with status {status}"
