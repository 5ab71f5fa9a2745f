"""Processes: they start, serve, are killed at any moment, and start again."""

import asyncio
from typing import TYPE_CHECKING, Any

from simulation.applications import GATEWAY, application, gateway_app, service_of
from simulation.loop import Owner
from simulation.motor import SimulatedMotor
from simulation.network import SimulatedUpstream
from simulation.sources import VirtualClock

if TYPE_CHECKING:
    from simulation.world import World

RETRY_S = 0.5
STARTS_MAX = 400


class Process:
    """`name` is a place ("bots/2"); whoever lives there now is `owner`."""

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self.service = service_of(name)
        self.generation = 0
        self.owner = Owner(name)
        self.owner.alive = False
        self.is_serving = False
        self.clock = VirtualClock()
        self.app: Any = None
        self._world = world

    async def start(self) -> None:
        """Until it serves, or is killed on the way. What can't start is started again, as a supervisor does."""
        self.generation += 1
        owner = Owner(f"{self.name}#{self.generation}")
        for _ in range(STARTS_MAX):
            if self.owner.alive:
                self.owner.alive = False
                self._world.buried.append(self.owner)
                owner = Owner(owner.name)
            self.owner = owner
            if await self._start(owner):
                self.is_serving = True
                self._world.trace.add("event", f"{owner.name} serves")
                return
            if self.owner is not owner or not owner.alive:
                return
            await asyncio.sleep(RETRY_S)
        raise TimeoutError(f"{self.name} does not start")

    async def _start(self, owner: Owner) -> bool:
        loop = self._world.loop
        started: asyncio.Future[bool] = loop.create_future()
        self.app = self._made(owner)
        loop.create_task(self._live(self.app, started), context=owner.context.copy())
        return await started

    def _made(self, owner: Owner) -> Any:
        world = self._world
        if self.service == GATEWAY:
            clock = self.clock = VirtualClock(world.loop)

            def upstream(service: str, addresses: Any) -> SimulatedUpstream:
                return SimulatedUpstream(world.network, owner, service, addresses)

            return gateway_app(world.places, upstream, clock)
        made = application(self.name)
        self.clock = made.clock
        made.clock.loop, made.clock.skew_s = world.loop, 0.0
        made.client._motor = SimulatedMotor(world.server, owner)  # type: ignore[assignment]
        made.client._causal = world.server.is_cluster
        made.app.state.rules.start(None)
        made.app.middleware_stack = None  # it counts requests, of which a killed process finishes none
        return made.app

    async def _live(self, app: Any, started: "asyncio.Future[bool]") -> None:
        """The app's lifespan; nobody ends it in an orderly way here."""
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.get_running_loop().create_future()
            asked = True
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:
            if not started.done():
                started.set_result(message["type"] == "lifespan.startup.complete")

        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
        except Exception:  # noqa: BLE001 (Starlette raises after it has said that it failed)
            if not started.done():
                started.set_result(False)

    def kill(self) -> None:
        """kill -9: not one line of its code runs after this."""
        if not self.owner.alive:
            return
        world, owner = self._world, self.owner
        world.trace.add("kill", owner.name)
        owner.alive = self.is_serving = False
        world.buried.append(owner)
        world.server.forget(owner, world.random)
        world.network.forget(owner)

    def pause(self) -> None:
        """It stands still, as if it were stopped by a signal; what it is sent waits."""
        self._world.trace.add("event", f"{self.owner.name} stands still")
        self.owner.paused = True

    def skew(self, seconds: float) -> None:
        """Its clock steps."""
        self._world.trace.add("event", f"the clock of {self.owner.name} goes wrong by {seconds:g} s")
        self.clock.skew_s = seconds

    def resume(self) -> None:
        if self.owner.paused:
            self._world.trace.add("event", f"{self.owner.name} goes on")
            self._world.loop.resume(self.owner)
