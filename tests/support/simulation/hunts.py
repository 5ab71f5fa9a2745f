"""Scenarios that hold a race open where one protection matters. With all of them on, nothing is wrong in the end."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from simulation.applications import application
from simulation.faults import HOP, STORE, Gate
from simulation.residents import Resident, add_pair, settle
from simulation.stage import DELETES, Scenario, healed, reached, started
from simulation.world import World

LONG_S = 1e6
ALWAYS = 1_000_000
BOTS = ("bots/1", "bots/2")


def hunt(*, accounts: int = 1, bots: int = 0) -> Callable[[Callable[[World, Resident], Awaitable[None]]], Scenario]:
    """A scenario about one user with so many accounts and bots; it ends with what is wrong when all is healed."""

    def made(act: Callable[[World, Resident], Awaitable[None]]) -> Scenario:
        @functools.wraps(act)
        async def scenario(world: World) -> list[str]:
            add_pair(world)
            user = await settle(world, "ada", accounts=accounts, bots=bots)
            await act(world, user)
            return await healed(world)

        return scenario

    return made


async def _deleted(world: World, user: Resident, *, gateway: str | None = None) -> None:
    for _ in range(5):
        reply = await world.admin.call("DELETE", f"/v1/users/{user.id}", gateway=gateway, tries=3)
        if reply.status in (204, 404, 409):
            return
        await asyncio.sleep(20.0)


async def _reached_or_ended(world: World, gate: Gate, work: "asyncio.Task[Any]") -> None:
    """Where a protection refuses it, nothing comes to the gate."""
    await asyncio.wait({work, started(world, gate.reached.wait())}, return_when=asyncio.FIRST_COMPLETED)


@hunt()
async def late_insert(world: World, user: Resident) -> None:
    """The child's intent is written when its parent is gone."""
    insert = world.order("hold", kind=STORE, what="insert_many", where="trading_bots")
    creating = started(world, user.create_bot(user.accounts[0]))
    await reached(insert.gate)
    await _deleted(world, user)
    insert.gate.open()
    await creating


@hunt()
async def late_commit(world: World, user: Resident) -> None:
    """The child's intent is committed when its parent is gone."""
    commit = world.order("hold", kind=STORE, what="update_many", where="trading_bots")
    creating = started(world, user.create_bot(user.accounts[0]))
    await reached(commit.gate)
    await _deleted(world, user)
    commit.gate.open()
    await creating


@hunt()
async def commit_of_an_older_sending(world: World, user: Resident) -> None:
    """The commit of a sending that was given up arrives when the next sending has written its intent under the same id,
    and before it has looked."""
    commit = world.order("late-gate", kind=STORE, what="update_many", where="trading_bots")
    again = world.order("hold", kind=STORE, what="insert_many", where="trading_bots", skip=1)
    creating = started(world, user.create_bot(user.accounts[0]))
    await reached(commit.gate)
    await reached(again.gate)
    await _deleted(world, user)
    look = world.order("hold", kind=STORE, what="find", where="reference_closures")
    again.gate.open()
    await reached(look.gate)
    commit.gate.open()
    look.gate.open()
    await creating


@hunt(bots=1)
async def voided_by_a_refused_delete(world: World, user: Resident) -> None:
    """A create is voided by a delete that is refused: a bot was started before it was marked."""
    marking = world.order("hold", kind=HOP, process="gateway", what="deletions/begin", where="users")
    deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
    await reached(marking.gate)
    await user.act(user.bots[0], "start")
    commit = world.order("hold", kind=STORE, what="update_many", where="trading_bots")
    creating = started(world, user.create_bot(user.accounts[0]))
    await _reached_or_ended(world, commit.gate, creating)
    marking.gate.open()
    await deleting
    commit.gate.open()
    await creating


@hunt(bots=2)
async def started_behind_the_count(world: World, user: Resident) -> None:
    """A bot is started when its user's delete has counted, or its commit comes then."""
    commit = world.order("hold", kind=STORE, what="bulk_write", where="trading_bots", skip=world.seed % 2)
    purging = world.order("hold", kind=HOP, process="gateway", what="deletions/purge")
    starting = started(world, user.act(user.bots[0], "start"))
    await reached(commit.gate)
    deleting = started(world, _deleted(world, user))
    await reached(purging.gate)
    commit.gate.open()
    await starting
    purging.gate.open()
    await deleting


@hunt(bots=2)
async def started_before_the_mark(world: World, user: Resident) -> None:
    """Nothing blocks when the delete is asked for, and a running bot does when it closes."""
    marking = world.order("hold", kind=HOP, process="gateway", what="deletions/begin", where="users")
    deleting = started(world, world.admin.delete(f"/v1/users/{user.id}"))
    await reached(marking.gate)
    await user.act(user.bots[0], "start")
    marking.gate.open()
    await deleting


