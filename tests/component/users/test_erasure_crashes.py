"""An erase that is cut off at any step is finished by whoever comes next, and nothing is linked past it."""

import asyncio
from pathlib import Path

import httpx
import pytest
from api import pointers, problem
from mock_store import Faults, faulty_client
from users_service import Person, UsersService, credentials, users_service

from users.documents.exchange_accounts import ExchangeAccount
from users.documents.refresh_tokens import RefreshToken
from users.documents.users import User
from users.operations.erasure import SETTLED_AFTER, finish_erasures

pytestmark = pytest.mark.anyio

NOT_ERASED = {"isErased": {"$exists": False}}
OPERATIONS_MAX = 60


async def is_whole(service: UsersService, person: Person) -> bool:
    """Nothing happened yet: the account is as it was, and signs in."""
    user = await service.runtime.store.collection(User).get(person.id)
    return user is not None and user.status == "active" and user.email == person.email


async def is_wiped(service: UsersService, person: Person) -> bool:
    store = service.runtime.store
    user = await store.collection(User).get(person.id)
    left = [
        await store.collection(ExchangeAccount).count({"userId": person.id, **NOT_ERASED}),
        await store.collection(RefreshToken).count({"userId": person.id}),
    ]
    return user is not None and user.status == "erased" and person.email not in repr(user) and left == [0, 0]


def cut_off_at(faults: Faults, step: int, *, answered: bool) -> None:
    """The store answers nothing from this step on. Not `answered`: the step itself still takes effect."""
    if not answered:
        faults.add("lose", skip=step)
    faults.add("refuse", skip=step, times=1_000_000)


async def erase(person: Person, key: str | None = None) -> httpx.Response:
    return await person.client.post(f"/v1/users/{person.id}/erase", idempotency_key=key)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("finisher", ["retry", "another call", "worker"])
async def test_erase_cut_off_at_any_step_is_finished(tmp_path: Path, finisher: str, *, answered: bool) -> None:
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        for step in range(OPERATIONS_MAX):
            person = await service.sign_up()
            await service.sign_in(person)
            for _ in range(2):
                await service.linked(person)
            key = f"key-{step}" if finisher == "retry" else None
            cut_off_at(faults, step, answered=answered)
            status = (await erase(person, key)).status_code
            was_cut = any(rule.skip == 0 for rule in faults.rules)
            faults.rules.clear()
            if not was_cut:
                assert status == 200
                assert step > 5
                return
            await _finish(service, person, finisher, key)
            assert await is_wiped(service, person)
    pytest.fail("the erase never came to its end")


async def _finish(service: UsersService, person: Person, finisher: str, key: str | None) -> None:
    if finisher == "worker" and not await is_whole(service, person):
        await finish_erasures(service.runtime)
        return
    if finisher == "retry":
        service.clock.advance(60)  # the lease of the first try runs out
        assert (await erase(person, key)).status_code == 200
        return
    assert (await erase(person)).status_code in (200, 409)


async def test_worker_looks_at_an_erased_user_until_no_request_of_before_can_be_running(service: UsersService) -> None:
    person = await service.sign_up()
    await erase(person)
    users = service.runtime.store.collection(User)
    await finish_erasures(service.runtime)
    assert await users.exists({"_id": person.id, "erasureOpen": True})
    service.clock.advance(SETTLED_AFTER.total_seconds())
    await finish_erasures(service.runtime)
    assert not await users.exists({"_id": person.id, "erasureOpen": True})


async def link_while_erased(service: UsersService, faults: Faults, person: Person, *, dies: bool) -> httpx.Response:
    """The answer to a link that commits after its owner's erase has looked for accounts."""
    gate = faults.add("hold", "insert_many", "exchange_accounts").gate
    linking = asyncio.create_task(service.link(person, **credentials()))
    await gate.reached.wait()
    assert (await erase(person)).status_code == 200
    if dies:
        faults.add("refuse", "find_one", "users", times=1_000)
    gate.open()
    return await linking


async def test_account_linked_during_the_erase_is_empty_afterwards(tmp_path: Path) -> None:
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        person = await service.sign_up()
        answer = await link_while_erased(service, faults, person, dies=False)
        assert pointers(problem(answer, 409, "reference-condition-failed")) == {"/userId"}
        assert await is_wiped(service, person)
        assert await service.runtime.store.collection(ExchangeAccount).count({"userId": person.id}) == 1


async def test_account_whose_linking_died_during_the_erase_is_wiped_by_the_worker(tmp_path: Path) -> None:
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        person = await service.sign_up()
        assert (await link_while_erased(service, faults, person, dies=True)).status_code == 503
        faults.rules.clear()
        assert not await is_wiped(service, person)
        service.clock.advance(SETTLED_AFTER.total_seconds() - 1)
        await finish_erasures(service.runtime)
        assert await is_wiped(service, person)


async def test_credentials_rotated_during_the_erase_are_wiped_too(tmp_path: Path) -> None:
    """Decided on the account as it was before: the write must find another version, or be overwritten."""
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        person = await service.sign_up()
        account = await service.linked(person)
        gate = faults.add("hold", "find_one_and_update", "exchange_accounts").gate
        path = f"/v1/exchange-accounts/{account['accountId']}/rotate"
        rotating = asyncio.create_task(person.client.post(path, json=credentials()))
        await gate.reached.wait()
        assert (await erase(person)).status_code == 200
        gate.open()
        problem(await rotating, 409, "illegal-transition")
        assert await is_wiped(service, person)


async def test_new_name_decided_before_the_erase_does_not_come_after_it(tmp_path: Path) -> None:
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        person = await service.sign_up()
        gate = faults.add("hold", "find_one_and_update", "users").gate
        renaming = asyncio.create_task(person.client.patch(f"/v1/users/{person.id}", json={"displayName": "Anna"}))
        await gate.reached.wait()
        assert (await erase(person)).status_code == 200
        gate.open()
        problem(await renaming, 409, "illegal-transition")
        assert await is_wiped(service, person)
