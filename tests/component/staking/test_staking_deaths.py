"""A process may die at any operation of any action: what it began is carried through or undone, and the books agree."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from staking_ledger import die_at, mortal
from staking_world import TODAY, Process, World, silent_logs

from kit.ids import new_id
from kit.problems import Problem
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.domain.rewards import fixed_apr_reward

pytestmark = pytest.mark.anyio

HOUR_S = 3_600


@dataclass
class Scene:
    """A user with 100 OMNI, of which 40 are staked and have earned for an hour, and a campaign."""

    world: World
    user_id: str = ""
    pool_id: str = ""
    stake_id: str = ""
    campaign_id: str = ""
    action_id: str = ""

    async def set(self) -> None:
        await self.world.prepare()
        self.user_id, self.action_id = new_id(), new_id()
        async with self.world.process() as process:
            await process.credit(self.user_id, "100")
            self.pool_id = (await process.pool(maxStakePerUser="90", lockDays=3, earlyExitPenaltyBps=100)).id
            self.stake_id = (await process.stake(self.user_id, self.pool_id, "40")).id
            self.world.clock.advance(HOUR_S)
            await process.distribute(TODAY)
            self.campaign_id = (await process.campaign("5")).id

    async def act(self, process: Process, action: str) -> object:
        """The action as a client sends it again and again, with the same idempotency key."""
        stake = await self.world.stake(self.stake_id)
        assert stake is not None
        actions: dict[str, Callable[[], Awaitable[object]]] = {
            "stake": lambda: process.stake(self.user_id, self.pool_id, "30", stake_id=self.action_id),
            "overdrawn": lambda: process.stake(self.user_id, self.pool_id, "61", stake_id=self.action_id),
            "claim": lambda: process.claim(stake, action_id=self.action_id),
            "unstake": lambda: process.unstake(stake, action_id=self.action_id),
            "bonus": lambda: process.bonus(self.user_id, ("campaign", self.campaign_id), "3", log_id=self.action_id),
            "campaign": lambda: process.campaign("2", campaign_id=self.action_id),
            "close campaign": lambda: process.close_campaign(self.campaign_id),
            "close pool": lambda: process.close_pool(self.pool_id),
        }
        return await actions[action]()


EARNED = fixed_apr_reward(40 * OMNI, 1200, HOUR_S)
AVAILABLE = {
    "stake": 30 * OMNI,
    "overdrawn": 60 * OMNI,
    "claim": 60 * OMNI + EARNED,
    "unstake": 100 * OMNI - 40 * OMNI // 100 + EARNED,
    "bonus": 63 * OMNI,
    "campaign": 60 * OMNI,
    "close campaign": 60 * OMNI,
    "close pool": 60 * OMNI,
}
REPEATED = ("stake", "overdrawn", "claim", "unstake", "bonus", "campaign")
"""Actions that a client may send again with the same key."""


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with silent_logs():
        yield


async def count_operations(folder: Path, action: str) -> int:
    scene = Scene(World(folder))
    await scene.set()
    client, faults = mortal(scene.world.motor)
    async with scene.world.process(client) as process:
        begun = len(faults.calls)
        await attempt(scene, process, action)
        return len(faults.calls) - begun


async def attempt(scene: Scene, process: Process, action: str) -> bool:
    """Whether it was done."""
    try:
        await scene.act(process, action)
    except Problem:
        return False
    return True


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("action", AVAILABLE)
async def test_death_leaves_all_or_nothing(tmp_path: Path, action: str, *, answered: bool) -> None:
    operations = await count_operations(tmp_path, action)
    for at in range(answered, operations, 2):
        scene = Scene(World(tmp_path))
        await scene.set()
        before = await scene.world.balance(scene.user_id)
        client, faults = mortal(scene.world.motor)
        async with scene.world.process(client) as mortal_process:
            die_at(faults, at, answered=answered)
            is_done = await attempt(scene, mortal_process, action)
        await scene.world.heal()
        after = await scene.world.balance(scene.user_id)
        assert after.available in ({AVAILABLE[action]} if is_done else {before.available, AVAILABLE[action]})
        await nothing_pending(scene)
        await scene.world.check_books()
        if action in REPEATED:
            async with scene.world.process() as alive:
                assert await attempt(scene, alive, action) is (action != "overdrawn")
            assert (await scene.world.balance(scene.user_id)).available == AVAILABLE[action]
            await scene.world.check_books()


async def nothing_pending(scene: Scene) -> None:
    assert all(stake.state != "pending" for stake in await scene.world.stakes(scene.pool_id))
    assert all(log.state == "credited" for log in await scene.world.logs())
    campaign = await scene.world.campaign(scene.action_id)
    assert campaign is None or campaign.state == "open"
