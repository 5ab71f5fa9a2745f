"""A process dies at any of its store operations; a sweeper or a retry brings the movement to its end."""

import pytest
from staking_ledger import AT_ONCE, Scene, credit, die_at, first_scene, lock, mortal, movement, next_scene, vault

from kit.problems import Unavailable
from staking.domain.balances import available
from staking.domain.ledger import Effect, Guard, Movement, Place, Posted, Refused, Why
from staking.domain.system_accounts import TREASURY
from staking.operations.ledger.kinds import EffectCall

pytestmark = pytest.mark.anyio
OPERATIONS_MAX = 40


async def post_and_die(scene: Scene, doomed: Movement, at: int, *, answered: bool) -> bool:
    """Whether it lived to the end after all, so that there are no more operations to die at."""
    client, faults = mortal(scene.inner)
    die_at(faults, at, answered=answered)
    ledger = scene.bank.process(client)
    try:
        await ledger.post(doomed)
    except Unavailable:
        died = True
    else:
        died = False
    await ledger.close()
    return not died and len(faults.calls) <= at


@pytest.mark.parametrize("answered", [True, False], ids=["before the operation", "after it"])
async def test_whatever_it_dies_at_the_movement_happens_as_a_whole_or_not_at_all(*, answered: bool) -> None:
    scene = await first_scene()
    for at in range(OPERATIONS_MAX):
        scene = await next_scene(scene)
        bank, user = scene.bank, scene.user
        legs = ((available(user), -30), (vault(scene.v), 20), (vault(scene.w), 10))
        lived = await post_and_die(scene, movement(*legs, id_=f"doomed-{at}"), at, answered=answered)
        report = await bank.healed()
        assert report.findings == [], f"dead at operation {at}"
        left, vaults = (
            (await bank.balance(user)).available,
            [(await bank.vault(name)).amount for name in (scene.v, scene.w)],
        )
        assert (left, vaults) in ((100, [0, 0]), (70, [20, 10])), f"dead at operation {at}"
        if lived:
            return
    pytest.fail("more operations than were tried")


@pytest.mark.parametrize("answered", [True, False], ids=["before the operation", "after it"])
async def test_a_retry_after_a_death_finds_the_movement_and_posts_it_once(*, answered: bool) -> None:
    scene = await first_scene()
    for at in range(OPERATIONS_MAX):
        scene = await next_scene(scene)
        bank, user = scene.bank, scene.user
        lived = await post_and_die(scene, credit(user, 5, id_=f"retried-{at}"), at, answered=answered)
        ledger = bank.process()
        assert isinstance(await ledger.post(credit(user, 5, id_=f"retried-{at}")), Posted), f"dead at operation {at}"
        assert (await bank.balance(user)).available == 105
        await ledger.close()
        assert (await bank.healed()).findings == [], f"dead at operation {at}"
        if lived:
            return
    pytest.fail("more operations than were tried")


@pytest.mark.parametrize("answered", [True, False], ids=["before the operation", "after it"])
async def test_a_refused_movement_gives_everything_back_whatever_it_dies_at(*, answered: bool) -> None:
    scene = await first_scene()
    for at in range(OPERATIONS_MAX):
        scene = await next_scene(scene)
        bank, user = scene.bank, scene.user
        legs = ((available(user), -30), (vault(scene.v, "room"), -30), (vault(scene.v), 60))
        lived = await post_and_die(scene, movement(*legs, id_=f"doomed-{at}"), at, answered=answered)
        assert (await bank.healed()).findings == [], f"dead at operation {at}"
        assert (await bank.balance(user)).available == 100
        assert (await bank.balance(user)).marks == {}
        if lived:
            return
    pytest.fail("more operations than were tried")


