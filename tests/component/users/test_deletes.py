"""Who may delete a user or an exchange account, and what must hold when it is marked."""

import asyncio
from pathlib import Path

import pytest
from api import problem
from mock_store import faulty_client
from owner_deletes import begin, begun, plan, purged, refused, removed
from users_service import UNKNOWN_ID, Person, UsersService, users_service

from users.documents.users import User

pytestmark = pytest.mark.anyio

SEEDS = range(12)


async def begin_user(who: Person, whom: Person) -> int:
    """200 if it was marked."""
    answer = await begin(who.client, "deleteUser", userId=whom.id)
    if answer.status_code == 200:
        return 200 if answer.json()["state"] == "deleting" else 503
    return answer.status_code


async def remaining_admins(service: UsersService) -> int:
    admin = {"roles": "admin", "status": "active", "_parent.state": {"$nin": ["deleting", "purging"]}}
    return await service.runtime.store.collection(User).count(admin)


async def test_user_goes_by_their_own_wish_or_an_admins(service: UsersService) -> None:
    for who in ("themselves", "an admin"):
        person = await service.sign_up()
        client = person.client if who == "themselves" else service.admin.client
        await removed(client, "deleteUser", userId=person.id)
        problem(await service.admin.client.get(f"/v1/users/{person.id}"), 404, "not-found")
        problem(await begin(client, "deleteUser", userId=person.id), 404, "not-found")


async def test_nobody_else_deletes_a_user(shared: UsersService) -> None:
    person, other = await shared.sign_up(), await shared.sign_up()
    treasurer = await shared.sign_up("user", "treasury")
    for ask in (plan, begin):
        problem(await ask(other.client, "deleteUser", userId=person.id), 404, "not-found")
        problem(await ask(treasurer.client, "deleteUser", userId=person.id), 403, "forbidden")
        problem(await ask(shared.admin.client, "deleteUser", userId=UNKNOWN_ID), 404, "not-found")
        problem(await ask(shared.admin.client, "deleteUser", userId="no id"), 404, "not-found")
    assert (await person.client.get("/v1/users/me")).status_code == 200


async def test_account_goes_by_the_wish_of_its_owner_treasury_or_an_admin(service: UsersService) -> None:
    owner, other = await service.sign_up(), await service.sign_up()
    treasurer = await service.sign_up("user", "treasury")
    for who in (owner, treasurer, service.admin):
        account = await service.linked(owner)
        path = {"accountId": account["accountId"]}
        problem(await begin(other.client, "deleteExchangeAccount", **path), 404, "not-found")
        await removed(who.client, "deleteExchangeAccount", **path)
        problem(await begin(who.client, "deleteExchangeAccount", **path), 404, "not-found")


@pytest.mark.parametrize("ask", [plan, begin])
async def test_stale_version_is_refused_before_anything_is_marked(service: UsersService, ask: object) -> None:
    owner = await service.sign_up()
    account = await service.linked(owner)
    path = f"/v1/exchange-accounts/{account['accountId']}"
    await owner.client.patch(path, json={"accountNickname": "other"})
    await owner.client.patch(f"/v1/users/{owner.id}", json={"displayName": "Other"})
    assert callable(ask)
    for operation, ids in (
        ("deleteUser", {"userId": owner.id}),
        ("deleteExchangeAccount", {"accountId": account["accountId"]}),
    ):
        problem(await ask(owner.client, operation, if_match=1, **ids), 412, "version-mismatch")
        assert (await ask(owner.client, operation, if_match=2, **ids)).status_code == 200


async def test_delete_that_came_past_the_gateway_is_refused(service: UsersService) -> None:
    person = await service.sign_up()
    account = await service.linked(person)
    for path in (f"/v1/users/{person.id}", f"/v1/exchange-accounts/{account['accountId']}"):
        problem(await person.client.delete(path), 428, "references-not-validated")
        assert (await person.client.get(path)).status_code == 200


async def test_last_admin_is_not_deleted(service: UsersService) -> None:
    problem(await plan(service.admin.client, "deleteUser", userId=service.admin.id), 409, "last-admin")
    second = await service.sign_up("user", "admin")
    await begun(service.admin.client, "deleteUser", userId=second.id)
    problem(await begin(service.admin.client, "deleteUser", userId=service.admin.id), 409, "last-admin")
    path = f"/v1/users/{service.admin.id}"
    problem(await service.admin.client.patch(path, json={"roles": ["user"]}), 409, "last-admin")
    problem(await service.admin.client.post(f"{path}/suspend"), 409, "last-admin")


