"""Signing in, refreshing, signing out, and the published keys."""

import base64
import time
from typing import Any

import jwt
import pytest
from api import pointers, problem
from argon2 import PasswordHasher
from users_service import Person, UsersService

from users.documents.refresh_tokens import RefreshToken
from users.documents.users import User
from users.workers.expired_sessions import expired_sessions

pytestmark = pytest.mark.anyio

DAY_S = 86_400
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def refresh(service: UsersService, tokens: dict[str, Any]) -> Any:
    return await service.anonymous.post("/v1/auth/refresh", json={"refreshToken": tokens["refreshToken"]})


async def published_keys(service: UsersService) -> dict[str, Any]:
    answer = await service.anonymous.get("/.well-known/jwks.json")
    assert "max-age" in answer.headers["cache-control"]
    return {key["kid"]: jwt.PyJWK(key) for key in answer.json()["keys"]}


async def test_sign_in_gives_a_token_that_the_published_keys_verify(service: UsersService) -> None:
    person = await service.sign_up("user", "treasury")
    answer = await service.anonymous.post(
        "/v1/auth/token", json={"email": person.email.upper(), "password": person.password}
    )
    tokens = answer.json()
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("Bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    kid = jwt.get_unverified_header(tokens["accessToken"])["kid"]
    key = (await published_keys(service))[kid]
    claims = jwt.decode(tokens["accessToken"], key, algorithms=["EdDSA"], audience="omnitrade", issuer="omnitrade")
    assert (claims["sub"], claims["roles"]) == (person.id, ["user", "treasury"])
    assert claims["exp"] - claims["iat"] == 900


async def test_published_keys_are_public_halves_only(service: UsersService) -> None:
    keys = (await service.anonymous.get("/.well-known/jwks.json")).json()["keys"]
    assert [set(key) for key in keys] == [{"kty", "crv", "x", "kid", "use", "alg"}]


async def test_wrong_password_and_unknown_email_get_the_same_answer(service: UsersService) -> None:
    person = await service.sign_up()
    documents = []
    for email, password in (
        (person.email, "not the password"),
        ("x" + person.email, person.password),
        ("no address", person.password),
    ):
        answer = await service.anonymous.post("/v1/auth/token", json={"email": email, "password": password})
        document = problem(answer, 401, "unauthenticated")
        documents.append({name: value for name, value in document.items() if name != "requestId"})
    assert documents[0] == documents[1] == documents[2]


async def test_unknown_email_takes_as_long_as_a_wrong_password(service: UsersService) -> None:
    person = await service.sign_up()
    spent = {person.email: 0.0, "x" + person.email: 0.0}
    for _ in range(5):
        for email in spent:
            started = time.perf_counter()
            await service.anonymous.post("/v1/auth/token", json={"email": email, "password": "wrong one"})
            spent[email] += time.perf_counter() - started
    known, unknown = spent.values()
    assert known / 2 < unknown < known * 2


async def test_oauth2_password_form_is_taken_and_answered_by_its_names_too(service: UsersService) -> None:
    person = await service.sign_up()
    form = {"grant_type": "password", "username": person.email, "password": person.password, "scope": ""}
    answer = await service.anonymous.post("/v1/auth/token", data=form)
    tokens = answer.json()
    assert tokens["access_token"] == tokens["accessToken"]
    assert tokens["refresh_token"] == tokens["refreshToken"]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)


@pytest.mark.parametrize(
    ("form", "pointer"),
    [
        ("grant_type=password&password=x", "/username"),
        ("grant_type=client_credentials&username=a%40b.cc&password=x", "/grant_type"),
        ("username=a%40b.cc&password=x&roles=admin", "/roles"),
        ("username=a%40b.cc&username=b%40b.cc&password=x", ""),
        ("no form at all", ""),
    ],
)
async def test_bad_form_is_refused_where_it_is_wrong(shared: UsersService, form: str, pointer: str) -> None:
    answer = await shared.anonymous.post("/v1/auth/token", content=form, headers=FORM)
    assert pointers(problem(answer, 422, "invalid-request")) == {pointer}


async def test_other_media_types_are_refused(shared: UsersService) -> None:
    answer = await shared.anonymous.post("/v1/auth/token", content=b"<x/>", headers={"Content-Type": "text/xml"})
    problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "a@b.cc"}, "/password"),
        ({"password": "x"}, "/email"),
        ({"email": "a@b.cc", "password": 1}, "/password"),
        ({"email": "a@b.cc", "password": "x" * 300}, "/password"),
        ({"email": "a@b.cc", "password": "x", "otp": "1"}, "/otp"),
    ],
)
async def test_bad_sign_in_is_refused_at_its_field(shared: UsersService, body: dict[str, Any], pointer: str) -> None:
    assert pointers(problem(await shared.anonymous.post("/v1/auth/token", json=body), 422, "invalid-request")) == {
        pointer
    }


async def test_refresh_token_is_good_once(service: UsersService) -> None:
    first = await service.sign_in(await service.sign_up())
    second = (await refresh(service, first)).raise_for_status().json()
    assert second["refreshToken"] != first["refreshToken"]
    assert second["accessToken"] != first["accessToken"]
    problem(await refresh(service, first), 401, "unauthenticated")
    assert (await refresh(service, second)).status_code == 200


