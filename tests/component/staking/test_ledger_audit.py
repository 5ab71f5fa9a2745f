"""The audit finds each invariant broken, where it is, and nothing where nothing is."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from mock_store import mock_motor
from staking_ledger import AT_ONCE, Bank, Vault, credit, lock, mortal, movement, vault

from kit.ids import new_id
from kit.problems import Unavailable
from staking.domain.balances import available
from staking.domain.system_accounts import TREASURY
from staking.operations.audit import accounts

pytestmark = pytest.mark.anyio
USER = new_id()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "PAUSE_S", 0)


async def bank_in_order() -> Bank:
    client, _ = mortal(mock_motor())
    bank = Bank(client)
    await bank.prepare(USER, new_id(), vaults=[Vault(id="v")])
    ledger = bank.process()
    await ledger.post(credit(USER, 100, id_="first"))
    await ledger.post(lock(USER, 30))
    await ledger.post(movement((available(USER), -5), (vault("v"), 5)))
    await ledger.close()
    assert (await bank.healed()).is_clean
    return bank


PLANTED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "balance-is-sum-of-legs": ("user_token_balances", {"_id": USER}, {"$inc": {"available": 1}}),
    "never-below-zero": ("vaults", {"_id": "v"}, {"$set": {"amount": -1}}),
    "movement-balanced": ("movements", {"_id": "first"}, {"$set": {"legs.0.amount": 99}}),
    "movement-decided": ("movements", {"_id": "first"}, {"$unset": {"posted": ""}}),
    "entry-true": ("balance_entries", {"userId": USER, "sequence": 1}, {"$set": {"amount": 7}}),
    "statement-adds-up": ("balance_entries", {"userId": USER, "sequence": 2}, {"$set": {"runningBalance": 7}}),
    "statement-gapless": ("balance_entries", {"userId": USER, "sequence": 2}, {"$set": {"sequence": 9}}),
    "entries-keep-their-user": ("user_token_balances", {"_id": USER}, {"$set": {"hasEntries": False}}),
    "account-exists": ("vaults", {"_id": "v"}, {"$set": {"_id": "v"}}),
    "no-change-without-entry": ("balance_entries", {"userId": USER, "sequence": 1}, {}),
}


@pytest.mark.parametrize("invariant", PLANTED)
async def test_what_was_planted_is_found(invariant: str) -> None:
    bank = await bank_in_order()
    collection, where, update = PLANTED[invariant]
    rows = bank.store.rows(collection)
    if invariant in ("account-exists", "no-change-without-entry"):
        assert await rows.delete_one(where)
    else:
        assert await rows.update_one(where, update)
    report = await bank.audit()
    assert invariant in {finding.invariant for finding in report.findings}
    assert not report.is_clean


async def test_an_entry_without_a_change_is_found() -> None:
    bank = await bank_in_order()
    entry = (await bank.entries(USER))[-1]
    planted = {**entry.model_dump(by_alias=True, exclude_none=True), "_id": "planted", "sequence": entry.sequence + 1}
    planted |= {"amount": 1, "runningBalance": entry.running_balance + 1}
    await bank.store.rows("balance_entries").insert(planted)
    assert [finding.invariant for finding in (await bank.audit()).findings] == ["no-entry-without-change"]


async def test_a_movement_that_sweeps_leave_open_is_found() -> None:
    bank = await bank_in_order()
    client, faults = mortal(bank.client._motor.inner)
    faults.add("refuse", "update_many", "movements", times=1_000_000)
    with pytest.raises(Unavailable):
        await bank.process(client).post(credit(USER, 1, id_="left"))
    report = await bank.audit()
    assert report.is_clean, "no sweep had the time to see it"
    assert report.counted["movements under way"] == 1
    await bank.store.rows("ledger_sweeps").update_one(
        {"_id": "ledger"}, {"$set": {"sweptBefore": bank.clock.now() + timedelta(hours=1)}}
    )
    assert [finding.invariant for finding in (await bank.audit()).findings] == ["nothing-pending"]


async def test_audit_beside_live_traffic_finds_nothing_wrong() -> None:
    bank = await bank_in_order()
    ledger, is_over = bank.process(), False

    async def traffic() -> None:
        while not is_over:
            await asyncio.gather(*(ledger.post(credit(USER, 1)) for _ in range(4)))

    running = asyncio.create_task(traffic())
    report = await bank.audit()
    is_over = True
    await running
    await ledger.close()
    assert report.findings == []
    assert (await bank.healed()).findings == []


async def test_audit_changes_nothing() -> None:
    bank = await bank_in_order()
    client, faults = mortal(bank.client._motor.inner)
    await Bank(client).audit()
    assert {operation for operation, _ in faults.calls} <= {"find", "find_one"}


async def test_treasury_is_below_zero_by_what_was_issued() -> None:
    bank = await bank_in_order()
    assert await bank.system(TREASURY) == -100
    assert await bank.process().sweep(older_than=AT_ONCE) == 0
