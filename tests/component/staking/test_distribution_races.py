"""Distributions that meet each other, exits and death: each stake is paid once in a period all the same."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from distributed import assert_paid_once, staked
from staking_ledger import die_at, mortal
from staking_world import Process, World, silent_logs

from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.domain.rewards import fixed_apr_reward
from staking.operations import distribution_batches

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.prepare()
    yield world
    await world.heal()
    await world.check_books()


@pytest.fixture
async def process(world: World) -> AsyncIterator[Process]:
    async with world.process() as process:
        yield process


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with silent_logs():
        yield


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution_batches, "BATCH_STAKES_MAX", 5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.usefixtures("small_batches")
async def test_workers_at_once_pay_once(world: World, process: Process, seed: int) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)

    async def work(number: int) -> None:
        client, _ = mortal(world.motor, seed * 10 + number)
        async with world.process(client) as worker:
            await worker.distribute()

    await asyncio.gather(*(work(number) for number in range(3)))
    await assert_paid_once(world, pool_id, 3_600)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("small_batches")
async def test_stakes_left_and_made_meanwhile_are_paid_exactly(world: World, process: Process, seed: int) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)
    stakes = await world.stakes(pool_id)
    client, _ = mortal(world.motor, seed)
    async with world.process(client) as worker:
        await asyncio.gather(
            worker.distribute(),
            *(worker.unstake(stake) for stake in stakes[seed % 3 :: 3]),
            worker.stake(stakes[0].user_id, pool_id, "10"),
            worker.fund(pool_id, "1"),
        )
    due = fixed_apr_reward(10 * OMNI, 1200, 3_600)
    for stake in await world.stakes(pool_id):
        logged = sum(log.amount for log in await world.logs(stake.id))
        assert logged == stake.settled == (due if stake.id in {one.id for one in stakes} else 0)


async def test_exit_that_a_distribution_overtook_pays_nothing_twice(world: World, process: Process) -> None:
    pool_id = await staked(process, stakes=3)
    world.clock.advance(3_600)
    stake = (await world.stakes(pool_id))[0]
    client, faults = mortal(world.motor)
    held = faults.add("hold", "insert_many", "movements")
    async with world.process(client) as slow:
        leaving = asyncio.create_task(slow.unstake(stake))
        await held.gate.reached.wait()
        await process.distribute()
        held.gate.open()
        left = await leaving
    assert (left.settled, left.claimable) == (fixed_apr_reward(10 * OMNI, 1200, 3_600), 0)
    assert sum(log.amount for log in await world.logs(stake.id)) == left.settled


async def test_distribution_that_an_exit_overtook_pays_the_others(world: World, process: Process) -> None:
    pool_id = await staked(process, stakes=3)
    world.clock.advance(3_600)
    stake = (await world.stakes(pool_id))[0]
    client, faults = mortal(world.motor)
    held = faults.add("hold", "insert_many", "movements")
    async with world.process(client) as slow:
        distributing = asyncio.create_task(slow.distribute())
        await held.gate.reached.wait()
        await process.unstake(stake)
        held.gate.open()
        progress = await distributing
    assert (progress.distribution.state, progress.stakes_paid) == ("done", 2)
    assert [log.kind for log in await world.logs(stake.id)] == ["exit"]


async def operations_of_a_distribution(folder: Path) -> int:
    world = World(folder)
    await world.prepare()
    async with world.process() as process:
        await staked(process, stakes=6)
    world.clock.advance(3_600)
    client, faults = mortal(world.motor)
    async with world.process(client) as worker:
        begun = len(faults.calls)
        await worker.distribute()
        return len(faults.calls) - begun


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.usefixtures("small_batches")
async def test_worker_may_die_at_any_operation(tmp_path: Path, *, answered: bool) -> None:
    operations = await operations_of_a_distribution(tmp_path)
    assert operations > 20
    for at in range(answered, operations, 3):
        world = World(tmp_path)
        await world.prepare()
        async with world.process() as process:
            pool_id = await staked(process, stakes=6)
        world.clock.advance(3_600)
        await die_while_distributing(world, at, answered=answered)
        await world.heal()
        async with world.process() as alive:
            await alive.distribute()
        await assert_paid_once(world, pool_id, 3_600)
        await world.check_books()


async def die_while_distributing(world: World, at: int, *, answered: bool) -> None:
    client, faults = mortal(world.motor)
    async with world.process(client) as worker:
        die_at(faults, at, answered=answered)
        try:
            await worker.distribute()
        except Exception:  # noqa: BLE001 (whatever it was that it died of)
            return
