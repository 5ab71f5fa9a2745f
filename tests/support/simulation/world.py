"""The whole platform in one simulated world: three services (bots twice), two gateways, a store, a network, clients."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from simulation.applications import (
    DOCUMENTS,
    GATEWAYS,
    GUEST_PLACES,
    MORE_PLACES,
    PLACES,
    cheapened,
    database_of,
    host_of,
)
from simulation.clients import Client, Journal
from simulation.faults import CALM, Faults, Rule, Weather
from simulation.loop import Owner, SimulatedLoop, bury, run
from simulation.network import Network
from simulation.processes import Process
from simulation.server import Server
from simulation.sources import BEGIN, seeded
from simulation.trace import Trace

T = TypeVar("T")

ADMIN_ID = "01900000-0000-7000-8000-00000000ad01"
QUIET_S = 150.0
"""So long after the last fault everything must be at rest: a reaper looks twice, a minute apart."""


class World:
    def __init__(
        self,
        seed: int,
        loop: SimulatedLoop,
        *,
        is_cluster: bool = False,
        is_wide: bool = False,
        has_guest: bool = False,
        lines: bool = False,
    ) -> None:
        """`is_cluster`: the store is a replica set. `is_wide`: there are two replicas of every service. `has_guest`:
        another team's service has joined."""
        self.seed = seed
        self.has_guest = has_guest
        self.places = (*PLACES, *(MORE_PLACES if is_wide else ()), *(GUEST_PLACES if has_guest else ()))
        self.doors: tuple[str, ...] = GATEWAYS
        """Where clients knock."""
        self.loop = loop
        self.random = random.Random(f"world {seed}")
        self.trace = Trace(loop, lines=lines)
        self.faults = Faults(random.Random(f"faults {seed}"))
        self.server = Server(loop, self.faults, self.trace, is_cluster=is_cluster)
        self.network = Network(loop, self.faults, self.trace)
        self.journal = Journal()
        self.buried: list[Owner] = []
        self.processes = {name: Process(self, name) for name in (*self.places, *GATEWAYS)}
        self._supervised: set[asyncio.Task[None]] = set()
        for name, process in self.processes.items():
            self.network.processes[host_of(name)] = process

    async def start(self) -> None:
        """In calm weather: an admin and the first start of everything."""
        self.rows("users", "users").insert_one(_admin())
        for name in self.places:
            await self.processes[name].start()
        await asyncio.gather(*(self.processes[name].start() for name in GATEWAYS))
        await asyncio.sleep(1.0)

    def client(self, user_id: str = ADMIN_ID, roles: tuple[str, ...] = ("user",), *, name: str = "") -> Client:
        return Client(self, user_id, roles, name=name or user_id[-4:])

    @property
    def admin(self) -> Client:
        return self.client(ADMIN_ID, ("user", "admin"), name="admin")

    def rows(self, service: str, collection: str) -> Any:
        """The stored documents as they are, past every service."""
        return self.server.data[database_of(service)][collection]

    def order(self, fate: str, **options: Any) -> Rule:
        return self.faults.add(Rule(fate, **options))

    def set_weather(self, weather: Weather) -> None:
        self.faults.weather = weather

    # Processes

    def kill(self, place: str, *, restart_s: float | None = 0.5) -> None:
        """kill -9; a supervisor starts it again after `restart_s`, or nobody does."""
        self.processes[place].kill()
        if restart_s is not None:
            self._supervise(self._restart(place, restart_s))

    async def _restart(self, place: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if not self.processes[place].owner.alive:
            await self.processes[place].start()

    def _supervise(self, work: Any) -> None:
        task: asyncio.Task[None] = self.loop.create_task(work)
        self._supervised.add(task)
        task.add_done_callback(self._supervised.discard)

    def fail_over(self) -> None:
        """A new primary; about half of the processes go on asking the old one for a while."""
        alive = [one.owner for one in self.processes.values() if one.owner.alive and one.service in DOCUMENTS]
        self.server.fail_over([one for one in alive if self.random.random() < 0.5])

    # The end

    async def heal(self, *, quiet_s: float = QUIET_S) -> None:
        """No more faults; everything runs; what is late arrives; reapers and sweepers get the time that they need."""
        self.trace.add("event", "heals")
        self.faults.clear()
        self.faults.weather = CALM
        self.network.cut.clear()
        self.server.all_notice()
        for process in self.processes.values():
            process.resume()
            process.clock.skew_s = 0.0
        self.server.deliver_all()
        for name, process in self.processes.items():
            if not process.owner.alive:
                self._supervise(self._restart(name, 0.0))
        while self._supervised:
            await asyncio.wait(set(self._supervised))
        await asyncio.sleep(quiet_s)

    async def end(self) -> None:
        self.server.is_over = self.network.is_over = True
        await bury(self.loop, [*self.buried, *(process.owner for process in self.processes.values())])


def _admin() -> dict[str, Any]:
    return {
        "_id": ADMIN_ID,
        "email": "admin@omnitrade.example",
        "displayName": "Admin",
        "passwordHash": "instant$0",
        "roles": ["user", "admin"],
        "status": "active",
        "sessionEpoch": 0,
        "version": 1,
        "createdAt": BEGIN,
        "updatedAt": BEGIN,
    }


def simulate(
    seed: int,
    scenario: Callable[[World], Awaitable[T]],
    *,
    is_cluster: bool = False,
    is_wide: bool = False,
    has_guest: bool = False,
    lines: bool = False,
) -> tuple[T, World]:
    """Runs one scenario in one world from one seed."""
    loop = SimulatedLoop()
    with cheapened(), seeded(seed, loop):
        world = World(seed, loop, is_cluster=is_cluster, is_wide=is_wide, has_guest=has_guest, lines=lines)

        async def whole() -> T:
            try:
                await world.start()
                return await scenario(world)
            finally:
                await world.end()

        return run(whole(), loop), world
