"""Accounts: signing up, reading, changing."""

import json
from typing import Any

import pytest
from api import pointers, problem
from users_service import UNKNOWN_ID, UsersService

pytestmark = pytest.mark.anyio

SIGN_UP = {"email": "ann@example.com", "password": "correct horse battery", "displayName": "Ann"}


async def test_sign_up_makes_an_active_user_and_shows_no_secret(service: UsersService) -> None:
    answer = await service.anonymous.post("/v1/users", json={**SIGN_UP, "email": " Ann@Example.COM"})
    user = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/users/{user['userId']}"
    assert answer.headers["etag"] == '"1"'
    assert set(user) == {
        "userId", "email", "displayName", "roles", "status", "statusReason", "createdAt", "updatedAt", "version"
    }  # fmt: skip
    assert (user["email"], user["roles"], user["status"]) == ("ann@example.com", ["user"], "active")
    assert "argon2" not in answer.text


async def test_email_is_taken_whatever_its_case(service: UsersService) -> None:
    await service.anonymous.post("/v1/users", json=SIGN_UP)
    answer = await service.anonymous.post("/v1/users", json={**SIGN_UP, "email": "ANN@example.com"})
    assert pointers(problem(answer, 409, "already-exists")) == {"/email"}


async def test_repeated_sign_up_gives_the_first_answer_again(service: UsersService) -> None:
    first = await service.anonymous.post("/v1/users", json=SIGN_UP, idempotency_key="once")
    second = await service.anonymous.post("/v1/users", json=SIGN_UP, idempotency_key="once")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    other = await service.anonymous.post("/v1/users", json={**SIGN_UP, "displayName": "Bob"}, idempotency_key="once")
    problem(other, 422, "idempotency-mismatch")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("email", "not an address", "invalid-email"),
        ("email", 7, "wrong-type"),
        ("email", "x" * 300 + "@example.com", "too-long"),
        ("email", None, "wrong-type"),
        ("password", "short", "weak-password"),
        ("password", "password123", "weak-password"),
        ("password", "ann@example.com", "weak-password"),
        ("password", "x" * 300, "too-long"),
        ("password", 12345678, "wrong-type"),
        ("displayName", "", "too-short"),
        ("displayName", "  ", "too-short"),
        ("displayName", "x" * 81, "too-long"),
        ("displayName", "bell\u0007", "bad-character"),
        ("displayName", "two\nlines", "bad-character"),
        ("roles", ["admin"], "unknown-field"),
        ("display_name", "Ann", "unknown-field"),
    ],
)
async def test_bad_field_is_refused_where_it_stands(shared: UsersService, field: str, value: object, code: str) -> None:
    answer = await shared.anonymous.post("/v1/users", json={**SIGN_UP, field: value})
    document = problem(answer, 422, "invalid-request")
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [(f"/{field}", code)]
    assert str(SIGN_UP["password"]) not in answer.text


@pytest.mark.parametrize("missing", SIGN_UP)
async def test_missing_field_is_named(shared: UsersService, missing: str) -> None:
    body = {name: value for name, value in SIGN_UP.items() if name != missing}
    answer = await shared.anonymous.post("/v1/users", json=body)
    assert pointers(problem(answer, 422, "invalid-request")) == {f"/{missing}"}


