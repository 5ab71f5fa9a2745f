"""Creates and changes against the delete of what they refer to, each held at the step that would hurt most."""

import asyncio

from simulation.clients import Reply
from simulation.faults import STORE
from simulation.residents import Resident, add_pair, settle
from simulation.stage import healed, is_gone, passes, reached, started
from simulation.world import World


def test_a_child_paused_between_validation_and_insert_is_refused_when_its_parent_is_gone() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        insert = world.order("hold", kind=STORE, what="insert_many", where="trading_bots")
        creating = started(world, user.create_bot(user.accounts[0]))
        await reached(insert.gate)
        assert (await world.admin.delete(f"/v1/users/{user.id}")).status == 204
        insert.gate.open()
        reply = await creating
        assert reply.is_refused, reply
        assert is_gone(world, user)
        return await healed(world)

    passes(scenario)


def test_a_service_that_stands_still_after_validation_finds_the_closure_when_it_goes_on() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        sending = world.order("hold", process="gateway", what="POST /v1/bots", where="bots")
        creating = started(world, user.create_bot(user.accounts[0]))
        await reached(sending.gate)
        for place in ("bots/1", "bots/2"):
            world.processes[place].pause()
        sending.gate.open()
        deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
        await asyncio.sleep(2.0)
        for place in ("bots/2", "bots/1"):
            world.processes[place].resume()
            await asyncio.sleep(0.2)
        await asyncio.gather(creating, deleting)
        return await healed(world)

    passes(scenario, seeds=range(1, 7))


def test_a_child_that_commits_after_the_cascade_has_listed_was_voided_before() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        commit = world.order("hold", kind=STORE, what="update_many", where="trading_bots")
        creating = started(world, user.create_bot(user.accounts[0]))
        await reached(commit.gate)
        assert (await world.admin.delete(f"/v1/users/{user.id}")).status == 204
        commit.gate.open()
        reply = await creating
        assert reply.is_refused, reply
        return await healed(world)

    passes(scenario)


def test_a_gateway_with_a_kept_answer_makes_no_child_of_a_parent_that_another_deleted() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1)
        for place in ("gateway/1", "gateway/2"):
            await _create_at(world, user, place, "warms the cache")
        deleted = await world.admin.call("DELETE", f"/v1/users/{user.id}", gateway="gateway/1")
        assert deleted.status == 204, deleted
        for place in ("gateway/2", "gateway/1"):
            late = await _create_at(world, user, place, "comes late")
            assert late.is_refused, late
        return await healed(world)

    async def _create_at(world: World, user: Resident, place: str, name: str) -> Reply:
        bot = {
            "exchangeAccountId": user.accounts[0],
            "marketPair": "BTC/USDT",
            "name": f"{name} at {place}",
            "strategy": {"name": "grid", "version": "1"},
            "mode": "paper",
            "initialCapital": {"amount": "1", "currency": "USDT"},
        }
        return await user.client.call("POST", "/v1/bots", bot, key=True, tries=4, gateway=place)

    passes(scenario)


def test_upserts_and_first_movements_against_a_delete() -> None:
    """A balance comes with its first movement, the record of a bot's performance with its first sample."""

    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=2)
        first = world.order("hold", kind=STORE, what="insert_many", where="user_token_balances")
        record = world.order("hold", kind=STORE, what="insert_many", where="bot_performance")
        writing = [started(world, user.credit()), *(started(world, user.deliver_sample(bot)) for bot in user.bots)]
        await reached(first.gate)
        await reached(record.gate)
        deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
        await asyncio.sleep(world.random.uniform(0.0, 0.5))
        first.gate.open()
        record.gate.open()
        await asyncio.gather(deleting, *writing)
        return await healed(world)

    passes(scenario, seeds=range(1, 9))


