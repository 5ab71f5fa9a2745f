"""Deleting pools: which, by whom, and that no funding ever loses its pool."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mock_store import Fault
from owner_deletes import begin, begun, closed, plan, purged, removed
from owner_deletes import refused as refuse_delete
from stakers import Stakers, done, refused, stakers
from staking_ledger import mortal
from staking_world import TREASURER, Process, World, silent_logs

from kit.ids import new_id
from kit.problems import IllegalTransition, NotFound, Unavailable
from staking.documents.movement import SystemAccount
from staking.documents.pool import StakingPool
from staking.domain.amounts import UNITS_PER_OMNI as OMNI
from staking.domain.system_accounts import TREASURY
from staking.operations.deletes import plan_delete_pool

pytestmark = pytest.mark.anyio

OPERATIONS_MAX = 40
Between = Callable[[], Awaitable[None]]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Stakers]:
    async with stakers(tmp_path) as service:
        yield service


async def draft(service: Stakers) -> dict[str, Any]:
    return {"poolId": (await service.pool(is_open=False, budget=None))["poolId"]}


async def test_draft_that_was_never_funded_is_deleted_by_the_treasury(service: Stakers) -> None:
    pool = await draft(service)
    path = f"/v1/staking/pools/{pool['poolId']}"
    refused(await begin(service.user, "deletePool", **pool), 403, "forbidden")
    refused(await begin(service.gateway.anonymous(), "deletePool", **pool), 401, "unauthenticated")
    refused(await begin(service.treasury, "deletePool", poolId=new_id()), 404, "not-found")
    refused(await service.treasury.delete(path), 428, "references-not-validated")
    await removed(service.treasury, "deletePool", **pool)
    refused(await service.user.get(path), 404, "not-found")
    refused(await begin(service.treasury, "deletePool", **pool), 404, "not-found")


@pytest.mark.parametrize("actions", [("open",), ("open", "pause"), ("close",), ("fund",), ("fund", "close")])
async def test_pool_with_a_history_is_not_deleted(service: Stakers, actions: tuple[str, ...]) -> None:
    pool = await draft(service)
    path = f"/v1/staking/pools/{pool['poolId']}"
    for action in actions:
        done(await service.treasury.post(f"{path}/{action}", json={"amount": "1"} if action == "fund" else None))
    state = done(await service.user.get(path))["state"]
    for ask in (plan, begin):
        problem = refused(await ask(service.treasury, "deletePool", **pool), 409, "illegal-transition")
        assert (problem["from"], problem["action"]) == (state, "delete")
        assert ("ever funded" in problem["detail"]) == ("fund" in actions)


async def test_stale_version_is_refused(service: Stakers) -> None:
    pool = await draft(service)
    done(await service.treasury.patch(f"/v1/staking/pools/{pool['poolId']}", json={"name": "other"}))
    refused(await begin(service.treasury, "deletePool", if_match=1, **pool), 412, "version-mismatch")
    assert done(await begin(service.treasury, "deletePool", if_match=2, **pool))["state"] == "deleting"


async def test_pool_that_is_going_stays_as_it_is(service: Stakers) -> None:
    pool = await draft(service)
    path = f"/v1/staking/pools/{pool['poolId']}"
    deletion = await begun(service.treasury, "deletePool", **pool)

    async def refusals(status: int, code: str) -> None:
        refused(await service.treasury.post(f"{path}/open"), status, code)
        refused(await service.treasury.patch(path, json={"name": "other"}), status, code)
        refused(await service.treasury.post(f"{path}/fund", json={"amount": "1"}, idempotency_key="f"), status, code)

    await refusals(503, "unavailable")
    assert await closed(service.treasury, deletion) == []
    await purged(service.treasury, deletion)
    await refusals(404, "not-found")


async def test_pool_whose_delete_was_refused_is_funded_by_the_same_request(service: Stakers) -> None:
    pool = await draft(service)
    path = f"/v1/staking/pools/{pool['poolId']}/fund"
    deletion = await begun(service.treasury, "deletePool", **pool)
    refused(await service.treasury.post(path, json={"amount": "1"}, idempotency_key="k"), 503, "unavailable")
    await refuse_delete(service.treasury, deletion)
    funded = done(await service.treasury.post(path, json={"amount": "1"}, idempotency_key="k"))
    assert funded["budget"]["funded"] == "1.00000000"


@dataclass
class Race:
    """A draft, somebody who funds it with 5 OMNI and somebody who deletes it, each in a process of their own."""

    world: World
    pool_id: str

    async def fund(self, process: Process) -> str:
        try:
            await process.fund(self.pool_id, "5")
        except (NotFound, Unavailable) as refusal:
            return refusal.code
        return "funded"

    async def delete(self, process: Process, between: Between | None = None) -> str:
        """`between`: what happens when the pool is marked, before it goes."""
        deletions = process.runtime.references.deletions
        try:
            planned = await plan_delete_pool(process.runtime, TREASURER, {"poolId": self.pool_id}, None)
            marked = await deletions.begin("staking", "staking_pools", planned, TREASURER.id)
            if between is not None:
                await between()
            if marked.state == "deleting":
                await deletions.purge(marked.deletion_id, marked.epoch, [])
                marked = await deletions.finish(marked.deletion_id, marked.epoch, {})
        except (NotFound, Unavailable, IllegalTransition) as refusal:
            return refusal.code
        return marked.state

    async def check(self, funded: str, deleted: str) -> None:
        """Exactly one of the two happened, and the books agree."""
        await self.world.heal()
        store = self.world.client.database("omnitrade_staking")
        pool = await store.collection(StakingPool).get(self.pool_id)
        treasury = await store.collection(SystemAccount).get(TREASURY.id)
        assert treasury is not None
        await self.world.check_books()
        if deleted == "done":
            assert (pool, treasury.amount, funded) == (None, 0, funded)
            assert funded in ("not-found", "unavailable")
        else:
            assert deleted in ("illegal-transition", "unavailable", "changed")
            assert pool is not None
            assert (pool.funded, pool.marks, treasury.amount) == (5 * OMNI, {}, -5 * OMNI)


async def drafted(folder: Path) -> Race:
    world = World(folder)
    await world.prepare()
    async with world.process() as process:
        return Race(world, (await process.pool(budget=None, is_open=False)).id)


@pytest.mark.parametrize("held", ["fund", "fund until the mark", "delete"])
@pytest.mark.parametrize("kind", ["hold", "hold-answer"])
async def test_funding_and_delete_at_once_end_in_one_of_the_two(tmp_path: Path, held: str, kind: str) -> None:
    """One of them is held at each of its operations in turn, before it takes effect and after, while the other runs
    from its beginning to its end, or the delete as far as its mark."""
    ends: set[tuple[str, str]] = set()
    with silent_logs():
        for step in range(OPERATIONS_MAX):
            race = await drafted(tmp_path)
            client, faults = mortal(race.world.motor)
            async with race.world.process(client) as slow, race.world.process() as fast:
                gate = Fault(kind, skip=step)
                faults.rules.append(gate)
                waiting = asyncio.create_task(race.delete(slow) if held == "delete" else race.fund(slow))
                reaching = asyncio.create_task(gate.gate.reached.wait())
                await asyncio.wait([waiting, reaching], return_when=asyncio.FIRST_COMPLETED)
                was_held = reaching.done()

                async def let_go(gate: Fault = gate, waiting: asyncio.Task[str] = waiting) -> None:
                    gate.gate.open()
                    await waiting

                if held == "delete":
                    other = await race.fund(fast)
                else:
                    other = await race.delete(fast, let_go if held == "fund until the mark" else None)
                await let_go()
                reaching.cancel()
                ended = (other, await waiting) if held == "delete" else (await waiting, other)
            await race.check(*ended)
            ends.add(ended)
            if not was_held:
                break
    assert step < OPERATIONS_MAX - 1
    assert {deleted == "done" for _, deleted in ends} == {True, False}


async def test_pool_with_a_movement_on_the_way_is_not_marked(tmp_path: Path) -> None:
    """The funding has held its place in the pool, and died."""
    race = await drafted(tmp_path)
    with silent_logs():
        client, faults = mortal(race.world.motor)
        async with race.world.process(client) as dying, race.world.process() as alive:
            faults.add("refuse", "update_many", "movements", times=1_000_000)
            assert await race.fund(dying) == "unavailable"
            assert (await race.world.pool(race.pool_id)).marks
            assert await race.delete(alive) == "unavailable"
            await race.world.heal()
            assert await race.delete(alive) == "illegal-transition"
        await race.check("funded", "illegal-transition")


async def test_deletes_are_documented(service: Stakers) -> None:
    paths = service.gateway.app.openapi()["paths"]
    for path, conflicts in (("/v1/staking/pools/{poolId}", ["illegal-transition"]),):
        operation = paths[path]["delete"]
        assert {"202", "204", "404", "409", "412"} <= operation["responses"].keys()
        assert operation["responses"]["202"]["headers"].keys() == {"Location", "Preference-Applied"}
        assert set(operation["responses"]["409"]["x-codes"]) == {"delete-restricted", *conflicts}
        assert "resource-deleted" in paths[path.rpartition("/")[0]]["post"]["responses"]["409"]["x-codes"]
