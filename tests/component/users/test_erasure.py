"""Erasing a user: what is wiped, what stays, and what nothing leads out of."""

from typing import Any

import pytest
from api import pointers, problem
from owner_deletes import removed
from users_service import UNKNOWN_ID, Person, UsersService, credentials

from users.documents.exchange_accounts import ExchangeAccount
from users.documents.refresh_tokens import RefreshToken
from users.documents.users import User

pytestmark = pytest.mark.anyio


async def kept_of(service: UsersService, person: Person) -> str:
    """All that is stored of a person."""
    store = service.runtime.store
    where: list[tuple[str, dict[str, Any]]] = [
        ("users", {"_id": person.id}),
        ("exchange_accounts", {"userId": person.id}),
        ("refresh_tokens", {"userId": person.id}),
    ]
    return repr([await store.rows(name).find(filter_, limit=100) for name, filter_ in where])


async def erase(person: Person, **options: Any) -> dict[str, Any]:
    answer = await person.client.post(f"/v1/users/{person.id}/erase", **options)
    erased: dict[str, Any] = answer.raise_for_status().json()
    return erased


async def test_erase_wipes_everything_but_the_ids(service: UsersService) -> None:
    person = await service.sign_up(displayName="Ann Example")
    await service.admin.client.post(f"/v1/users/{person.id}/suspend", json={"reason": "Ann moved house"})
    await service.admin.client.post(f"/v1/users/{person.id}/reactivate", json={"reason": "Ann came back"})
    await service.sign_in(person)
    given = [credentials() for _ in range(3)]
    accounts = [await service.linked(person, **one, accountNickname="Ann's savings") for one in given]
    stored = await service.runtime.store.collection(ExchangeAccount).find({"userId": person.id}, limit=10)
    user = await service.runtime.store.collection(User).get(person.id)
    assert user is not None

    erased = await erase(person)

    assert (erased["userId"], erased["status"], erased["roles"]) == (person.id, "erased", ["user"])
    assert (erased["email"], erased["displayName"], erased["statusReason"]) == (None, None, None)
    kept = await kept_of(service, person)
    hashes = [user.password_hash, *(digest for one in stored for digest in (one.api_key_hash, one.api_secret_hash))]
    hints = [repr(account["keyHint"]) for account in accounts]
    for personal in (person.email, "Ann", *hashes, *hints):
        assert personal not in kept
    assert await service.runtime.store.collection(RefreshToken).count({"userId": person.id}) == 0
    for account in accounts:
        answer = await service.admin.client.get(f"/v1/exchange-accounts/{account['accountId']}")
        shown = answer.raise_for_status().json()
        assert (shown["userId"], shown["exchangeName"]) == (person.id, "binance")
        assert (shown["accountNickname"], shown["keyHint"], shown["isValid"]) == (None, "", False)
        assert (shown["validity"]["status"], shown["validity"]["reason"]) == ("invalid", "erased")


async def test_email_and_keys_of_an_erased_user_are_free_again(service: UsersService) -> None:
    person, same = await service.sign_up(), credentials()
    await service.linked(person, **same)
    await erase(person)
    other = await service.sign_up(email=person.email)
    await service.linked(other, **same)
    await erase(other)
    third = await service.sign_up(email=person.email)
    await service.linked(third, **same)


async def test_erased_user_neither_signs_in_nor_stays_signed_in(service: UsersService) -> None:
    person = await service.sign_up()
    tokens = await service.sign_in(person)
    await erase(person)
    for name in (person.email, f"erased:{person.id}"):
        body = {"email": name, "password": person.password}
        problem(await service.anonymous.post("/v1/auth/token", json=body), 401, "unauthenticated")
    refresh = {"refreshToken": tokens["refreshToken"]}
    problem(await service.anonymous.post("/v1/auth/refresh", json=refresh), 401, "unauthenticated")


async def test_name_that_stands_for_an_erased_email_is_taken_by_nobody(service: UsersService) -> None:
    person = await service.sign_up()
    await erase(person)
    body = {"email": f"erased:{person.id}", "password": "a good password", "displayName": "X"}
    assert pointers(problem(await service.anonymous.post("/v1/users", json=body), 422, "invalid-request")) == {"/email"}


@pytest.mark.parametrize("was", ["active", "suspended"])
async def test_nothing_leads_out_of_an_erased_account(service: UsersService, was: str) -> None:
    person = await service.sign_up()
    path, admin = f"/v1/users/{person.id}", service.admin.client
    if was == "suspended":
        await admin.post(f"{path}/suspend")
    (await admin.post(f"{path}/erase")).raise_for_status()
    refusals = [await admin.post(f"{path}/{action}") for action in ("suspend", "reactivate", "erase")]
    refusals.append(await admin.patch(path, json={"roles": ["user", "admin"]}))
    refusals.append(await person.client.patch(path, json={"displayName": "Back"}))
    for answer in refusals:
        document = problem(answer, 409, "illegal-transition")
        assert (document["from"], document["allowed"]) == ("erased", [])


async def test_nothing_new_goes_into_an_erased_users_accounts(service: UsersService) -> None:
    person = await service.sign_up()
    given = credentials()
    account = await service.linked(person, **given)
    await erase(person)
    path = f"/v1/exchange-accounts/{account['accountId']}"
    for answer in (
        await person.client.post(f"{path}/rotate", json=credentials()),
        await person.client.post(f"{path}/verify", json=given),
        await person.client.patch(path, json={"accountNickname": "again"}),
    ):
        assert problem(answer, 409, "illegal-transition")["allowed"] == []
    refused = problem(await service.link(person), 409, "reference-condition-failed")
    assert pointers(refused) == {"/userId"}


async def test_erased_user_and_account_may_still_be_deleted(service: UsersService) -> None:
    person = await service.sign_up()
    account = await service.linked(person)
    await erase(person)
    await removed(service.admin.client, "deleteExchangeAccount", accountId=account["accountId"])
    await removed(service.admin.client, "deleteUser", userId=person.id)


async def test_erase_is_for_oneself_and_admins(shared: UsersService) -> None:
    person, other = await shared.sign_up(), await shared.sign_up()
    treasurer = await shared.sign_up("user", "treasury")
    path = f"/v1/users/{person.id}/erase"
    problem(await other.client.post(path), 404, "not-found")
    problem(await treasurer.client.post(path), 403, "forbidden")
    problem(await shared.anonymous.post(path), 404, "not-found")
    problem(await shared.admin.client.post(f"/v1/users/{UNKNOWN_ID}/erase"), 404, "not-found")
    problem(await person.client.post(path, if_match='"7"'), 412, "version-mismatch")
    assert (await person.client.get("/v1/users/me")).json()["status"] == "active"


async def test_last_admin_is_not_erased(service: UsersService) -> None:
    path = f"/v1/users/{service.admin.id}"
    problem(await service.admin.client.post(f"{path}/erase"), 409, "last-admin")
    second = await service.sign_up("user", "admin")
    erased = (await second.client.post(f"{path}/erase")).raise_for_status().json()
    assert erased["roles"] == ["user"]
    problem(await second.client.post(f"/v1/users/{second.id}/erase"), 409, "last-admin")


async def test_repeated_erase_is_the_same_one(service: UsersService) -> None:
    person = await service.sign_up()
    first = await erase(person, idempotency_key="k")
    assert await erase(person, idempotency_key="k") == first
