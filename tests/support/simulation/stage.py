"""For scenarios: act in the background, hold and kill at a named step, heal and judge."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from simulation.checks import findings
from simulation.clients import Client, Reply
from simulation.faults import HOP, Rule
from simulation.residents import Resident, barred
from simulation.world import World, simulate

T = TypeVar("T")

PATIENCE_S = 400.0
DELETES = "/internal/references/"
SEEDS = (1, 2)
STEPS_MAX = 400

Scenario = Callable[[World], Awaitable[list[str]]]
StepScenario = Callable[[World, int], Awaitable[tuple[bool, list[str]]]]
"""Whether there was such a step, and what is wrong in the end."""


def passes(scenario: Scenario, *, seeds: Iterable[int] = SEEDS, **setting: bool) -> None:
    """Nothing is wrong at the end of the scenario, whatever the seed."""
    for seed in seeds:
        found, _ = simulate(seed, scenario, **setting)
        assert found == [], f"seed {seed}"


def each_step(scenario: StepScenario, *, seed: int, stride: int = 1, **setting: bool) -> int:
    """Runs the scenario with something happening at its first step, its second, and so on, until there is no such step;
    returns their number."""
    for step in range(0, STEPS_MAX, stride):

        async def at_this_step(world: World, at: int = step) -> tuple[bool, list[str]]:
            return await scenario(world, at)

        (struck, found), _ = simulate(seed, at_this_step, **setting)
        assert found == [], f"seed {seed}, step {step}"
        if not struck:
            return step
    raise AssertionError(f"more than {STEPS_MAX} steps")


def started(world: World, work: Awaitable[T]) -> "asyncio.Task[T]":
    async def to_its_end() -> T:
        return await work

    return world.loop.create_task(to_its_end())


async def reached(gate: Any) -> None:
    """Until something waits at the gate."""
    async with asyncio.timeout(PATIENCE_S):
        await gate.reached.wait()


@dataclass
class Held:
    """A delete that stands still before one of its steps, unless it had ended before that."""

    deleting: "asyncio.Task[Reply]"
    rule: Rule

    @property
    def is_struck(self) -> bool:
        return self.rule.struck > 0

    async def goes_on(self) -> Reply:
        self.rule.gate.open()
        return await self.deleting


async def held_at(world: World, step: int, by: Client, target: str) -> Held:
    """By the first gateway, which sends it once."""
    rule = world.order("hold", kind=HOP, process="gateway/1", what=f"POST {DELETES}", skip=step)
    deleting = started(world, by.call("DELETE", target, gateway="gateway/1", tries=1))
    await asyncio.wait({deleting, started(world, rule.gate.reached.wait())}, return_when=asyncio.FIRST_COMPLETED)
    return Held(deleting, rule)


async def healed(world: World) -> list[str]:
    """What is wrong once all is healed. Whoever is there can be used: nothing bars them for ever."""
    await world.heal()
    found = await findings(world, with_ledger=bool(world.journal.of("POST", "/v1/balances")))
    return [*found, *await barred(world)]


def is_gone(world: World, user: Resident) -> bool:
    return world.rows("users", "users").find_one({"_id": user.id}) is None


async def ended(world: World, reply: Reply) -> dict[str, Any]:
    """Where a delete that was answered 202 stands after healing."""
    assert reply.status == 202, reply
    told = await world.admin.get(reply.headers["location"])
    assert told.status == 200, told
    body: dict[str, Any] = told.body
    return body
