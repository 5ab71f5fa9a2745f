"""Roles, suspension, and the admin who is always there."""

import pytest
from api import pointers, problem
from users_service import UNKNOWN_ID, UsersService

from users.documents.users import User

pytestmark = pytest.mark.anyio


async def test_admin_sets_roles_and_they_are_listed_in_order(service: UsersService) -> None:
    person = await service.sign_up()
    answer = await service.admin.client.patch(f"/v1/users/{person.id}", json={"roles": ["treasury", "user", "user"]})
    assert answer.json()["roles"] == ["user", "treasury"]


@pytest.mark.parametrize("roles", [(), ("user", "treasury"), ("engine",)])
async def test_nobody_else_sets_roles_not_even_their_own(shared: UsersService, roles: tuple[str, ...]) -> None:
    person = await shared.sign_up(*roles)
    answer = await person.client.patch(f"/v1/users/{person.id}", json={"roles": ["user", "admin"]})
    problem(answer, 403, "forbidden")
    assert (await person.client.get("/v1/users/me")).json()["roles"] == list(roles or ("user",))


@pytest.mark.parametrize("roles", [[], ["king"], "admin", ["admin", 1], ["user"] * 5, None])
async def test_roles_that_are_none_are_refused(shared: UsersService, roles: object) -> None:
    person = await shared.sign_up()
    answer = await shared.admin.client.patch(f"/v1/users/{person.id}", json={"roles": roles})
    assert all(pointer.startswith("/roles") for pointer in pointers(problem(answer, 422, "invalid-request")))


async def test_last_admin_neither_loses_the_role_nor_is_suspended(service: UsersService) -> None:
    path = f"/v1/users/{service.admin.id}"
    problem(await service.admin.client.patch(path, json={"roles": ["user"]}), 409, "last-admin")
    problem(await service.admin.client.post(f"{path}/suspend"), 409, "last-admin")
    user = (await service.admin.client.get(path)).json()
    assert (user["roles"], user["status"], user["version"]) == (["user", "admin"], "active", 1)


@pytest.mark.parametrize("end", ["demoted", "suspended", "gone"])
async def test_token_of_one_who_is_no_admin_any_more_gives_no_roles(service: UsersService, end: str) -> None:
    second, person = await service.sign_up("user", "admin"), await service.sign_up()
    if end == "demoted":
        await service.admin.client.patch(f"/v1/users/{second.id}", json={"roles": ["user"]})
    elif end == "suspended":
        await service.admin.client.post(f"/v1/users/{second.id}/suspend")
    else:
        await service.runtime.store.rows("users").delete_many({"_id": second.id})
    answer = await second.client.patch(f"/v1/users/{person.id}", json={"roles": ["admin"]})
    problem(answer, 403, "forbidden")
    assert (await person.client.get("/v1/users/me")).json()["roles"] == ["user"]


async def test_suspended_admin_does_not_count(service: UsersService) -> None:
    second = await service.sign_up("user", "admin")
    assert (await service.admin.client.post(f"/v1/users/{second.id}/suspend")).status_code == 200
    answer = await service.admin.client.patch(f"/v1/users/{service.admin.id}", json={"roles": ["user"]})
    problem(answer, 409, "last-admin")


async def test_admin_steps_down_when_another_remains(service: UsersService) -> None:
    second = await service.sign_up("user", "admin")
    answer = await service.admin.client.patch(f"/v1/users/{service.admin.id}", json={"roles": ["user"]})
    assert answer.json()["roles"] == ["user"]
    problem(await second.client.patch(f"/v1/users/{second.id}", json={"roles": ["user"]}), 409, "last-admin")


async def test_last_admin_may_change_everything_else(service: UsersService) -> None:
    path = f"/v1/users/{service.admin.id}"
    changed = await service.admin.client.patch(path, json={"displayName": "Root", "roles": ["admin", "treasury"]})
    assert (changed.json()["displayName"], changed.json()["roles"]) == ("Root", ["treasury", "admin"])


async def test_mark_left_by_a_crash_does_not_keep_others_from_stepping_down(service: UsersService) -> None:
    second = await service.sign_up("user", "admin")
    users = service.runtime.store.collection(User)
    await users.update({"_id": second.id}, {"$set": {"stepDownToken": "left behind"}})
    answer = await service.admin.client.patch(f"/v1/users/{service.admin.id}", json={"roles": ["user"]})
    assert answer.status_code == 200


async def test_suspension_and_reactivation(service: UsersService) -> None:
    person = await service.sign_up()
    path = f"/v1/users/{person.id}"
    suspended = await service.admin.client.post(f"{path}/suspend", json={"reason": "review"})
    assert (suspended.json()["status"], suspended.json()["statusReason"]) == ("suspended", "review")
    active = await service.admin.client.post(f"{path}/reactivate")
    assert (active.json()["status"], active.json()["statusReason"], active.json()["version"]) == ("active", None, 3)


@pytest.mark.parametrize(("action", "status"), [("reactivate", "active"), ("suspend", "suspended")])
async def test_action_that_the_state_does_not_allow_names_those_it_does(
    shared: UsersService, action: str, status: str
) -> None:
    person = await shared.sign_up()
    path = f"/v1/users/{person.id}"
    if status == "suspended":
        await shared.admin.client.post(f"{path}/suspend")
    document = problem(await shared.admin.client.post(f"{path}/{action}"), 409, "illegal-transition")
    other = {"suspend": "reactivate", "reactivate": "suspend"}[action]
    assert (document["from"], document["action"], document["allowed"]) == (status, action, [other, "erase"])
    assert document["detail"] == f"'{action}' is not allowed while the account is {status}."


async def test_repeated_suspension_is_the_same_one(service: UsersService) -> None:
    person = await service.sign_up()
    path = f"/v1/users/{person.id}/suspend"
    first = await service.admin.client.post(path, json={"reason": "review"}, idempotency_key="k")
    second = await service.admin.client.post(path, json={"reason": "review"}, idempotency_key="k")
    assert (first.json(), second.headers["idempotency-replayed"]) == (second.json(), "true")
    problem(await service.admin.client.post(path, json={"reason": "review"}), 409, "illegal-transition")


@pytest.mark.parametrize("action", ["suspend", "reactivate"])
async def test_actions_are_for_admins(shared: UsersService, action: str) -> None:
    person, treasurer = await shared.sign_up(), await shared.sign_up("user", "treasury")
    for who in (person, treasurer):
        problem(await who.client.post(f"/v1/users/{person.id}/{action}"), 403, "forbidden")
    problem(await shared.anonymous.post(f"/v1/users/{person.id}/{action}"), 401, "unauthenticated")
    problem(await shared.admin.client.post(f"/v1/users/{UNKNOWN_ID}/{action}"), 404, "not-found")


async def test_stale_if_match_on_an_action_is_refused(service: UsersService) -> None:
    person = await service.sign_up()
    await person.client.patch(f"/v1/users/{person.id}", json={"displayName": "New"})
    answer = await service.admin.client.post(f"/v1/users/{person.id}/suspend", if_match='"1"')
    problem(answer, 412, "version-mismatch")
    assert (await person.client.get("/v1/users/me")).json()["status"] == "active"


@pytest.mark.parametrize("body", [{"reason": ""}, {"reason": 1}, {"reason": "x" * 501}, {"cause": "x"}, []])
async def test_bad_body_of_an_action_is_refused(shared: UsersService, body: object) -> None:
    person = await shared.sign_up()
    answer = await shared.admin.client.post(f"/v1/users/{person.id}/suspend", json=body)
    problem(answer, 422, "invalid-request")
