"""Exchange accounts: verify and rotate, with the credentials at hand."""

import secrets
from typing import Any

import pytest
from api import pointers, problem
from users_service import UsersService, credentials

pytestmark = pytest.mark.anyio

PATH = "/v1/exchange-accounts"


async def test_verify_takes_the_linked_credentials_and_answers_not_verified(service: UsersService) -> None:
    owner = await service.sign_up()
    given = credentials()
    account = await service.linked(owner, **given)
    service.clock.advance(60)
    answer = await owner.client.post(f"{PATH}/{account['accountId']}/verify", json=given)
    verified = answer.raise_for_status().json()
    assert (verified["isValid"], verified["validity"]["reason"]) == (False, "not-verified")
    assert verified["validity"]["checkedAt"] > account["validity"]["checkedAt"]
    assert verified["version"] == 2


@pytest.mark.parametrize("field", ["apiKey", "apiSecret"])
async def test_verify_refuses_other_credentials_and_changes_nothing(shared: UsersService, field: str) -> None:
    owner = await shared.sign_up()
    given = credentials()
    account = await shared.linked(owner, **given)
    path = f"{PATH}/{account['accountId']}"
    answer = await owner.client.post(f"{path}/verify", json={**given, field: secrets.token_hex(16)})
    assert pointers(problem(answer, 422, "credentials-mismatch")) == {f"/{field}"}
    assert (await owner.client.get(path)).json() == account


async def test_rotate_keeps_the_account_and_frees_the_old_key(service: UsersService) -> None:
    owner = await service.sign_up()
    old, new = credentials(), credentials()
    account = await service.linked(owner, **old)
    path = f"{PATH}/{account['accountId']}"
    rotated = (await owner.client.post(f"{path}/rotate", json=new)).raise_for_status().json()
    assert (rotated["accountId"], rotated["userId"]) == (account["accountId"], owner.id)
    assert (rotated["keyHint"], rotated["version"]) == (new["apiKey"][-4:], 2)
    problem(await owner.client.post(f"{path}/verify", json=old), 422, "credentials-mismatch")
    assert (await owner.client.post(f"{path}/verify", json=new)).status_code == 200
    await service.linked(await service.sign_up(), **old)


async def test_rotate_to_a_key_that_is_linked_is_refused(service: UsersService) -> None:
    owner = await service.sign_up()
    other = credentials()
    await service.linked(owner, **other)
    account = await service.linked(owner)
    path = f"{PATH}/{account['accountId']}"
    answer = await owner.client.post(f"{path}/rotate", json=other)
    assert pointers(problem(answer, 409, "already-exists")) == {"/apiKey"}
    assert (await owner.client.get(path)).json() == account


async def test_rotate_to_the_same_key_renews_its_secret(service: UsersService) -> None:
    owner = await service.sign_up()
    given = credentials()
    path = f"{PATH}/{(await service.linked(owner, **given))['accountId']}"
    renewed = {**given, "apiSecret": secrets.token_hex(24)}
    assert (await owner.client.post(f"{path}/rotate", json=renewed)).status_code == 200
    assert (await owner.client.post(f"{path}/verify", json=renewed)).status_code == 200


@pytest.mark.parametrize("action", ["verify", "rotate"])
async def test_repeated_action_is_done_once_and_a_stale_one_is_refused(shared: UsersService, action: str) -> None:
    owner = await shared.sign_up()
    given = credentials()
    path = f"{PATH}/{(await shared.linked(owner, **given))['accountId']}/{action}"
    first = await owner.client.post(path, json=given, idempotency_key="once")
    second = await owner.client.post(path, json=given, idempotency_key="once")
    assert (first.json(), second.headers["idempotency-replayed"]) == (second.json(), "true")
    assert second.json()["version"] == 2
    problem(await owner.client.post(path, json=given, if_match='"1"'), 412, "version-mismatch")


@pytest.mark.parametrize("action", ["verify", "rotate"])
@pytest.mark.parametrize("body", [None, {}, {"apiKey": "key-12345678"}, {"apiSecret": "secret-12345678"}])
async def test_actions_need_both_credentials(shared: UsersService, action: str, body: Any) -> None:
    owner = await shared.sign_up()
    path = f"{PATH}/{(await shared.linked(owner))['accountId']}/{action}"
    problem(await owner.client.post(path, json=body), 422, "invalid-request")