async def test_refresh_takes_the_roles_of_today(service: UsersService) -> None:
    person = await service.sign_up()
    tokens = await service.sign_in(person)
    await service.admin.client.patch(f"/v1/users/{person.id}", json={"roles": ["engine"]})
    fresh = (await refresh(service, tokens)).json()["accessToken"]
    assert jwt.decode(fresh, options={"verify_signature": False})["roles"] == ["engine"]


@pytest.mark.parametrize(
    "token", ["garbage", "omr_", "omr_" + "A" * 64, "omr_" + base64.urlsafe_b64encode(b"x" * 48).decode()]
)
async def test_refresh_token_made_up_is_refused(shared: UsersService, token: str) -> None:
    problem(await shared.anonymous.post("/v1/auth/refresh", json={"refreshToken": token}), 401, "unauthenticated")
    assert (await shared.anonymous.post("/v1/auth/logout", json={"refreshToken": token})).status_code == 204


@pytest.mark.parametrize("body", [{}, {"refreshToken": 1}, {"refreshToken": ""}, {"refresh_token": "x"}])
async def test_bad_refresh_request_is_refused(shared: UsersService, body: dict[str, Any]) -> None:
    for path in ("/v1/auth/refresh", "/v1/auth/logout"):
        problem(await shared.anonymous.post(path, json=body), 422, "invalid-request")


async def test_sign_out_ends_its_session_and_no_other(service: UsersService) -> None:
    person = await service.sign_up()
    one, other = await service.sign_in(person), await service.sign_in(person)
    answer = await service.anonymous.post("/v1/auth/logout", json={"refreshToken": one["refreshToken"]})
    assert (answer.status_code, answer.content) == (204, b"")
    problem(await refresh(service, one), 401, "unauthenticated")
    assert (await refresh(service, other)).status_code == 200


async def test_session_ends_after_its_idle_time_and_after_its_whole_age(service: UsersService) -> None:
    person = await service.sign_up()
    idle, used = await service.sign_in(person), await service.sign_in(person)
    for _ in range(3):
        service.clock.advance(29 * DAY_S)
        used = (await refresh(service, used)).raise_for_status().json()
    problem(await refresh(service, idle), 401, "unauthenticated")
    service.clock.advance(3 * DAY_S + 1)
    problem(await refresh(service, used), 401, "unauthenticated")


async def test_suspended_user_gets_no_tokens_and_old_sessions_stay_ended(service: UsersService) -> None:
    person = await service.sign_up()
    tokens = await service.sign_in(person)
    body = {"email": person.email, "password": person.password}
    await service.admin.client.post(f"/v1/users/{person.id}/suspend")
    problem(await service.anonymous.post("/v1/auth/token", json=body), 403, "user-suspended")
    problem(await refresh(service, tokens), 403, "user-suspended")
    wrong = await service.anonymous.post("/v1/auth/token", json={**body, "password": "a wrong one"})
    problem(wrong, 401, "unauthenticated")
    await service.admin.client.post(f"/v1/users/{person.id}/reactivate")
    problem(await refresh(service, tokens), 401, "unauthenticated")
    await service.sign_in(person)


async def test_new_password_ends_all_sessions(service: UsersService) -> None:
    person = await service.sign_up()
    tokens = await service.sign_in(person)
    body = {"password": "another good one", "currentPassword": person.password}
    assert (await person.client.patch(f"/v1/users/{person.id}", json=body)).status_code == 200
    problem(await refresh(service, tokens), 401, "unauthenticated")


async def sessions_of(service: UsersService, person: Person) -> int:
    return await service.runtime.store.collection(RefreshToken).count({"userId": person.id})


async def test_user_keeps_the_newest_sessions_only(service: UsersService) -> None:
    person, other = await service.sign_up(), await service.sign_up()
    keep = service.settings.sessions_per_user_max
    first = await service.sign_in(person)
    await service.sign_in(other)
    tokens = first
    for _ in range(keep):
        service.clock.advance(1)
        tokens = await service.sign_in(person)
    assert await sessions_of(service, person) == keep
    assert await sessions_of(service, other) == 1
    problem(await refresh(service, first), 401, "unauthenticated")
    assert (await refresh(service, tokens)).status_code == 200


async def test_expired_sessions_are_swept_and_live_ones_stay(service: UsersService) -> None:
    person = await service.sign_up()
    await service.sign_in(person)
    service.clock.advance(31 * DAY_S)
    await service.sign_in(person)
    await expired_sessions(service.runtime, interval_s=1).run_once()
    assert await sessions_of(service, person) == 1


async def test_hash_of_older_parameters_is_renewed_at_sign_in(service: UsersService) -> None:
    person = await service.sign_up()
    users = service.runtime.store.collection(User)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(person.password)
    await users.update({"_id": person.id}, {"$set": {"passwordHash": weak}})
    await service.sign_in(person)
    stored = await users.get(person.id)
    assert stored is not None
    assert "m=7168,t=5" in stored.password_hash
    await service.sign_in(person)
