"""Deletes whose coordinator dies, meets another, waits for a service, or overtakes the delete of a child."""

import asyncio

import pytest
from simulation.faults import HOP, STORE
from simulation.residents import Resident, add_pair, settle
from simulation.stage import DELETES, each_step, ended, healed, held_at, is_gone, passes, reached, started
from simulation.world import World


@pytest.mark.parametrize("fate", ["pass", "after"])
def test_a_coordinator_killed_at_any_step_is_followed_by_another(fate: str) -> None:
    """`pass`: as its call arrives; `after`: when it was carried out and before the answer."""

    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        await user.deliver_sample(user.bots[0])
        rule = world.order(
            fate,
            kind=HOP,
            process="gateway/1",
            what=f"POST {DELETES}",
            skip=step,
            then=lambda: world.kill("gateway/1", restart_s=30.0),
        )
        deleting = started(world, world.admin.call("DELETE", f"/v1/users/{user.id}", gateway="gateway/1", tries=1))
        creating = started(world, user.create_bot(user.accounts[0]))
        await asyncio.gather(deleting, creating)
        struck = rule.struck > 0
        if not struck:
            world.faults.clear()
            return False, await healed(world)
        await asyncio.sleep(20.0)
        again = await world.admin.delete(f"/v1/users/{user.id}")
        assert again.status in (202, 204, 404), again
        found = await healed(world)
        assert is_gone(world, user)
        return True, found

    assert each_step(scenario, seed=1) > 12


def test_two_coordinators_at_once() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=2)
        target = f"/v1/users/{user.id}"
        calls = [world.admin.call("DELETE", target, gateway=place) for place in ("gateway/1", "gateway/2")]
        replies = await asyncio.gather(*calls, user.act(user.bots[0], "start"), user.create_bot(user.accounts[0]))
        assert all(reply.status in (202, 204, 404, 409) for reply in replies[:2]), replies
        return await healed(world)

    passes(scenario, seeds=range(1, 11))


@pytest.mark.parametrize("fate", ["lose", "late", "drop"])
def test_an_answer_lost_at_any_write_of_a_delete(fate: str) -> None:
    """ "late": it is carried out when nobody waits for it any more, which must not undo what was done since."""

    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        rule = world.order(
            "late-gate" if fate == "late" else fate, kind=STORE, process=("users", "bots")[step % 2], skip=step // 2
        )
        deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
        creating = started(world, user.create_bot(user.accounts[0]))
        await asyncio.gather(deleting, creating)
        await asyncio.sleep(10.0)
        await world.admin.delete(f"/v1/users/{user.id}")
        struck = rule.struck > 0 and step < 48
        rule.gate.open()
        return struck, await healed(world)

    each_step(scenario, seed=2, stride=3)


def test_a_child_service_that_is_down_keeps_only_its_deletes_waiting_and_says_so() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=2)
        world.network.cut.add("staking/1")
        account = await user.client.delete(f"/v1/exchange-accounts/{user.accounts[1]}")
        assert account.status == 204, account
        reply = await world.admin.delete(f"/v1/users/{user.id}")
        waiting = await ended(world, reply)
        assert [one["service"] for one in waiting["waitingFor"]] == ["staking"], waiting
        world.network.cut.clear()
        found = await healed(world)
        assert (await ended(world, reply))["state"] == "done"
        return found

    passes(scenario)


def test_a_child_service_that_is_slow() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        slow = world.order("hold", kind=HOP, process="gateway", what="children/close", where="staking")
        reply = await world.admin.delete(f"/v1/users/{user.id}")
        assert reply.status == 202, reply
        slow.gate.open()
        found = await healed(world)
        assert is_gone(world, user)
        return found

    passes(scenario)


def test_a_service_redeployed_in_the_middle_of_a_delete() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        for place in ("bots/1", "bots/2", "staking/1", "users/1"):
            world.order(
                "pass",
                kind=HOP,
                process="gateway",
                what=DELETES,
                where=place,
                skip=2,
                then=lambda place=place: world.kill(place, restart_s=2.0),
            )
        await world.admin.delete(f"/v1/users/{user.id}")
        return await healed(world)

    passes(scenario, seeds=range(1, 5))


STAKINGS = (
    "reward_transaction_logs.sourceId",
    "reward_transaction_logs.userId",
    "user_stakes.userId",
    "user_token_balances.userId",
)
"""In the order in which they can be removed."""


def test_a_service_that_is_gone_for_good_is_waited_for_until_an_operator_says_so() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        world.kill("staking/1", restart_s=None)
        reply = await world.admin.delete(f"/v1/users/{user.id}")
        assert reply.status == 202, reply
        for relationship in STAKINGS:
            removed = await world.admin.delete(f"/v1/references/{relationship}?serviceIsGone=true")
            assert removed.status == 200, removed
        await asyncio.sleep(60.0)
        assert (await ended(world, reply))["state"] == "done"
        assert is_gone(world, user)
        return await healed(world)

    passes(scenario)


