"""The ledger under concurrency, on a store that yields at every operation."""

import asyncio
import random

import pytest
from mock_store import mock_motor
from staking_ledger import OMNI, Bank, Vault, credit, debit, lock, mortal, movement, unlock, vault

from kit.ids import new_id
from kit.store import StoreClient
from staking.domain.balances import available, staked
from staking.domain.ledger import Guard, Place, Posted, Refused, Why
from staking.domain.ledger_marks import MARKS_MAX
from staking.domain.system_accounts import TREASURY

pytestmark = pytest.mark.anyio
CLIENTS = 64


@pytest.mark.parametrize("seed", range(3))
async def test_64_clients_on_one_balance_neither_make_nor_lose_a_unit(seed: int) -> None:
    user, chance = new_id(), random.Random(seed)
    client, _ = mortal(mock_motor(), seed)
    bank = Bank(client)
    await bank.prepare(user)
    ledger = bank.process()
    assert isinstance(await ledger.post(credit(user, 100)), Posted)
    moved = {lock: 0, unlock: 0, debit: 0, credit: 0}

    async def one_client() -> None:
        for _ in range(4):
            kind, amount = chance.choice(list(moved)), chance.randint(1, 40)
            if isinstance(await ledger.post(kind(user, amount)), Posted):
                moved[kind] += amount
            seen = await bank.balance(user)
            assert seen.available >= 0
            assert seen.staked >= 0

    await asyncio.gather(*(one_client() for _ in range(CLIENTS)))
    await ledger.close()
    after = await bank.balance(user)
    assert after.staked == moved[lock] - moved[unlock]
    assert after.available == 100 + moved[credit] + moved[unlock] - moved[lock] - moved[debit]
    assert await bank.system(TREASURY) == -(100 + moved[credit] - moved[debit])
    assert (await bank.healed()).findings == []


async def test_replicas_compete_for_one_balance_without_breaking_it() -> None:
    user, inner = new_id(), mock_motor()
    bank = Bank(StoreClient.from_motor(inner))
    await bank.prepare(user)
    await bank.process().post(credit(user, 10))
    replicas = [Bank(mortal(inner, seed)[0]).process() for seed in range(4)]

    outcomes = await asyncio.gather(*(replica.post(debit(user, 1)) for replica in replicas for _ in range(8)))

    assert sum(isinstance(outcome, Posted) for outcome in outcomes) == 10
    assert all(isinstance(one, Posted) or one.refusal.why is Why.LACKING for one in outcomes)
    await asyncio.gather(*(replica.close() for replica in replicas))
    assert (await bank.balance(user)).available == 0
    assert (await bank.healed()).findings == []


async def test_one_movement_posted_by_many_at_once_happens_once() -> None:
    user, inner = new_id(), mock_motor()
    bank = Bank(StoreClient.from_motor(inner))
    await bank.prepare(user)
    replicas = [Bank(mortal(inner, seed)[0]).process() for seed in range(3)]

    outcomes = await asyncio.gather(
        *(replica.post(credit(user, 7, id_="once")) for replica in replicas for _ in range(5))
    )

    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    await asyncio.gather(*(replica.close() for replica in replicas))
    assert (await bank.balance(user)).available == 7
    assert (await bank.healed()).findings == []


async def test_requests_that_meet_on_an_account_share_its_updates() -> None:
    users = [new_id() for _ in range(CLIENTS)]
    client, faults = mortal(mock_motor())
    bank = Bank(client)
    await bank.prepare(*users)
    ledger = bank.process()
    await asyncio.gather(*(ledger.post(credit(user, OMNI)) for user in users))
    await ledger.close()
    treasury_updates = faults.count("update_one", "system_accounts") + faults.count("bulk_write", "system_accounts")
    assert treasury_updates < CLIENTS / 4
    assert faults.count("insert_many", "movements") < CLIENTS / 4
    assert await bank.system(TREASURY) == -CLIENTS * OMNI


