"""A user who is deleted while tokens are on their way to them: either the delete sees them, or they never arrive."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mock_store import Fault
from staking_ledger import mortal
from staking_world import TODAY, TREASURER, Process, World, silent_logs

from kit.context import ValidatedReference
from kit.ids import new_id
from kit.problems import ReferenceClosed, Unavailable
from kit.references.attached import Attached
from kit.references.deletes.closing import Closing
from staking.documents.balance import BalanceEntry, TokenBalance
from staking.documents.reward_log import RewardLog
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.operations import balances, rewards
from staking.schemas.rewards import RewardCreate

pytestmark = pytest.mark.anyio

RELATIONSHIPS = ("user_token_balances.userId", "user_stakes.userId", "reward_transaction_logs.userId")
OPERATIONS_MAX = 60
EPOCH = 1


@dataclass
class Scene:
    """A user without a balance, and a campaign."""

    world: World
    campaign_id: str
    user_id: str = field(default_factory=new_id)
    action_id: str = field(default_factory=new_id)

    async def credit(self, process: Process, *, epoch: int = 0) -> str:
        move = balances.BalanceMove(self.action_id, self.user_id, 5 * OMNI, "deposit")
        work = balances.credit(process.runtime, process.ledger, TREASURER, self._attached(epoch), move)
        return await self._ended(work)

    async def bonus(self, process: Process, *, epoch: int = 0) -> str:
        body = RewardCreate.model_validate(
            {"userId": self.user_id, "sourceType": "campaign", "sourceId": self.campaign_id, "amount": "5"}
        )
        work = rewards.create_reward(
            process.runtime, process.ledger, TREASURER, self._attached(epoch), body, log_id=self.action_id
        )
        return await self._ended(work)

    async def close(self, process: Process) -> list[str]:
        """The delete's fence in this service; what blocks it."""
        references = process.runtime.references
        namings = [references.namings.find(one, "users") for one in RELATIONSHIPS]
        assert await references.closer.close([Closing(one, self.user_id, EPOCH) for one in namings]) == []
        blocked = [await references.closer.count(one, self.user_id, TREASURER) for one in namings]
        return [one.relationship for one in blocked if one is not None]

    async def apply(self, process: Process) -> None:
        references = process.runtime.references
        for one in RELATIONSHIPS:
            naming = references.namings.find(one, "users")
            await references.cascade.apply(naming, [self.user_id], naming.reference.on_delete, "users.deletion")
            assert not await references.cascade.left(naming, [self.user_id])

    async def left(self) -> dict[str, int]:
        store = self.world.client.database("omnitrade_staking")
        kinds = (TokenBalance, BalanceEntry, RewardLog)
        counts = {
            kind.collection_name(): await store.collection(kind).count({"userId": self.user_id}) for kind in kinds
        }
        return {name: count for name, count in counts.items() if count}

    def _attached(self, epoch: int) -> Attached:
        return Attached([ValidatedReference(one, "users", self.user_id, epoch) for one in RELATIONSHIPS])

    async def _ended(self, work: Awaitable[object]) -> str:
        try:
            await work
        except (ReferenceClosed, Unavailable) as refusal:
            return refusal.code
        return "given"


async def set_up(folder: Path) -> Scene:
    world = World(folder)
    await world.prepare()
    async with world.process() as process:
        return Scene(world, (await process.campaign("100")).id)


@pytest.mark.parametrize("kind", ["hold", "hold-answer"])
@pytest.mark.parametrize("given", ["credit", "bonus"])
async def test_tokens_on_their_way_are_seen_or_never_arrive(tmp_path: Path, given: str, kind: str) -> None:
    """The giving is held at each of its operations in turn, while the user is deleted."""
    ends: set[bool] = set()
    with silent_logs():
        for step in range(OPERATIONS_MAX):
            scene = await set_up(tmp_path)
            client, faults = mortal(scene.world.motor)
            async with scene.world.process(client) as slow, scene.world.process() as fast:
                give = getattr(scene, given)
                held = Fault(kind, skip=step)
                faults.rules.append(held)
                giving = asyncio.create_task(give(slow))
                reaching = asyncio.create_task(held.gate.reached.wait())
                await asyncio.wait([giving, reaching], return_when=asyncio.FIRST_COMPLETED)
                was_held = reaching.done()
                is_blocked = bool(await scene.close(fast))
                if not is_blocked:
                    await scene.apply(fast)
                held.gate.open()
                reaching.cancel()
                said = await giving
                if is_blocked and said != "given":
                    said = await give(fast, epoch=EPOCH + 1)
                assert said == "given" if is_blocked else said in ("reference-closed", "unavailable")
            await scene.world.heal()
            await scene.world.check_books()
            assert bool(await scene.left()) is is_blocked
            ends.add(is_blocked)
            if not was_held:
                break
    assert step < OPERATIONS_MAX - 1
    assert ends == {True, False}


async def test_empty_balance_goes_with_its_user(tmp_path: Path) -> None:
    """The credit died after it had made the balance, before it was said to have entries."""
    scene = await set_up(tmp_path)
    with silent_logs():
        client, faults = mortal(scene.world.motor)
        async with scene.world.process(client) as dying, scene.world.process() as alive:
            faults.add("refuse", "bulk_write", "user_token_balances", times=1_000)
            assert await scene.credit(dying) == "unavailable"
            assert set(await scene.left()) == {"user_token_balances"}
            assert await scene.close(alive) == []
            await scene.apply(alive)
    assert await scene.left() == {}


async def test_stakes_go_on_while_it_is_not_decided_whether_their_user_goes(tmp_path: Path) -> None:
    scene = await set_up(tmp_path)
    async with scene.world.process() as process:
        await process.credit(scene.user_id, "100")
        pool = await process.pool()
        stake = await process.stake(scene.user_id, pool.id, "50")
        scene.world.clock.advance(3_600)
        assert set(await scene.close(process)) == {"user_token_balances.userId", "user_stakes.userId"}
        assert (await process.distribute(TODAY)).stakes_paid == 1
        assert await process.claim(stake) > 0
        scene.world.clock.advance(3_600)
        assert (await process.unstake(stake)).state == "withdrawn"
        with pytest.raises(ReferenceClosed):
            await process.stake(scene.user_id, pool.id, "1")
    assert {log.kind for log in await scene.world.logs(stake.id)} == {"distribution", "exit"}
    await scene.world.check_books()