def test_a_service_deployed_in_the_middle_of_a_delete_finds_its_parent_gone() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        world.kill("staking/1", restart_s=None)
        for place in ("gateway/1", "gateway/2"):
            world.kill(place)
        for relationship in STAKINGS:
            world.rows("users", "reference_registry").delete_many({"relationship": relationship})
        await asyncio.sleep(20.0)
        held = world.order("hold", kind=HOP, process="gateway", what="deletions/purge", where="users")
        deleting = started(world, world.admin.delete(f"/v1/users/{user.id}", tries=1))
        await asyncio.wait({deleting, started(world, held.gate.reached.wait())}, return_when=asyncio.FIRST_COMPLETED)
        await world.processes["staking/1"].start()
        await asyncio.sleep(20.0)
        crediting = started(world, user.credit())
        await asyncio.sleep(0.1)
        held.gate.open()
        await asyncio.gather(deleting, crediting)
        return await healed(world)

    passes(scenario)


def test_a_diamond_goes_as_a_whole() -> None:
    """User to account to bot, user to bot, bot to its record."""

    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=2, bots=4)
        await asyncio.gather(*(user.deliver_sample(bot) for bot in user.bots))
        assert (await world.admin.delete(f"/v1/users/{user.id}")).status == 204
        left = [world.rows(*one).count_documents({}) for one in (("bots", "trading_bots"), ("bots", "bot_performance"))]
        assert left == [0, 0]
        return await healed(world)

    passes(scenario)


def test_a_restricted_delete_says_who_blocks_and_changes_nothing() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=2)
        assert (await user.act(user.bots[1], "start")).is_ok
        before = _stored(world)
        reply = await world.admin.delete(f"/v1/users/{user.id}")
        assert reply.status == 409, reply
        assert reply.body["blockedBy"] == [{"relationship": "trading_bots.userId", "count": 1, "ids": [user.bots[1]]}]
        assert _stored(world) == before
        return await healed(world)

    passes(scenario)


def _stored(world: World) -> list[object]:
    names = [("users", "users"), ("users", "exchange_accounts"), ("bots", "trading_bots")]
    return [list(world.rows(*name).find({})) for name in names]


def _overtaken(user: Resident, child: str) -> str:
    return f"/v1/exchange-accounts/{user.accounts[1]}" if child == "account" else f"/v1/bots/{user.bots[0]}"


@pytest.mark.parametrize("child", ["account", "bot"])
def test_the_delete_of_the_root_overtakes_that_of_a_child_at_each_of_its_steps(child: str) -> None:
    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        add_pair(world)
        user = await settle(world, "ada", accounts=2, bots=1)
        inner = await held_at(world, step, user.client, _overtaken(user, child))
        outer = started(world, world.admin.call("DELETE", f"/v1/users/{user.id}", gateway="gateway/2", tries=1))
        await asyncio.sleep(3.0)
        await asyncio.gather(inner.goes_on(), outer)
        found = await healed(world)
        assert is_gone(world, user)
        return inner.is_struck, found

    each_step(scenario, seed=3)


def test_a_bot_started_at_each_step_of_its_users_delete() -> None:
    """Either the start is refused, or the delete is, and the bot runs on."""
    outcomes: set[str] = set()

    async def scenario(world: World, step: int) -> tuple[bool, list[str]]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        held = await held_at(world, step, world.admin, f"/v1/users/{user.id}")
        reply = await user.client.call("POST", f"/v1/bots/{user.bots[0]}/start", {}, key=True, gateway="gateway/2")
        told = await held.goes_on()
        found = await healed(world)
        assert reply.is_ok != is_gone(world, user), (reply, told)
        outcomes.add("started" if reply.is_ok else "deleted")
        return held.is_struck, found

    each_step(scenario, seed=1)
    assert outcomes == {"started", "deleted"}


def test_a_second_delete_joins_the_first() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        held = world.order("hold", kind=HOP, process="gateway", what="children/apply", where="bots", times=1_000)
        first = started(world, world.admin.delete(f"/v1/users/{user.id}"))
        await reached(held.gate)
        second = await world.admin.delete(f"/v1/users/{user.id}")
        told = await ended(world, second)
        assert told["state"] == "purging", told
        held.gate.open()
        assert (await first).status in (202, 204)
        found = await healed(world)
        assert (await world.admin.delete(f"/v1/users/{user.id}")).status == 404
        return found

    passes(scenario)
