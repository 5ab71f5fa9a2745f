"""Stores that fail over, are restored or changed behind the platform's back, and parents with very many children."""

import asyncio
from typing import Any

from simulation.checks import Books, dangling, stuck
from simulation.clients import Reply
from simulation.faults import STORE
from simulation.residents import Resident, add_pair, settle
from simulation.server import copy_of
from simulation.stage import each_step, ended, healed, is_gone, passes, started
from simulation.world import World

CHILDREN = 1_200
"""The same with 100,000 is measured on real stores; here it is more than two batches."""
CREATES_PER_S = 60
AUDIT_S = 240.0


def test_a_fail_over_between_any_two_steps_with_an_old_primary_that_answers() -> None:
    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        rule = world.order("pass", kind=STORE, skip=step, then=world.fail_over)
        racing = [started(world, world.admin.delete(f"/v1/users/{user.id}"))]
        racing += [started(world, user.create_bot(user.accounts[0])) for _ in range(2)]
        racing.append(started(world, user.act(user.bots[0], "start")))
        await asyncio.gather(*racing)
        struck = rule.struck > 0 and step < 150
        return struck, await healed(world)

    each_step(scenario, seed=1, stride=6, is_cluster=True)


def test_a_delete_begun_after_a_fail_over_is_known_though_an_old_primary_answers() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        world.network.cut.add("staking/1")  # else it is done before anybody can ask about it
        world.server.notices = 0.0
        world.server.fail_over([world.processes["users/1"].owner], lasts_s=1e6)
        reply = await world.admin.delete(f"/v1/users/{user.id}")
        assert (await ended(world, reply))["id"] == user.id
        world.network.cut.clear()
        found = await healed(world)
        assert (await ended(world, reply))["state"] == "done"
        return found

    passes(scenario, is_cluster=True)


def test_a_parent_with_very_many_children_goes_in_batches_while_others_go_on() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user, other = await settle(world, "ada", accounts=1, bots=1), await settle(world, "bob", accounts=1)
        _multiply(world, user.bots[0], CHILDREN)
        deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
        meanwhile = await asyncio.gather(*(other.create_bot(other.accounts[0]) for _ in range(5)))
        assert [reply.status for reply in meanwhile] == [201] * 5
        await deleting
        found = await healed(world)
        assert is_gone(world, user)
        assert world.rows("bots", "trading_bots").count_documents({}) == 6  # and the one of the last look
        return found

    passes(scenario, seeds=(1,))


def _multiply(world: World, bot: str, count: int) -> None:
    rows = world.rows("bots", "trading_bots")
    row = rows.find_one({"_id": bot})
    for number in range(1, count):
        key = f"01900000-0000-7000-8000-{number:012x}"
        rows._store._documents[key] = {**row, "_id": key, "name": f"bot {number}"}


def test_a_parent_that_many_refer_to_at_once_can_be_deleted() -> None:
    """Validations don't conflict with each other, and creates without end don't keep the delete from ending."""

    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        creating: list[asyncio.Task[Reply]] = []
        stream = started(world, _creates_without_end(world, user, creating))
        await asyncio.sleep(0.5)
        reply = await world.admin.delete(f"/v1/users/{user.id}")
        assert reply.status == 204, reply
        stream.cancel()
        creating.append(started(world, user.create_bot(user.accounts[0])))
        told = {reply.status for reply in await asyncio.gather(*creating)}
        assert 201 in told
        assert told & {409, 422}
        assert told <= {201, 409, 422}, told
        return await healed(world)

    async def _creates_without_end(world: World, user: Resident, creating: "list[asyncio.Task[Reply]]") -> None:
        while True:
            creating.append(started(world, user.create_bot(user.accounts[0])))
            await asyncio.sleep(1 / CREATES_PER_S)

    passes(scenario)


async def _audited(world: World) -> dict[str, Any]:
    begun = await world.admin.post("/v1/integrity/audits")
    assert begun.status == 202, begun
    for _ in range(40):
        await asyncio.sleep(AUDIT_S / 40)
        told = await world.admin.get(begun.headers["location"])
        if told.body.get("state") == "done":
            found: dict[str, Any] = told.body
            return found
    raise AssertionError(f"the audit does not end: {told}")


async def _repaired(world: World, report: dict[str, Any]) -> None:
    named = [
        {"relationship": relationship, "childId": child, "parentId": parent, "action": "remove"}
        for relationship, child, parent in sorted(_orphans(report))
    ]
    reply = await world.admin.post(f"/v1/integrity/audits/{report['auditId']}/repairs", {"items": named})
    assert reply.status == 200, reply


def _orphans(report: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (one["relationship"], orphan["childId"], orphan["parentId"])
        for one in report["relationships"]
        for orphan in one["orphans"]
    }


def test_an_orphan_planted_behind_the_platform_is_found_and_removed() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=2)
        assert _orphans(await _audited(world)) == set()
        nobody = "01900000-0000-7000-8000-00000000dead"
        world.rows("bots", "trading_bots").update_one({"_id": user.bots[0]}, {"$set": {"userId": nobody}})
        report = await _audited(world)
        found = _orphans(report)
        assert ("trading_bots.userId", user.bots[0], nobody) in found, found
        await _repaired(world, report)
        assert _orphans(await _audited(world)) == set()
        await world.heal()
        return [*dangling(Books(world)), *stuck(Books(world))]

    passes(scenario)


def test_a_restore_of_the_owners_database_is_found() -> None:
    """Whoever signed up after the backup was made is gone, and what they had is not."""

    async def scenario(world: World) -> list[str]:
        add_pair(world)
        old = await settle(world, "ada", accounts=1, bots=1)
        backup = copy_of(world.server.data)
        new = await settle(world, "bob", accounts=1, bots=1)
        world.kill("users/1", restart_s=1.0)
        _restore(world, backup, "sim_users")
        await asyncio.sleep(10.0)
        wrong = {one.split(" of ")[1].split(" ")[0] for one in dangling(Books(world))}
        report = await _audited(world)
        assert {child for _, child, _ in _orphans(report)} == wrong == set(new.bots)
        assert (await old.create_bot(old.accounts[0])).status == 201
        await _repaired(world, report)
        await world.heal()
        return list(dangling(Books(world)))

    passes(scenario)


def _restore(world: World, backup: Any, database: str) -> None:
    for name, collection in world.server.data._store[database]._collections.items():
        collection._documents = backup._store[database][name]._documents