async def test_marks_of_holds_stay_within_their_bound() -> None:
    user = new_id()
    client, _ = mortal(mock_motor())
    bank = Bank(client)
    await bank.prepare(user, vaults=[Vault(id=f"v{number}") for number in range(200)])
    ledger = bank.process()
    await ledger.post(credit(user, 1000))
    await ledger.close()
    most = 0

    async def pay(number: int) -> None:
        nonlocal most
        outcome = await ledger.post(movement((available(user), -1), (vault(f"v{number}"), 1)))
        assert isinstance(outcome, Posted)
        most = max(most, len((await bank.balance(user)).marks))

    await asyncio.gather(*(pay(number) for number in range(200)))
    await ledger.close()
    assert 1 < most <= MARKS_MAX
    assert (await bank.balance(user)).available == 800
    assert (await bank.healed()).findings == []


async def test_two_guarded_movements_on_the_same_value_pay_once() -> None:
    client, _ = mortal(mock_motor())
    bank = Bank(client)
    await bank.prepare(vaults=[Vault(id="stake"), Vault(id="payer", amount=0)])
    ledger = bank.process()
    await ledger.post(movement((TREASURY, -100), (vault("payer"), 100)))
    guard = Guard(Place("vault", "stake"), expect={"paidThrough": 0}, put={"paidThrough": 1}, watermark="paidThrough")
    payments = [movement((vault("payer"), -amount), (vault("stake"), amount), guards=[guard]) for amount in range(1, 9)]

    outcomes = await asyncio.gather(*(ledger.post(payment) for payment in payments))

    await ledger.close()
    posted = [one for one in outcomes if isinstance(one, Posted)]
    assert len(posted) == 1
    assert all(one.refusal.why is Why.MOVED for one in outcomes if isinstance(one, Refused))
    assert (await bank.vault("stake")).amount == posted[0].movement.legs[1].amount
    assert (await bank.healed()).findings == []


async def test_guarded_movements_that_meet_in_a_circle_do_not_wait_for_ever() -> None:
    client, _ = mortal(mock_motor())
    bank = Bank(client)
    await bank.prepare(vaults=[Vault(id="a"), Vault(id="b"), Vault(id="payer")])
    ledgers = [bank.process(), bank.process()]
    await ledgers[0].post(movement((TREASURY, -100), (vault("payer"), 100)))
    step = 0

    async def pay_both(ledger_number: int) -> int:
        nonlocal step
        paid = 0
        for _ in range(6):
            step += 1
            guards = [
                Guard(Place("vault", name), expect={}, put={"paidThrough": step}, watermark="paidThrough")
                for name in ("a", "b")
            ]
            outcome = await ledgers[ledger_number].post(
                movement((vault("a"), 1), (vault("b"), 1), (vault("payer"), -2), guards=guards)
            )
            paid += isinstance(outcome, Posted)
        return paid

    paid = await asyncio.wait_for(asyncio.gather(*(pay_both(number % 2) for number in range(4))), timeout=60)
    await asyncio.gather(*(ledger.close() for ledger in ledgers))
    assert (await bank.vault("a")).amount == (await bank.vault("b")).amount == sum(paid)
    assert (await bank.healed()).findings == []


async def test_nothing_is_staked_beyond_a_limit_that_many_share() -> None:
    users = [new_id() for _ in range(20)]
    client, _ = mortal(mock_motor())
    bank = Bank(client)
    await bank.prepare(*users, vaults=[Vault(id="pool")])
    ledger = bank.process()
    await asyncio.gather(*(ledger.post(credit(user, 10)) for user in users))
    await ledger.post(movement((TREASURY, -55), (vault("pool", "room"), 55)))

    def stake(user: str) -> object:
        legs = ((available(user), -10), (staked(user), 10), (vault("pool", "room"), -10), (vault("pool"), 10))
        return ledger.post(movement(*legs))

    outcomes = await asyncio.gather(*(stake(user) for user in users))  # type: ignore[call-overload]

    await ledger.close()
    assert sum(isinstance(one, Posted) for one in outcomes) == 5
    pool = await bank.vault("pool")
    assert (pool.amount, pool.room) == (50, 5)
    assert sum([(await bank.balance(user)).available for user in users]) == 150
    assert (await bank.healed()).findings == []
