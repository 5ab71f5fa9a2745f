"""A random workload: races of creates and changes against deletes, in rough weather, with processes killed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulation.cabinet import GUEST_RACES
from simulation.checks import findings
from simulation.clients import Reply
from simulation.faults import ROUGH
from simulation.races import Acts, Race, by_name
from simulation.residents import Resident, add_pair, barred, open_pool, settle

if TYPE_CHECKING:
    from simulation.world import World

EPISODES_PER_SEED = 3
HEAD_START_S_MAX = 0.5
LATEST_S = 2.0
"""When the last write against a delete begins, which takes about as long."""


@dataclass
class Tally:
    """What came of the races: by race, whether the delete won (204, 202) or was refused, and whether creates did."""

    deletes: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    races: dict[str, set[str]] = field(default_factory=dict)

    def add(self, race: str, deletes: list[Reply], others: list[Reply]) -> None:
        for reply in deletes:
            self.deletes[_word(reply)] += 1
            if reply.status in (202, 204):
                self.races.setdefault(race, set()).add("deleted")
            elif reply.status == 409:
                self.races.setdefault(race, set()).add("kept")
        for reply in others:
            self.others[_word(reply)] += 1
            if reply.is_ok:
                self.races.setdefault(race, set()).add("written")
            elif reply.is_refused:
                self.races.setdefault(race, set()).add("refused")

    def merge(self, other: "Tally") -> None:
        self.deletes += other.deletes
        self.others += other.others
        for race, seen in other.races.items():
            self.races.setdefault(race, set()).update(seen)


def _word(reply: Reply) -> str:
    return str(reply.status) if reply.status else "nothing"


class Workload:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.random = world.random
        self.tally = Tally()

    async def run(self, *, episodes: int = EPISODES_PER_SEED) -> Tally:
        world = self.world
        add_pair(world)
        races = GUEST_RACES if world.has_guest else RACES
        chosen = [self.random.choice(list(races)) for _ in range(episodes)]
        residents = []
        for place, _ in enumerate(chosen):
            residents.append(await settle(world, f"user{place}", accounts=2, bots=2))
        for name, resident in zip(chosen, residents, strict=True):
            if "stake" in name:
                await resident.credit()
        world.set_weather(ROUGH)
        trouble = asyncio.get_running_loop().create_task(self._trouble())
        await asyncio.gather(
            *(self._race(name, races[name], resident) for name, resident in zip(chosen, residents, strict=True))
        )
        trouble.cancel()
        return self.tally

    async def _race(self, name: str, race: Race, resident: Resident) -> None:
        await asyncio.sleep(self.random.uniform(0, 1.0))
        deletes, others = await race(self, resident)
        others = [*others, *others]
        starts = [self._starts(one, HEAD_START_S_MAX) for one in deletes]
        starts += [self._starts(one, LATEST_S) for one in others]
        told = await asyncio.gather(*starts)
        self.tally.add(name, told[: len(deletes)], told[len(deletes) :])

    async def _starts(self, act: Callable[[], Awaitable[Reply]], latest_s: float) -> Reply:
        await asyncio.sleep(self.random.uniform(0, latest_s))
        return await act()

    async def _trouble(self) -> None:
        """Processes are killed, stand still, can't be reached or have the wrong time; a cluster gets a new primary."""
        world = self.world
        while True:
            await asyncio.sleep(self.random.uniform(0.05, 1.5))
            place, kind = self.random.choice(list(world.processes)), self.random.random()
            if kind < 0.5:
                if world.processes[place].is_serving:
                    world.kill(place, restart_s=self.random.uniform(0.1, 3.0))
            elif kind < 0.65:
                world.processes[place].pause()
                world.loop.call_later(self.random.uniform(0.1, 6.0), world.processes[place].resume)
            elif kind < 0.75:
                world.network.cut.add(place)
                world.loop.call_later(self.random.uniform(0.1, 4.0), world.network.cut.discard, place)
            elif kind < 0.8:
                world.processes[place].skew(self.random.choice((-3600.0, -2.0, 2.0)))
                world.loop.call_later(self.random.uniform(0.5, 6.0), world.processes[place].skew, 0.0)
            elif kind < 0.9 and world.server.is_cluster:
                world.fail_over()

    def some(self, values: list[str]) -> str:
        return self.random.choice(values)


