"""Distributions: what each stake is paid, once in a period, however often and late it is asked for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from distributed import STAKES, assert_paid_once, staked
from staking_world import DATABASE, DAY_S, TODAY, TREASURER, Process, World, silent_logs

from kit.ids import new_id
from kit.problems import InvalidRequest, NotFound
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.domain.rewards import fixed_apr_reward
from staking.operations import distribution_batches, distributions

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


async def test_stakes_get_what_they_earned_up_to_now(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)
    progress = await process.distribute()
    due = fixed_apr_reward(10 * OMNI, 1200, 3_600)
    assert (progress.distribution.state, progress.stakes_paid, progress.amount_paid) == ("done", STAKES, STAKES * due)
    await assert_paid_once(world, pool_id, 3_600)


@pytest.mark.usefixtures("small_batches")
async def test_batches_pay_all(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)
    assert (await process.distribute()).stakes_paid == STAKES
    await assert_paid_once(world, pool_id, 3_600)


async def test_distributing_again_pays_nobody_again_but_who_came_later(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)
    first = await process.distribute()
    world.clock.advance(3_600)
    again = await process.distribute()
    assert (again.stakes_paid, again.amount_paid) == (first.stakes_paid, first.amount_paid)
    user_id = new_id()
    await process.credit(user_id, "10")
    late = await process.stake(user_id, pool_id, "10")
    world.clock.advance(60)
    assert (await process.distribute()).stakes_paid == STAKES + 1
    assert await process.claim(late) == fixed_apr_reward(10 * OMNI, 1200, 60)


async def test_rest_of_a_day_falls_to_the_next_run(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)
    await process.distribute()
    world.clock.advance(DAY_S)
    await process.distribute("2026-11-24")
    stake = (await world.stakes(pool_id))[0]
    assert stake.settled == fixed_apr_reward(10 * OMNI, 1200, DAY_S + 3_600)
    assert [log.period for log in await world.logs(stake.id)] == [TODAY, "2026-11-24"]


async def test_day_that_is_over_pays_up_to_its_end(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(DAY_S + 5 * 3_600)
    await process.distribute()
    await assert_paid_once(world, pool_id, DAY_S // 2)
    assert {stake.settled_through.isoformat() for stake in await world.stakes(pool_id) if stake.settled_through} == {
        "2026-11-24T00:00:00+00:00"
    }


async def test_days_may_be_distributed_late_and_out_of_order(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(3 * DAY_S)
    await process.distribute("2026-11-25")
    await process.distribute("2026-11-23")
    await process.distribute("2026-11-24")
    stake = (await world.stakes(pool_id))[0]
    assert stake.settled == fixed_apr_reward(10 * OMNI, 1200, DAY_S * 5 // 2)
    assert [log.period for log in await world.logs(stake.id)] == ["2026-11-25"]


async def test_stake_of_today_gets_nothing_of_yesterday(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(DAY_S)
    user_id = new_id()
    await process.credit(user_id, "10")
    late = await process.stake(user_id, pool_id, "10")
    assert (await process.distribute()).stakes_paid == STAKES
    found = await world.stake(late.id)
    assert found is not None
    assert found.settled == 0


async def test_emission_of_a_day_that_is_over_is_what_was_staked_then(world: World, process: Process) -> None:
    pool = await process.pool(model="emission", ratePerSecond="0.001", budget="1000")
    users = [new_id(), new_id()]
    for user_id in users:
        await process.credit(user_id, "100")
    first = await process.stake(users[0], pool.id, "100")
    world.clock.advance(DAY_S)
    await process.stake(users[1], pool.id, "100")
    world.clock.advance(3_600)
    await process.distribute()
    paid = await world.stake(first.id)
    assert paid is not None
    assert paid.settled == DAY_S // 2 * 100_000


async def test_day_to_come_is_refused_and_unknown_days_are_not_found(process: Process) -> None:
    with pytest.raises(InvalidRequest):
        await process.distribute("2026-11-24")
    with pytest.raises(NotFound):
        await distributions.read_distribution(process.runtime, TREASURER, "2026-11-20")


async def test_worker_distributes_yesterday_once_it_is_over(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(DAY_S)
    await distributions.distribute_due(process.runtime, process.ledger)
    await distributions.distribute_due(process.runtime, process.ledger)
    await assert_paid_once(world, pool_id, DAY_S // 2)


@pytest.mark.usefixtures("small_batches")
async def test_what_time_cut_short_is_told_and_resumed(world: World, process: Process) -> None:
    pool_id = await staked(process)
    world.clock.advance(3_600)
    await distributions.distribute(process.runtime, process.ledger, TODAY, seconds_max=0)
    progress = await distributions.read_distribution(process.runtime, TREASURER, TODAY)
    assert (progress.distribution.state, progress.stakes_paid) == ("running", 0)
    await distributions.distribute_due(process.runtime, process.ledger)
    await assert_paid_once(world, pool_id, 3_600)


async def test_pool_that_fails_keeps_nobody_else_from_being_paid(world: World, process: Process) -> None:
    first, second = await staked(process, stakes=3), await staked(process, stakes=3)
    world.clock.advance(3_600)
    pools = world.client.database(DATABASE).rows("staking_pools")
    good = await pools.find_one({"_id": first})
    assert good is not None
    await pools.update_one({"_id": first}, {"$set": {"index": "not a number"}})
    assert (await process.distribute()).distribution.state == "running"
    assert all(stake.settled for stake in await world.stakes(second))
    await pools.update_one({"_id": first}, {"$set": {"index": good["index"]}})
    assert (await process.distribute()).distribution.state == "done"
    assert all(stake.settled for stake in await world.stakes(first))
