"""What the platform's own services don't have and another team's may: SET NULL beside RESTRICT, documents that refer to
their own kind; and many documents made at once."""

import asyncio
from typing import Any

import pytest
from simulation.cabinet import Cabinet, made
from simulation.faults import HOP, STORE
from simulation.residents import Resident, add_pair, settle
from simulation.stage import DELETES, each_step, healed, held_at, is_gone, passes, reached, started
from simulation.world import World

GONE = (202, 204)


async def moved_in(world: World, *, bots: int = 1) -> tuple[Resident, Cabinet]:
    add_pair(world)
    user = await settle(world, "ada", accounts=1, bots=bots)
    return user, Cabinet(user)


async def labelled(cabinet: Cabinet, **on: str) -> str:
    return await made(lambda: cabinet.label(**on), "labelId")


async def folded(cabinet: Cabinet, parent: str | None = None) -> str:
    return await made(lambda: cabinet.folder(parent), "folderId")


def row(world: World, collection: str, document_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = world.rows("cabinet", collection).find_one({"_id": document_id})
    return found


def stored(world: World, collection: str, document_id: str) -> dict[str, Any]:
    found = row(world, collection, document_id)
    assert found is not None
    return found


def has_bot(world: World, bot: str) -> bool:
    return world.rows("bots", "trading_bots").find_one({"_id": bot}) is not None


def test_what_one_sibling_keeps_is_not_taken_off_the_other() -> None:
    async def scenario(world: World) -> list[str]:
        user, cabinet = await moved_in(world)
        bot = user.bots[0]
        label = await labelled(cabinet, bot=bot)
        hold = await made(lambda: cabinet.hold(bot), "holdId")
        before = stored(world, "labels", label)
        refused = await user.client.delete(f"/v1/bots/{bot}")
        assert refused.status == 409, refused
        assert refused.body["blockedBy"] == [{"relationship": "holds.botId", "count": 1, "ids": []}]
        assert stored(world, "labels", label) == before
        assert (await cabinet.remove("hold", hold)).status == 204
        assert (await user.client.delete(f"/v1/bots/{bot}")).status == 204
        assert stored(world, "labels", label).get("botId") is None
        return await healed(world)

    passes(scenario, has_guest=True)


def test_a_hold_made_at_each_step_of_its_bots_delete() -> None:
    """Either it is refused, and the label comes off, or the delete is, and the label stays on."""
    outcomes: set[str] = set()

    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        user, cabinet = await moved_in(world)
        bot = user.bots[0]
        label = await labelled(cabinet, bot=bot)
        held = await held_at(world, step, user.client, f"/v1/bots/{bot}")
        reply = await cabinet.hold(bot)
        told = await held.goes_on()
        found = await healed(world)
        assert reply.is_ok == has_bot(world, bot), (reply, told)
        assert (stored(world, "labels", label).get("botId") == bot) == reply.is_ok
        outcomes.add("held" if reply.is_ok else "deleted")
        return held.is_struck, found

    each_step(scenario, seed=1, has_guest=True)
    assert outcomes == {"held", "deleted"}


@pytest.mark.parametrize("victim", ["gateway/1", "cabinet/1"])
def test_labels_come_off_whoever_is_killed_at_any_step(victim: str) -> None:
    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        user, cabinet = await moved_in(world)
        bot = user.bots[0]
        label = await labelled(cabinet, bot=bot)
        where = {"where": "cabinet"} if victim == "cabinet/1" else {}
        rule = world.order(
            "after",
            kind=HOP,
            process="gateway/1",
            what=f"POST {DELETES}",
            skip=step,
            then=lambda: world.kill(victim, restart_s=5.0),
            **where,
        )
        deleting = started(world, user.client.call("DELETE", f"/v1/bots/{bot}", gateway="gateway/1", tries=1))
        await asyncio.gather(deleting, cabinet.label(bot=bot), cabinet.hold(bot))
        found = await healed(world)
        if not has_bot(world, bot):
            assert stored(world, "labels", label).get("botId") is None
        return rule.struck > 0, found

    assert each_step(scenario, seed=2, has_guest=True) >= 3


def test_a_hold_goes_with_the_user_though_it_keeps_the_bot() -> None:
    async def scenario(world: World) -> list[str]:
        user, cabinet = await moved_in(world, bots=2)
        held, other = user.bots
        hold = await made(lambda: cabinet.hold(held), "holdId")
        label = await labelled(cabinet, bot=held)
        commit = world.order("hold", kind=STORE, what="update_many", where="holds")
        late = started(world, cabinet.hold(other))
        await reached(commit.gate)
        assert (await world.admin.delete(f"/v1/users/{user.id}")).status in GONE
        commit.gate.open()
        assert (await late).is_refused
        found = await healed(world)
        assert is_gone(world, user)
        assert row(world, "holds", hold) is None
        assert stored(world, "labels", label).get("botId") is None
        return found

    passes(scenario, has_guest=True)


def test_labels_in_a_ring_all_go_when_all_are_deleted_at_once() -> None:
    async def scenario(world: World) -> list[str]:
        _, cabinet = await moved_in(world)
        ring = [await labelled(cabinet)]
        for _ in range(3):
            ring.append(await labelled(cabinet, next_to=ring[-1]))
        assert (await cabinet.put_next_to(ring[0], ring[-1])).is_ok
        told = await asyncio.gather(*(cabinet.remove("label", one) for one in ring))
        assert {reply.status for reply in told} <= set(GONE), told
        found = await healed(world)
        assert [row(world, "labels", one) for one in ring] == [None] * len(ring)
        return found

    passes(scenario, seeds=range(1, 9), has_guest=True)


def test_a_label_put_next_to_another_at_each_step_of_the_others_delete() -> None:
    outcomes: set[str] = set()

    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        _, cabinet = await moved_in(world)
        label, other = await labelled(cabinet), await labelled(cabinet)
        held = await held_at(world, step, world.admin, f"/v1/labels/{other}")
        reply = await cabinet.put_next_to(label, other)
        await held.goes_on()
        found = await healed(world)
        assert row(world, "labels", other) is None
        assert stored(world, "labels", label).get("nextId") is None
        outcomes.add("put, then taken off" if reply.is_ok else "refused")
        return held.is_struck, found

    each_step(scenario, seed=1, has_guest=True)
    assert outcomes == {"put, then taken off", "refused"}


def test_a_folder_is_kept_by_what_is_in_it_and_never_by_itself() -> None:
    async def scenario(world: World) -> list[str]:
        _, cabinet = await moved_in(world)
        outer = await folded(cabinet)
        assert (await cabinet.put_into(outer, outer)).is_ok
        inner = await folded(cabinet, outer)
        refused = await cabinet.remove("folder", outer)
        assert refused.status == 409, refused
        assert refused.body["blockedBy"] == [{"relationship": "folders.parentId", "count": 1, "ids": [inner]}]
        assert (await cabinet.remove("folder", inner)).status == 204
        assert (await cabinet.remove("folder", outer)).status == 204
        return await healed(world)

    passes(scenario, has_guest=True)


def test_a_folder_put_into_another_at_each_step_of_the_others_delete() -> None:
    outcomes: set[str] = set()

    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        _, cabinet = await moved_in(world)
        inner, outer = await folded(cabinet), await folded(cabinet)
        assert (await cabinet.put_into(outer, outer)).is_ok
        held = await held_at(world, step, world.admin, f"/v1/folders/{outer}")
        reply = await cabinet.put_into(inner, outer)
        told = await held.goes_on()
        found = await healed(world)
        assert reply.is_ok == (row(world, "folders", outer) is not None), (reply, told)
        outcomes.add("put" if reply.is_ok else "deleted")
        return held.is_struck, found

    each_step(scenario, seed=1, has_guest=True)
    assert outcomes == {"put", "deleted"}


def test_of_two_folders_put_into_each_other_both_stay_or_one_goes() -> None:
    """Each is put into the other while both are deleted."""

    async def scenario(world: World) -> list[str]:
        _, cabinet = await moved_in(world)
        one, other = await folded(cabinet), await folded(cabinet)
        await asyncio.gather(
            cabinet.put_into(one, other),
            cabinet.put_into(other, one),
            cabinet.remove("folder", one),
            cabinet.remove("folder", other),
        )
        return await healed(world)

    passes(scenario, seeds=range(1, 13), has_guest=True)


def test_many_made_at_once_while_one_of_their_parents_is_deleted() -> None:
    """The records of three bots, by one request: that of the bot which goes is not made, the others' are."""

    async def scenario(world: World) -> list[str]:
        user, _ = await moved_in(world, bots=3)
        going, *staying = user.bots
        insert = world.order("hold", kind=STORE, what="insert_many", where="bot_performance")
        delivering = started(world, user.deliver_samples_of(user.bots))
        await reached(insert.gate)
        deleting = started(world, user.client.delete(f"/v1/bots/{going}"))
        await asyncio.sleep(world.random.uniform(0.0, 2.0))
        insert.gate.open()
        await asyncio.gather(delivering, deleting)
        assert (await user.deliver_samples_of(staying)).is_ok
        found = await healed(world)
        assert not has_bot(world, going)
        records = world.rows("bots", "bot_performance")
        assert {one["_id"] for one in records.find({})} == set(staying)
        return found

    passes(scenario, seeds=range(1, 9))