@pytest.mark.parametrize(
    "raw",
    [
        b"not json",
        b"[]",
        b"null",
        b'{"email": "a@b.cc", "email": "a@b.cc"}',
        b'{"displayName": "\\ud800"}',
        b'{"displayName": "\\u0000"}',
        b'{"displayName": NaN}',
        b'{"displayName": "\xff"}',
        b"[" * 100_000,
    ],
)
async def test_body_that_is_no_proper_json_object_is_refused(shared: UsersService, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    problem(await shared.anonymous.post("/v1/users", content=raw, headers=headers), 422, "invalid-request")


async def test_body_over_the_limit_is_refused(shared: UsersService) -> None:
    answer = await shared.anonymous.post("/v1/users", json={**SIGN_UP, "displayName": "x" * 2_000_000})
    problem(answer, 413, "payload-too-large")


async def test_own_user_is_read_with_its_version(service: UsersService) -> None:
    person = await service.sign_up()
    answer = await person.client.get("/v1/users/me")
    assert answer.json() == person.user
    assert answer.headers["etag"] == '"1"'
    assert (await person.client.get(f"/v1/users/{person.id}")).json() == person.user


async def test_own_user_needs_somebody(shared: UsersService) -> None:
    problem(await shared.anonymous.get("/v1/users/me"), 401, "unauthenticated")


async def test_somebody_elses_user_is_answered_like_an_unknown_one(service: UsersService) -> None:
    person, stranger = await service.sign_up(), await service.sign_up()
    for method, body in (("GET", None), ("PATCH", {"displayName": "Mine"})):
        found = await stranger.client.request(method, f"/v1/users/{person.id}", json=body)
        unknown = await stranger.client.request(method, f"/v1/users/{UNKNOWN_ID}", json=body)
        assert comparable(problem(found, 404, "not-found")) == comparable(problem(unknown, 404, "not-found"))


def comparable(document: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in document.items() if name not in {"instance", "requestId"}})


@pytest.mark.parametrize("role", ["treasury", "admin"])
async def test_treasury_and_admin_read_every_user(service: UsersService, role: str) -> None:
    person, other = await service.sign_up(), await service.sign_up("user", role)
    assert (await other.client.get(f"/v1/users/{person.id}")).json()["userId"] == person.id


@pytest.mark.parametrize(
    "path", ["/v1/users/not-an-id", "/v1/users/1", f"/v1/users/{UNKNOWN_ID.upper()}", "/v1/users/%00"]
)
async def test_path_with_something_that_is_no_id_is_refused(shared: UsersService, path: str) -> None:
    answer = await shared.admin.client.get(path)
    assert answer.status_code in (404, 422)
    problem(answer, answer.status_code, answer.json()["code"])


async def test_name_is_changed_once_and_with_a_new_version(service: UsersService) -> None:
    person = await service.sign_up()
    path = f"/v1/users/{person.id}"
    service.clock.advance(5)
    changed = await person.client.patch(path, json={"displayName": "Änne"}, if_match='"1"')
    assert (changed.json()["displayName"], changed.json()["version"]) == ("Änne", 2)
    assert changed.json()["updatedAt"] > person.user["updatedAt"]
    assert changed.headers["etag"] == '"2"'
    same = await person.client.patch(path, json={"displayName": "Änne"})
    assert same.json() == changed.json()


async def test_stale_if_match_is_refused_and_changes_nothing(service: UsersService) -> None:
    person = await service.sign_up()
    path = f"/v1/users/{person.id}"
    await person.client.patch(path, json={"displayName": "First"})
    answer = await person.client.patch(path, json={"displayName": "Second"}, if_match='"1"')
    problem(answer, 412, "version-mismatch")
    assert (await person.client.get(path)).json()["displayName"] == "First"


@pytest.mark.parametrize("field", ["displayName", "email", "password", "roles", "status", "userId", "version"])
async def test_null_or_unknown_field_in_a_change_is_refused(shared: UsersService, field: str) -> None:
    person = await shared.sign_up()
    answer = await person.client.patch(f"/v1/users/{person.id}", json={field: None})
    assert pointers(problem(answer, 422, "invalid-request")) == {f"/{field}"}


async def test_own_password_changes_with_the_current_one_only(service: UsersService) -> None:
    person = await service.sign_up()
    path, new = f"/v1/users/{person.id}", "another good one"
    missing = await person.client.patch(path, json={"password": new})
    assert pointers(problem(missing, 422, "invalid-request")) == {"/currentPassword"}
    wrong = await person.client.patch(path, json={"password": new, "currentPassword": "not it at all"})
    problem(wrong, 403, "wrong-password")
    weak = await person.client.patch(path, json={"password": "12345678", "currentPassword": person.password})
    assert pointers(problem(weak, 422, "invalid-request")) == {"/password"}
    right = await person.client.patch(path, json={"password": new, "currentPassword": person.password})
    assert right.status_code == 200
    assert new not in right.text
    old = await service.anonymous.post("/v1/auth/token", json={"email": person.email, "password": person.password})
    problem(old, 401, "unauthenticated")
    person.password = new
    await service.sign_in(person)


