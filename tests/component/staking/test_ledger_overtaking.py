"""Drivers of one movement that overtake each other, and movements that stand in each other's way."""

import asyncio

import pytest
from staking_ledger import debit, first_scene, mortal, movement, vault

from kit.problems import Unavailable
from staking.domain.balances import available
from staking.domain.ledger import Posted, Refused
from staking.domain.ledger_marks import MARKS_MAX

pytestmark = pytest.mark.anyio


async def test_a_hold_that_read_the_account_before_the_refusal_fails_after_it() -> None:
    """The refusal is decided on an older look at the account, and holds nothing there itself: only the version that it
    raises all the same keeps the other driver's hold from taking what nobody would give back."""
    scene = await first_scene(amount=30)
    bank, user, inner = scene.bank, scene.user, scene.inner
    blocking = movement((available(user), -30), (vault(scene.v, "room"), -1), (vault(scene.v), 31), id_="blocking")
    client, faults = mortal(inner)
    faults.add("refuse", "find", "vaults", times=1_000_000)
    with pytest.raises(Unavailable):
        await bank.process(client).post(blocking)

    refusing, refusing_faults = mortal(inner)
    refusal = refusing_faults.add("hold", "update_one", "movements")
    refuser = bank.process(refusing)
    wanted = movement((available(user), -30), (vault(scene.v), 30), id_="wanted")
    refused = asyncio.create_task(refuser.post(wanted))
    await refusal.gate.reached.wait()
    assert isinstance(await bank.process().drive("blocking"), Refused)

    holding, holding_faults = mortal(inner)
    hold = holding_faults.add("hold", "update_one", "user_token_balances")
    holder = bank.process(holding)
    held = asyncio.create_task(holder.drive("wanted"))
    await hold.gate.reached.wait()
    refusal.gate.open()
    assert isinstance(await refused, Refused)
    hold.gate.open()
    assert isinstance(await held, Refused)
    assert (await bank.balance(user)).available == 30
    assert (await bank.healed()).findings == []


async def test_a_movement_is_read_after_the_account_it_holds() -> None:
    """The other way round, a driver would hold for a movement that was refused and settled between its two reads."""
    scene = await first_scene()
    bank, user, inner = scene.bank, scene.user, scene.inner
    client, faults = mortal(inner)
    look = faults.add("hold", "find", "user_token_balances")
    slow = bank.process(client)
    wanted = movement((available(user), -30), (vault(scene.v, "room"), -30), (vault(scene.v), 60), id_="wanted")
    posting = asyncio.create_task(slow.post(wanted))
    await look.gate.reached.wait()
    assert isinstance(await bank.process().drive("wanted"), Refused)
    look.gate.open()
    assert isinstance(await posting, Refused)
    assert (await bank.balance(user)).available == 100
    assert (await bank.healed()).findings == []


async def test_a_full_account_helps_the_oldest_on_before_it_takes_another() -> None:
    scene = await first_scene(amount=1000)
    bank, user, inner = scene.bank, scene.user, scene.inner
    for number in range(MARKS_MAX):
        client, faults = mortal(inner)
        faults.add("refuse", "update_many", "movements", times=1_000_000)
        with pytest.raises(Unavailable):
            await bank.process(client).post(
                movement((available(user), -1), (vault(scene.v), 1), id_=f"left{number:02}")
            )
    assert len((await bank.balance(user)).marks) == MARKS_MAX

    ledger = bank.process()
    outcome = await ledger.post(debit(user, 10))

    assert isinstance(outcome, Posted)
    await ledger.close()
    assert 0 < (await bank.vault(scene.v)).amount < MARKS_MAX
    assert (await bank.healed()).findings == []
    assert (await bank.balance(user)).available == 1000 - 10 - MARKS_MAX
