"""Balances over HTTP, as the gateway would call."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from mock_store import mock_motor
from staking_ledger import OMNI, Bank, debit, mortal
from staking_service import StakingService, staking_service, user_reference

from kit.ids import new_id
from kit.problems import Unavailable
from kit.references.attached import Attached
from kit.store import StoreClient
from staking.documents.balance import TokenBalance

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[StakingService]:
    async with staking_service(tmp_path) as running:
        yield running


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    return body


async def test_first_credit_makes_the_balance(service: StakingService) -> None:
    user = new_id()
    refused(await service.user(user).get(f"/v1/balances/{user}"), 404, "not-found")

    made = await service.credit(user, "100.5")

    assert made.status_code == 201, made.text
    assert made.json()["balance"] == {"available": "100.50000000", "staked": "0.00000000"}
    read = await service.user(user).get(f"/v1/balances/{user}")
    body = read.json()
    assert (body["userId"], body["available"], body["staked"]) == (user, "100.50000000", "0.00000000")
    assert read.headers["etag"] == f'"{body["version"]}"'


async def test_every_change_is_an_entry_with_a_running_balance(service: StakingService) -> None:
    user = new_id()
    await service.credit(user, "10")
    debited = await service.debit(user, "3.00000001")
    listed = await service.user(user).get(f"/v1/balances/{user}/entries")
    entries = listed.json()["items"]
    told = [(one["sequence"], one["kind"], one["amount"], one["runningBalance"], one["reason"]) for one in entries]
    assert told == [
        (2, "debit", "-3.00000001", "6.99999999", "withdrawal"),
        (1, "credit", "10.00000000", "10.00000000", "deposit"),
    ]
    assert entries[0]["entryId"] == debited.json()["entryId"]
    assert {one["userId"] for one in entries} == {user}


async def test_statement_is_paged_to_its_end(service: StakingService) -> None:
    user = new_id()
    await asyncio.gather(*(service.credit(user, "1") for _ in range(7)))
    path, seen, cursor = f"/v1/balances/{user}/entries", list[int](), None
    while True:
        params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await service.user(user).get(path, params=params)).json()
        seen += [entry["sequence"] for entry in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    made_up = await service.user(user).get(path, params={"cursor": "made-up"})
    assert refused(made_up, 422, "invalid-request")["errors"][0]["pointer"] == "/cursor"


async def test_debit_below_zero_is_refused_and_changes_nothing(service: StakingService) -> None:
    user = new_id()
    refused(await service.debit(user, "1"), 404, "not-found")
    await service.credit(user, "1")
    refused(await service.debit(user, "1.00000001"), 409, "insufficient-balance")
    assert (await service.user(user).get(f"/v1/balances/{user}")).json()["available"] == "1.00000000"


async def test_debits_at_once_never_take_more_than_there_is(service: StakingService) -> None:
    user = new_id()
    await service.credit(user, "10")
    answers = await asyncio.gather(*(service.debit(user, "3") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409, 409, 409, 409]
    assert (await service.user(user).get(f"/v1/balances/{user}")).json()["available"] == "1.00000000"


async def test_first_credits_at_once_make_one_balance(service: StakingService) -> None:
    user = new_id()
    answers = await asyncio.gather(*(service.credit(user, "1") for _ in range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert (await service.user(user).get(f"/v1/balances/{user}")).json()["available"] == "16.00000000"


async def test_only_the_treasury_moves_balances(service: StakingService) -> None:
    user, body = new_id(), {"amount": "1", "reason": "please"}
    path = f"/v1/balances/{user}"
    refused(
        await service.user(user).post(f"{path}/credits", json=body, references=[user_reference(user)]), 403, "forbidden"
    )
    refused(await service.user(user).post(f"{path}/debits", json=body), 403, "forbidden")


async def test_somebody_elses_balance_is_answered_as_an_unknown_one(service: StakingService) -> None:
    user, stranger = new_id(), service.user(new_id())
    unknown = refused(await stranger.get(f"/v1/balances/{new_id()}"), 404, "not-found")
    await service.credit(user, "1")
    for path in (f"/v1/balances/{user}", f"/v1/balances/{user}/entries"):
        body = refused(await stranger.get(path), 404, "not-found")
        assert (body["title"], body["detail"]) == (unknown["title"], unknown["detail"])
    assert (await service.treasury.get(f"/v1/balances/{user}")).status_code == 200


async def test_credit_that_the_gateway_did_not_validate_is_refused(service: StakingService) -> None:
    user, body = new_id(), {"amount": "1", "reason": "deposit"}
    path = f"/v1/balances/{user}/credits"
    refused(await service.gateway.bare("POST", path, json=body), 428, "references-not-validated")
    refused(await service.treasury.post(path, json=body), 428, "references-not-validated")
    refused(await service.user(user).get(f"/v1/balances/{user}"), 404, "not-found")


NOT_AMOUNTS: tuple[object, ...] = (
    *("0", "0.00000000", "-1", "+1", "1e3", "NaN", "Infinity", "", " 1", "1 ", "01", "1.", ".5", "1,5"),
    *("0.000000001", "90000000000.00000001", "100000000000", "١", 1, 1.5, True, None, ["1"], {"amount": "1"}),
)


async def test_what_is_no_amount_is_refused_by_its_place(service: StakingService) -> None:
    user = new_id()
    for amount in NOT_AMOUNTS:
        answer = await service.credit(user, amount)
        assert refused(answer, 422, "invalid-request")["errors"][0]["pointer"] == "/amount", amount


async def test_number_beyond_every_range_is_refused(service: StakingService) -> None:
    user = new_id()
    answer = await service.treasury.post(
        f"/v1/balances/{user}/credits",
        content=b'{"amount": 1e400, "reason": "deposit"}',
        headers={"content-type": "application/json"},
        references=[user_reference(user)],
    )
    refused(answer, 422, "invalid-request")


async def test_repeated_credit_is_replayed_and_moves_once(service: StakingService) -> None:
    user = new_id()
    treasury, path = service.treasury, f"/v1/balances/{user}/credits"
    body = {"amount": "5", "reason": "deposit"}
    options = {"references": [user_reference(user)], "idempotency_key": "once"}
    first = await treasury.post(path, json=body, **options)
    again = await treasury.post(path, json=body, **options)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    refused(await treasury.post(path, json={**body, "amount": "6"}, **options), 422, "idempotency-mismatch")
    assert (await service.user(user).get(f"/v1/balances/{user}")).json()["available"] == "5.00000000"


async def test_balance_says_that_it_has_entries_before_anything_is_moved(service: StakingService) -> None:
    user = new_id()
    await service.credit(user, "1")
    balance = await service.runtime.store.collection(TokenBalance).get(user)
    assert balance is not None
    assert balance.has_entries
    assert balance.id == balance.user_id == user


async def test_version_stays_while_only_the_ledger_cleans_up(service: StakingService) -> None:
    user = new_id()
    await service.credit(user, "1")
    before = await service.user(user).get(f"/v1/balances/{user}")
    await service.ledger.close()
    after = await service.user(user).get(f"/v1/balances/{user}")
    assert after.headers["etag"] == before.headers["etag"]
    await service.credit(user, "1")
    assert (await service.user(user).get(f"/v1/balances/{user}")).headers["etag"] != before.headers["etag"]


async def test_user_who_is_being_deleted_is_credited_nothing(service: StakingService) -> None:
    fresh, empty = new_id(), new_id()
    now = service.runtime.clock.now()
    await service.runtime.references.create(
        TokenBalance(id=empty, user_id=empty, created_at=now, updated_at=now), Attached([user_reference(empty)])
    )
    for user in (fresh, empty):
        key = f"user_token_balances.userId|users|{user}"
        await service.runtime.store.rows("reference_closures").insert({"_id": key, "epoch": 1, "closed": True})
        refused(await service.credit(user, "1"), 409, "reference-closed")
    assert await service.runtime.store.rows("movements").count({}) == 0


async def test_what_a_dead_process_left_is_brought_to_its_end_by_the_service(tmp_path: Path) -> None:
    inner, user = mock_motor(), new_id()
    client, faults = mortal(inner)
    quick: dict[str, Any] = {"ledger_sweep_interval_s": 0.05, "ledger_sweep_after_s": 0}
    async with staking_service(tmp_path, client=StoreClient.from_motor(inner)) as service:
        await service.credit(user, "10")
    faults.add("refuse", "update_many", "movements", times=1_000_000)
    with pytest.raises(Unavailable):
        await Bank(client).process().post(debit(user, 4 * OMNI))
    async with staking_service(tmp_path, client=StoreClient.from_motor(inner), **quick) as service:
        for _ in range(200):
            if not await service.runtime.store.rows("movements").count({"open": True}):
                break
            await asyncio.sleep(0.05)
        entries = (await service.user(user).get(f"/v1/balances/{user}/entries")).json()["items"]
    assert [entry["amount"] for entry in entries] == ["-4.00000000", "10.00000000"]


async def test_supply_has_an_end(service: StakingService) -> None:
    user = new_id()
    assert (await service.credit(user, "90000000000")).status_code == 201
    refused(await service.credit(user, "0.00000001"), 409, "supply-exhausted")
    assert (await service.debit(user, "1")).status_code == 201
    assert (await service.credit(user, "1")).status_code == 201


async def test_amounts_of_a_statement_add_up_to_the_balance(service: StakingService) -> None:
    user = new_id()
    for amount in ("0.1", "0.2", "90000.00000001"):
        await service.credit(user, amount)
    await service.debit(user, "0.30000000")
    entries = (await service.user(user).get(f"/v1/balances/{user}/entries")).json()["items"]
    assert sum(Decimal(entry["amount"]) for entry in entries) == Decimal("90000.00000001")