async def test_own_email_changes_with_the_current_password_and_stays_unique(service: UsersService) -> None:
    person, other = await service.sign_up(), await service.sign_up()
    path = f"/v1/users/{person.id}"
    proof = {"currentPassword": person.password}
    taken = await person.client.patch(path, json={"email": other.email, **proof})
    assert pointers(problem(taken, 409, "already-exists")) == {"/email"}
    changed = await person.client.patch(path, json={"email": "New.Address@example.com", **proof})
    assert changed.json()["email"] == "new.address@example.com"
    person.email = "new.address@example.com"
    await service.sign_in(person)


async def test_admin_changes_others_without_their_password(service: UsersService) -> None:
    person = await service.sign_up()
    answer = await service.admin.client.patch(f"/v1/users/{person.id}", json={"password": "set by an admin"})
    assert answer.status_code == 200
    person.password = "set by an admin"
    await service.sign_in(person)


async def test_treasury_sees_but_does_not_change_others(service: UsersService) -> None:
    person, treasurer = await service.sign_up(), await service.sign_up("user", "treasury")
    answer = await treasurer.client.patch(f"/v1/users/{person.id}", json={"displayName": "Mine"})
    problem(answer, 403, "forbidden")


async def test_list_is_for_admins(service: UsersService) -> None:
    for roles in ((), ("user", "treasury"), ("engine",)):
        person = await service.sign_up(*roles)
        problem(await person.client.get("/v1/users"), 403, "forbidden")
    problem(await service.anonymous.get("/v1/users"), 401, "unauthenticated")


async def test_list_pages_through_all_in_order_and_filters(service: UsersService) -> None:
    people = []
    for number in range(5):
        service.clock.advance(1)
        people.append(await service.sign_up(email=f"p{number}@example.com"))
    await service.admin.client.post(f"/v1/users/{people[0].id}/suspend")
    emails = [person.email for person in people]
    assert await all_emails(service, "limit=2") == [*reversed(emails), service.admin.email]
    assert await all_emails(service, "limit=4&sort=email") == [*emails, service.admin.email]
    assert await all_emails(service, "status=suspended") == ["p0@example.com"]
    assert await all_emails(service, "role=admin") == [service.admin.email]
    assert await all_emails(service, "email=P3@example.com") == ["p3@example.com"]
    assert await all_emails(service, "email=nobody@example.com") == []


async def all_emails(service: UsersService, query: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = (await service.admin.client.get(f"/v1/users?{query}{cursor}")).raise_for_status().json()
        found += [user["email"] for user in page["items"]]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=100000", "/limit"),
        ("limit=0", "/limit"),
        ("limit=ten", "/limit"),
        ("cursor=made-up", "/cursor"),
        ("cursor=eyJhIjoxfQ.AAAA", "/cursor"),
        ("sort=passwordHash", "/sort"),
        ("status=sleeping", "/status"),
        ("role=king", "/role"),
        ("email=nobody", "/email"),
    ],
)
async def test_bad_query_parameter_is_refused_at_its_name(shared: UsersService, query: str, pointer: str) -> None:
    answer = await shared.admin.client.get(f"/v1/users?{query}")
    assert pointers(problem(answer, 422, "invalid-request")) == {pointer}


async def test_cursor_of_another_list_is_refused(service: UsersService) -> None:
    for _ in range(3):
        await service.sign_up()
    cursor = (await service.admin.client.get("/v1/users?limit=1")).json()["nextCursor"]
    answer = await service.admin.client.get(f"/v1/users?limit=1&sort=email&cursor={cursor}")
    assert pointers(problem(answer, 422, "invalid-request")) == {"/cursor"}