async def test_refused_delete_leaves_an_admin_who_counts_again(service: UsersService) -> None:
    second = await service.sign_up("user", "admin")
    deletion = await begun(service.admin.client, "deleteUser", userId=second.id)
    await refused(service.admin.client, deletion)
    await begun(second.client, "deleteUser", userId=service.admin.id)


async def test_user_made_an_admin_before_the_mark_is_judged_again(tmp_path: Path) -> None:
    """Judged as a user like any other, then made an admin, then the only one: the mark must not be set."""
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        person = await service.sign_up()
        mark = faults.add("hold", "update_one", "users")
        deleting = asyncio.create_task(begin_user(person, person))
        await mark.gate.reached.wait()
        await service.admin.client.patch(f"/v1/users/{person.id}", json={"roles": ["user", "admin"]})
        path = f"/v1/users/{service.admin.id}"
        (await service.admin.client.patch(path, json={"roles": ["user"]})).raise_for_status()
        mark.gate.open()
        assert await deleting != 200
        assert await remaining_admins(service) == 1


@pytest.mark.parametrize("seed", SEEDS)
async def test_admins_who_go_in_different_ways_at_once_leave_one(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        second, third = [await service.sign_up("user", "admin") for _ in range(2)]
        ways = [
            begin_user(service.admin, second),
            begin_user(second, service.admin),
            _status(third, f"/v1/users/{third.id}/erase"),
            _status(service.admin, f"/v1/users/{third.id}/suspend"),
        ]
        statuses = await asyncio.gather(*ways)
        assert set(statuses) <= {200, 409, 503}
        assert await remaining_admins(service) >= 1


@pytest.mark.parametrize("seed", SEEDS)
async def test_admins_who_delete_each_other_at_once_leave_one(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        second = await service.sign_up("user", "admin")
        statuses = await asyncio.gather(begin_user(service.admin, second), begin_user(second, service.admin))
        assert set(statuses) <= {200, 409, 503}
        assert await remaining_admins(service) >= 1
        assert 200 in [*statuses, await begin_user(service.admin, second), await begin_user(second, service.admin)]
        assert await remaining_admins(service) == 1


async def test_delete_asked_for_twice_is_the_same_one(service: UsersService) -> None:
    person = await service.sign_up()
    first = await begun(person.client, "deleteUser", userId=person.id)
    assert (await begun(service.admin.client, "deleteUser", userId=person.id))["deletionId"] == first["deletionId"]


async def test_nobody_signs_in_as_a_user_who_is_going(service: UsersService) -> None:
    person = await service.sign_up()
    tokens = await service.sign_in(person)
    deletion = await begun(person.client, "deleteUser", userId=person.id)
    service.clock.advance(60)
    credentials = {"email": person.email, "password": person.password}
    problem(await service.anonymous.post("/v1/auth/token", json=credentials), 503, "unavailable")
    await purged(person.client, deletion)
    gone = problem(await service.anonymous.post("/v1/auth/token", json=credentials), 401, "unauthenticated")
    unknown = {"email": "nobody@example.com", "password": person.password}
    assert gone["detail"] == (await service.anonymous.post("/v1/auth/token", json=unknown)).json()["detail"]
    refresh = {"refreshToken": tokens["refreshToken"]}
    problem(await service.anonymous.post("/v1/auth/refresh", json=refresh), 401, "unauthenticated")


async def test_user_whose_delete_was_refused_signs_in_again(service: UsersService) -> None:
    person = await service.sign_up()
    await refused(person.client, await begun(person.client, "deleteUser", userId=person.id))
    assert (await service.sign_in(person))["refreshToken"]


async def _status(who: Person, path: str) -> int:
    return (await who.client.post(path)).status_code


async def test_deletes_are_documented(shared: UsersService) -> None:
    paths = shared.gateway.app.openapi()["paths"]
    for path, conflicts in (("/v1/users/{userId}", ["last-admin"]), ("/v1/exchange-accounts/{accountId}", [])):
        operation = paths[path]["delete"]
        assert {"202", "204", "404", "409", "412"} <= operation["responses"].keys()
        assert operation["responses"]["202"]["headers"].keys() == {"Location", "Preference-Applied"}
        assert set(operation["responses"]["409"]["x-codes"]) == {"delete-restricted", *conflicts}
        assert "resource-deleted" in paths[path.rpartition("/")[0]]["post"]["responses"]["409"]["x-codes"]