@pytest.mark.parametrize("answered", [True, False], ids=["before the operation", "after it"])
async def test_a_watermark_pays_once_whatever_it_dies_at(*, answered: bool) -> None:
    scene = await first_scene()
    for at in range(OPERATIONS_MAX):
        scene = await next_scene(scene)
        bank, user = scene.bank, scene.user
        guard = Guard(
            Place("vault", scene.v), expect={"paidThrough": 0}, put={"paidThrough": 1}, watermark="paidThrough"
        )
        payment = movement((available(user), -30), (vault(scene.v), 30), id_=f"payment-{at}", guards=[guard])
        lived = await post_and_die(scene, payment, at, answered=answered)
        await bank.heal()
        ledger = bank.process()
        assert isinstance(await ledger.post(payment), Posted)
        again = await ledger.post(movement((available(user), -30), (vault(scene.v), 30), guards=[guard]))
        assert isinstance(again, Refused)
        assert again.refusal.why is Why.MOVED
        await ledger.close()
        paid = await bank.vault(scene.v)
        assert (paid.amount, paid.paid_through, paid.marks) == (30, 1, {}), f"dead at operation {at}"
        assert (await bank.healed()).findings == [], f"dead at operation {at}"
        if lived:
            return
    pytest.fail("more operations than were tried")


async def test_effects_come_before_the_end_of_a_movement_whoever_drives_it() -> None:
    scene = await first_scene()
    for at in range(OPERATIONS_MAX):
        calls = list[EffectCall]()

        async def record(call: EffectCall, calls: list[EffectCall] = calls) -> None:
            calls.append(call)

        scene = await next_scene(scene)
        bank, user = scene.bank, scene.user
        bank.effects = {"record": record}
        guard = Guard(Place("vault", scene.v), put={"paidThrough": 9}, capture=("paidThrough", "ticks"))
        told = movement(
            (available(user), -1),
            (vault(scene.v), 1),
            id_=f"told-{at}",
            guards=[guard],
            effects=[Effect("record", {"what": "told"})],
        )
        lived = await post_and_die(scene, told, at, answered=True)
        await bank.heal()
        if (await bank.vault(scene.v)).amount:
            assert calls, f"dead at operation {at}"
            assert all(call.posted and call.data == {"what": "told"} for call in calls)
            assert all(call.captured == {Place("vault", scene.v): {"paidThrough": 9, "ticks": 1}} for call in calls)
        if lived:
            return
    pytest.fail("more operations than were tried")


async def test_an_effect_that_fails_is_tried_again_by_the_sweeper() -> None:
    failures = 2

    async def fail_twice(_: EffectCall) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise Unavailable

    scene = await first_scene()
    bank, user = scene.bank, scene.user
    bank.effects = {"fail": fail_twice}
    ledger = bank.process()
    with pytest.raises(Unavailable):
        await ledger.post(movement((available(user), -1), (vault(scene.v), 1), effects=[Effect("fail")]))
    assert await ledger.sweep(older_than=AT_ONCE) == 0
    assert await ledger.sweep(older_than=AT_ONCE) == 1
    assert (await bank.healed()).findings == []


async def test_what_was_posted_but_not_carried_out_is_carried_out_for_a_reader() -> None:
    scene = await first_scene()
    bank, user, inner = scene.bank, scene.user, scene.inner
    client, faults = mortal(inner)
    faults.add("refuse", "insert_many", "balance_entries", times=1_000_000)
    with pytest.raises(Unavailable):
        await bank.process(client).post(lock(user, 40))
    assert len(await bank.entries(user)) == 1

    ledger = bank.process()
    await ledger.complete_at(Place("balance", user))
    await ledger.close()

    told = [(entry.sequence, entry.account, entry.amount, entry.running_balance) for entry in await bank.entries(user)]
    assert told == [(1, "available", 100, 100), (2, "available", -40, 60), (3, "staked", 40, 40)]


async def test_one_movement_that_cannot_be_ended_does_not_keep_the_sweeper_from_others() -> None:
    scene = await first_scene()
    bank, user, inner = scene.bank, scene.user, scene.inner
    for id_ in ("broken", "sound"):
        client, faults = mortal(inner)
        faults.add("refuse", "update_one", "user_token_balances", times=1_000_000, skip=1)
        with pytest.raises(Unavailable):
            await bank.process(client).post(movement((available(user), -1), (vault(scene.v), 1), id_=id_))
    await bank.store.rows("user_token_balances").update_one({"_id": user}, {"$unset": {"marks.broken": ""}})

    assert await bank.process().sweep(older_than=AT_ONCE) == 1

    findings = {finding.invariant for finding in (await bank.audit()).findings}
    assert "nothing-pending" not in findings
    report = await bank.audit()
    assert report.counted["movements under way"] == 1


async def test_an_unknown_movement_has_no_outcome() -> None:
    bank = (await first_scene()).bank
    assert await bank.process().drive("unknown") is None
    assert await bank.system(TREASURY) == -100