async def user_against_creates(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    return [lambda: _delete_user(work, resident)], [
        lambda: resident.create_bot(work.some(resident.accounts)),
        lambda: resident.create_bot(work.some(resident.accounts), by=work.world.admin),
        resident.link,
        lambda: resident.deliver_sample(work.some(resident.bots)),
    ]


async def user_against_start(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    bot = work.some(resident.bots)
    return [lambda: _delete_user(work, resident)], [
        lambda: resident.act(bot, "start"),
        lambda: resident.repoint(work.some(resident.bots), work.some(resident.accounts)),
    ]


async def user_against_credit(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    return [lambda: _delete_user(work, resident)], [
        resident.credit,
        lambda: resident.create_bot(work.some(resident.accounts)),
    ]


async def user_twice(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    return [lambda: _delete_user(work, resident), lambda: _delete_user(work, resident)], [
        lambda: resident.create_bot(work.some(resident.accounts)),
        lambda: resident.act(work.some(resident.bots), "start"),
    ]


async def account_against_creates(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    await resident.link()
    free = resident.accounts[-1]
    return [lambda: resident.client.delete(f"/v1/exchange-accounts/{free}")], [
        lambda: resident.create_bot(free),
        lambda: resident.repoint(work.some(resident.bots), free),
    ]


async def account_and_user(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    await resident.link()
    free = resident.accounts[-1]
    return [
        lambda: resident.client.delete(f"/v1/exchange-accounts/{free}"),
        lambda: _delete_user(work, resident),
    ], [
        lambda: resident.create_bot(free),
        lambda: resident.act(work.some(resident.bots), "start"),
    ]


async def bot_against_its_children(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    bot = work.some(resident.bots)
    return [lambda: resident.client.delete(f"/v1/bots/{bot}")], [
        lambda: resident.deliver_sample(bot),
        lambda: resident.reward(bot),
        lambda: resident.act(bot, "start"),
        lambda: resident.repoint(bot, work.some(resident.accounts)),
    ]


async def bot_and_user(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    bot = work.some(resident.bots)
    return [lambda: resident.client.delete(f"/v1/bots/{bot}"), lambda: _delete_user(work, resident)], [
        lambda: resident.deliver_sample(bot),
        lambda: resident.reward(bot),
        lambda: resident.create_bot(work.some(resident.accounts)),
    ]


async def pool_against_stakes(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    """A draft can be deleted, and an open pool be staked in."""
    pool = await open_pool(work.world, is_open=False)
    return [lambda: work.world.admin.delete(f"/v1/staking/pools/{pool}")], [
        lambda: work.world.admin.post(f"/v1/staking/pools/{pool}/open"),
        lambda: work.world.admin.post(f"/v1/staking/pools/{pool}/fund", {"amount": "100"}),
        lambda: resident.stake(pool),
        lambda: resident.stake(pool),
    ]


async def user_and_erasure(work: Workload, resident: Resident) -> tuple[Acts, Acts]:
    return [lambda: _delete_user(work, resident)], [
        lambda: work.world.admin.post(f"/v1/users/{resident.id}/erase"),
        lambda: resident.create_bot(work.some(resident.accounts)),
        resident.link,
    ]


async def _delete_user(work: Workload, resident: Resident) -> Reply:
    by = work.world.admin if work.random.random() < 0.5 else resident.client
    return await by.delete(f"/v1/users/{resident.id}")


RACES = by_name(
    user_against_creates,
    user_against_start,
    user_against_credit,
    user_twice,
    user_and_erasure,
    account_against_creates,
    account_and_user,
    bot_against_its_children,
    bot_and_user,
    pool_against_stakes,
)

ALL_RACES = {**RACES, **GUEST_RACES}


async def random_run(world: "World") -> tuple[Tally, list[str]]:
    """The workload, healing, and what is wrong after it."""
    tally = await Workload(world).run()
    await world.heal()
    found = await findings(world, with_ledger=True)
    return tally, [*found, *await barred(world)]


def setting_of(seed: int) -> dict[str, bool]:
    """Every third seed runs on a replica set, every fourth with two replicas of every service, every fifth with another
    team's service and the races about it."""
    return {"is_cluster": seed % 3 == 0, "is_wide": seed % 4 == 0, "has_guest": seed % 5 == 0}