@hunt(accounts=2, bots=1)
async def parents_under_a_cascade(world: World, user: Resident) -> None:
    """What goes with the root is a parent itself: a bot with a record, and an account in a deletion of its own."""
    await user.deliver_sample(user.bots[0])
    held = world.order("hold", kind=HOP, process="gateway", what="children/close", where="bots")
    inner = started(world, user.client.delete(f"/v1/exchange-accounts/{user.accounts[1]}"))
    await reached(held.gate)
    await _deleted(world, user)
    held.gate.open()
    await inner


@hunt(bots=1)
async def coordinator_dies_after_the_purge_was_decided(world: World, user: Resident) -> None:
    world.order(
        "after",
        kind=HOP,
        process="gateway/1",
        what=f"{DELETES}deletions/purge",
        then=lambda: world.kill("gateway/1", restart_s=5.0),
    )
    await world.admin.call("DELETE", f"/v1/users/{user.id}", gateway="gateway/1", tries=1)


@hunt()
async def killed_between_insert_and_commit(world: World, user: Resident) -> None:
    """The process that wrote an intent is no more."""
    commit = world.order("hold", kind=STORE, what="update_many", where="trading_bots")
    creating = started(world, user.create_bot(user.accounts[0]))
    await reached(commit.gate)
    for place in BOTS:
        world.processes[place].kill()
    await creating
    commit.gate.waiting.clear()


@hunt(bots=1)
async def deleted_plainly(world: World, user: Resident) -> None:
    """No race at all."""
    await _deleted(world, user)


@hunt()
async def deleted_before_its_creator_looks_again(world: World, user: Resident) -> None:
    """The answer to a commit is lost. When its process looks what became of it, somebody has seen and deleted it."""
    world.order("lose", kind=STORE, what="update_many", where="trading_bots")
    look = world.order("hold", kind=STORE, what="delete_one", where="trading_bots")
    creating = started(world, user.create_bot(user.accounts[0]))
    await reached(look.gate)
    bot = world.rows("bots", "trading_bots").find_one({"userId": user.id})
    await user.client.delete(f"/v1/bots/{bot['_id']}")
    look.gate.open()
    await creating


@hunt()
async def registry_forgot(world: World, user: Resident) -> None:
    """The owner's registry lost what a service had registered, as by a restore, and the gateway that validates believes
    that it is there. It has kept an answer about the same user for another relationship. The gateway that deletes has
    not read that service's document yet, so it can't tell the owner what is missing."""
    other = await settle(world, "bob")
    world.order("refuse", kind=HOP, process="gateway/2", where="staking", times=ALWAYS)
    world.kill("gateway/2", restart_s=None)
    await world.processes["gateway/2"].start()
    world.doors = ("gateway/1",)
    await other.credit()
    world.rows("users", "reference_registry").delete_many({"service": "staking"})
    await user.create_bot(user.accounts[0], by=world.admin)
    insert = world.order("hold", kind=STORE, what="insert_many", where="user_token_balances")
    crediting = started(world, user.credit())
    await _reached_or_ended(world, insert.gate, crediting)
    await _deleted(world, user, gateway="gateway/2")
    insert.gate.open()
    await crediting


@hunt(accounts=2)
async def older_replica(world: World, user: Resident) -> None:
    """One replica of bots runs a version that declares no reference to accounts."""
    for place in BOTS:
        _make_old(place)
    try:
        creating = started(world, user.create_bot(user.accounts[1]))
        insert = world.order("hold", kind=STORE, what="insert_many", where="trading_bots")
        await _reached_or_ended(world, insert.gate, creating)
        await user.client.delete(f"/v1/exchange-accounts/{user.accounts[1]}")
        insert.gate.open()
        await creating
    finally:
        for place in BOTS:
            application(place).app.state.rules.reference_digests = _TRUE.pop(place)
    for place in BOTS:
        world.kill(place)


_TRUE: dict[str, Any] = {}


def _make_old(place: str) -> None:
    """Its operations have other digests, and its writes list no account."""
    app = application(place).app
    rules = app.state.rules
    _TRUE[place] = rules.reference_digests
    rules.reference_digests = dict.fromkeys(rules.reference_digests, "0" * 64)
    for document, creator in app.state.runtime.references._creators.items():
        if document.collection_name() == "trading_bots":
            uses = creator.plan.uses
            creator.plan.uses = lambda row, uses=uses: [one for one in uses(row) if one.field != "exchangeAccountId"]


@hunt()
async def stale_primary(world: World, user: Resident) -> None:
    """There is another primary, and reads of bots may still come to the old one, which knows no closure."""
    world.server.notices = 0.0
    world.server.fail_over([world.processes[place].owner for place in BOTS], lasts_s=LONG_S)
    insert = world.order("hold", kind=STORE, what="insert_many", where="trading_bots")
    creating = started(world, user.create_bot(user.accounts[0]))
    await reached(insert.gate)
    await _deleted(world, user)
    insert.gate.open()
    await creating
