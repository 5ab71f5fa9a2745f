"""Bonuses and campaigns: credited at once, never beyond a budget, seen by whom they belong to."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from staking_world import TREASURER, Process, World, caller, rewards_of

from kit.ids import new_id
from kit.paging import PageRequest
from kit.problems import Forbidden, IllegalTransition, ReferenceNotFound
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.operations import campaigns, rewards
from staking.problems import CampaignBudgetExceeded, CampaignClosed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.prepare()
    yield world
    await world.check_books()


@pytest.fixture
async def process(world: World) -> AsyncIterator[Process]:
    async with world.process() as process:
        yield process


async def test_campaign_pays_users_who_had_nothing_before(world: World, process: Process) -> None:
    campaign, user_id = await process.campaign("5"), new_id()
    log = await process.bonus(user_id, ("campaign", campaign.id), "4")
    assert (log.kind, log.amount, log.period) == ("bonus", 4 * OMNI, "2026-11-23")
    assert (await world.balance(user_id)).available == 4 * OMNI
    found = await world.campaign(campaign.id)
    assert found is not None
    assert (found.budget, found.left) == (5 * OMNI, OMNI)
    assert [one.id for one in await rewards_of(process, user_id)] == [log.id]


async def test_campaign_never_pays_beyond_its_budget(world: World, process: Process) -> None:
    campaign, user_id = await process.campaign("10"), new_id()
    await process.credit(user_id, "1")
    results = await asyncio.gather(
        *(process.bonus(user_id, ("campaign", campaign.id), "3") for _ in range(7)), return_exceptions=True
    )
    assert sum(isinstance(one, CampaignBudgetExceeded) for one in results) == 4
    assert (await world.balance(user_id)).available == 10 * OMNI
    assert len(await world.logs(campaign.id)) == 3


async def test_refused_bonus_leaves_no_log(world: World, process: Process) -> None:
    campaign, user_id = await process.campaign("1"), new_id()
    with pytest.raises(CampaignBudgetExceeded):
        await process.bonus(user_id, ("campaign", campaign.id), "2")
    assert await world.logs() == []
    assert (await world.balance(user_id)).available == 0


async def test_closed_campaign_pays_no_more_and_gives_the_rest_back(world: World, process: Process) -> None:
    campaign, user_id = await process.campaign("10"), new_id()
    await process.bonus(user_id, ("campaign", campaign.id), "3")
    closed = await process.close_campaign(campaign.id)
    assert (closed.state, closed.left, closed.returned) == ("closed", 0, 7 * OMNI)
    with pytest.raises(CampaignClosed):
        await process.bonus(user_id, ("campaign", campaign.id), "1")
    with pytest.raises(IllegalTransition):
        await process.close_campaign(campaign.id)


async def test_treasury_pays_bonuses_for_stakes_and_bots(world: World, process: Process) -> None:
    user_id = new_id()
    await process.credit(user_id, "10")
    stake = await process.stake(user_id, (await process.pool()).id, "10")
    await process.bonus(user_id, ("stake", stake.id), "1")
    await process.bonus(user_id, ("bot", new_id()), "2")
    assert (await world.balance(user_id)).available == 3 * OMNI


async def test_source_that_is_not_the_users_is_unknown(process: Process) -> None:
    user_id, other = new_id(), new_id()
    await process.credit(user_id, "10")
    stake = await process.stake(user_id, (await process.pool()).id, "10")
    for source in (("stake", stake.id), ("stake", new_id()), ("campaign", new_id())):
        with pytest.raises(ReferenceNotFound) as refused:
            await process.bonus(other, source, "1")
        assert [error.pointer for error in refused.value.errors] == ["/sourceId"]


async def test_same_bonus_again_finds_what_it_did(world: World, process: Process) -> None:
    campaign, user_id, log_id = await process.campaign("5"), new_id(), new_id()
    for _ in range(3):
        await process.bonus(user_id, ("campaign", campaign.id), "2", log_id=log_id)
    assert (await world.balance(user_id)).available == 2 * OMNI


async def test_rewards_are_seen_by_their_owner_and_the_treasury(process: Process) -> None:
    campaign, user_id, other = await process.campaign("5"), new_id(), new_id()
    await process.bonus(user_id, ("campaign", campaign.id), "1")
    await process.bonus(other, ("campaign", campaign.id), "1")
    everything = rewards.RewardFilters(user_id=None, source_id=None, since=None, until=None)
    of_other = rewards.RewardFilters(user_id=other, source_id=None, since=None, until=None)
    all_logs, _ = await rewards.list_rewards(process.runtime, TREASURER, everything, PageRequest())
    assert len(all_logs) == 2
    assert [log.user_id for log in await rewards_of(process, user_id)] == [user_id]
    none, _ = await rewards.list_rewards(process.runtime, caller(user_id), of_other, PageRequest())
    assert none == []


async def test_rewards_are_found_by_source_and_time(world: World, process: Process) -> None:
    user_id = new_id()
    first, second = await process.campaign("5"), await process.campaign("5")
    await process.bonus(user_id, ("campaign", first.id), "1")
    world.clock.advance(60)
    later = world.clock.now()
    await process.bonus(user_id, ("campaign", second.id), "2")

    async def amounts(**wanted: object) -> list[int]:
        filters: dict[str, Any] = {"user_id": None, "source_id": None, "since": None, "until": None, **wanted}
        found, _ = await rewards.list_rewards(
            process.runtime,
            caller(user_id),
            rewards.RewardFilters(**filters),
            PageRequest(),
        )
        return [log.amount // OMNI for log in found]

    assert await amounts() == [2, 1]
    assert await amounts(source_id=first.id) == [1]
    assert await amounts(since=later) == [2]
    assert await amounts(until=later) == [1]


async def test_campaigns_and_bonuses_are_the_treasurys(process: Process) -> None:
    everyone = caller(new_id())
    with pytest.raises(Forbidden):
        await campaigns.list_campaigns(process.runtime, everyone, None, PageRequest())
    with pytest.raises(Forbidden):
        await campaigns.read_campaign(process.runtime, everyone, new_id())