def test_repointing_to_and_from_a_parent_in_deletion_twice() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=2, bots=1)
        here, there = user.accounts
        bot = user.bots[0]
        for _ in range(2):
            commit = world.order(
                "hold", kind=STORE, what="bulk_write", where="trading_bots", skip=world.random.randrange(2)
            )
            moving = started(world, user.repoint(bot, there))
            await asyncio.wait({moving}, timeout=1.0)
            deleting = started(world, user.client.delete(f"/v1/exchange-accounts/{there}"))
            await asyncio.sleep(world.random.uniform(0.0, 0.3))
            commit.gate.open()
            await asyncio.gather(moving, deleting)
            await user.repoint(bot, here)
            await user.client.delete(f"/v1/exchange-accounts/{there}")
            reply = await user.link()
            assert reply.status == 201
            there = user.accounts[-1]
        return await healed(world)

    passes(scenario, seeds=range(1, 9))


def test_a_child_in_deletion_is_not_repointed() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=2, bots=1)
        commit = world.order("hold", kind=STORE, what="bulk_write", where="trading_bots", skip=1)
        moving = started(world, user.repoint(user.bots[0], user.accounts[1]))
        await asyncio.wait({moving}, timeout=1.0)
        assert (await world.admin.delete(f"/v1/users/{user.id}")).status == 204
        commit.gate.open()
        assert not (await moving).is_ok
        return await healed(world)

    passes(scenario)


def test_creators_that_wait_while_a_delete_is_refused_go_on() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        counting = world.order("hold", kind=STORE, what="find", where="trading_bots")
        deleting = started(world, user.client.delete(f"/v1/exchange-accounts/{user.accounts[0]}"))
        await reached(counting.gate)
        creating = [started(world, user.create_bot(user.accounts[0])) for _ in range(3)]
        await asyncio.sleep(0.2)
        counting.gate.open()
        assert (await deleting).status == 409
        assert [reply.status for reply in await asyncio.gather(*creating)] == [201] * 3
        return await healed(world)

    passes(scenario)


def test_of_two_parents_one_is_deleted_and_the_other_stays() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user, other = await settle(world, "ada", accounts=2, bots=1), await settle(world, "bob", accounts=1, bots=1)
        free = user.accounts[1]
        deletes = [user.client.delete(f"/v1/exchange-accounts/{free}"), world.admin.delete(f"/v1/users/{other.id}")]
        answers = await asyncio.gather(*deletes, user.create_bot(user.accounts[0]))
        assert [answer.status for answer in answers] == [204, 204, 201]
        assert len(list(world.rows("bots", "trading_bots").find({}))) == 2
        return await healed(world)

    passes(scenario)


def test_somebody_elses_parent_is_answered_as_an_unknown_one() -> None:
    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user, other = await settle(world, "ada", accounts=1), await settle(world, "bob", accounts=1)
        theirs = await user.create_bot(other.accounts[0])
        unknown = await user.create_bot(other.id)
        assert (theirs.status, unknown.status) == (422, 422)
        assert theirs.body["errors"] == unknown.body["errors"]
        deletes = [await user.client.delete(f"/v1/exchange-accounts/{one}") for one in (other.accounts[0], other.id)]
        assert [one.status for one in deletes] == [404, 404]
        assert deletes[0].body["detail"] == deletes[1].body["detail"]
        return await healed(world)

    passes(scenario)


def test_an_id_that_was_voided_is_made_again_by_the_next_try_with_its_key() -> None:
    """The delete that voided it is refused: a bot was started meanwhile."""

    async def scenario(world: World) -> list[str]:
        add_pair(world)
        user = await settle(world, "ada", accounts=1, bots=1)
        closing = world.order("hold", process="gateway", what="children/close", where="bots")
        deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
        await reached(closing.gate)
        commit = world.order("hold", kind=STORE, what="bulk_write", where="trading_bots", skip=1)
        starting = started(world, user.act(user.bots[0], "start"))
        await asyncio.wait({starting}, timeout=2.0)
        creating = started(world, user.create_bot(user.accounts[0]))
        await asyncio.wait({creating}, timeout=2.0)
        closing.gate.open()
        await asyncio.sleep(1.0)
        commit.gate.open()
        await asyncio.gather(deleting, starting, creating)
        return await healed(world)

    passes(scenario, seeds=range(1, 7))
