"""Users: sign-up, tokens, profiles, roles, suspension."""

import secrets

from api import Api, done, pointers, problem, sign_in, sign_up
from platforms import Platform


def credentials() -> dict[str, str]:
    return {
        "email": f"Someone-{secrets.token_hex(6)}@OmniTrade.example",
        "password": secrets.token_urlsafe(16),
        "displayName": "Someone",
    }


def test_sign_up_answers_an_active_user_without_any_secret(anonymous: Api) -> None:
    body = credentials()
    answer = anonymous.post("/v1/users", body)
    user = done(answer)
    assert answer.status_code == 201
    assert (user["roles"], user["status"], user["version"]) == (["user"], "active", 1)
    assert user["createdAt"].endswith("Z")
    assert body["password"] not in answer.text
    assert "assword" not in answer.text


def test_email_is_taken_whatever_its_case(anonymous: Api) -> None:
    body = credentials()
    anonymous.made("/v1/users", body)
    answer = anonymous.post("/v1/users", {**body, "email": body["email"].swapcase()})
    assert pointers(problem(answer, 409, "already-exists")) == {"/email"}


def test_nobody_signs_up_with_roles_of_their_choice(anonymous: Api) -> None:
    answer = anonymous.post("/v1/users", {**credentials(), "roles": ["admin"]})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/roles"}


def test_wrong_password_and_unknown_email_get_the_same_answer(anonymous: Api) -> None:
    body = credentials()
    anonymous.made("/v1/users", body)
    wrong = anonymous.post("/v1/auth/token", {"email": body["email"], "password": "wrong-" + body["password"]})
    unknown = anonymous.post("/v1/auth/token", {"email": "x" + body["email"], "password": body["password"]})
    first, second = problem(wrong, 401, "unauthenticated"), problem(unknown, 401, "unauthenticated")
    assert first["detail"] == second["detail"]


def test_token_by_oauth2_password_form(anonymous: Api) -> None:
    body = credentials()
    anonymous.made("/v1/users", body)
    form = {"grant_type": "password", "username": body["email"], "password": body["password"]}
    token = done(anonymous.request("POST", "/v1/auth/token", data=form))
    assert (token["tokenType"], token["expiresIn"]) == ("Bearer", 900)


def test_refresh_rotates_and_logout_ends_it(anonymous: Api) -> None:
    body = credentials()
    anonymous.made("/v1/users", body)
    first = anonymous.made("/v1/auth/token", {"email": body["email"], "password": body["password"]})
    second = anonymous.made("/v1/auth/refresh", {"refreshToken": first["refreshToken"]})
    assert second["refreshToken"] != first["refreshToken"]
    used = anonymous.post("/v1/auth/refresh", {"refreshToken": first["refreshToken"]})
    problem(used, 401, "unauthenticated")
    third = anonymous.made("/v1/auth/token", {"email": body["email"], "password": body["password"]})
    assert anonymous.post("/v1/auth/logout", {"refreshToken": third["refreshToken"]}).is_success
    problem(anonymous.post("/v1/auth/refresh", {"refreshToken": third["refreshToken"]}), 401, "unauthenticated")


def test_suspended_user_gets_no_token_and_a_reactivated_one_does(platform: Platform, admin: Api) -> None:
    body = credentials()
    user = Api(platform.base_url).made("/v1/users", body)
    path = f"/v1/users/{user['userId']}"
    assert admin.made(f"{path}/suspend", {"reason": "review"})["status"] == "suspended"
    answer = Api(platform.base_url).post("/v1/auth/token", {"email": body["email"], "password": body["password"]})
    assert answer.status_code in (401, 403)
    assert admin.made(f"{path}/reactivate", {"reason": "cleared"})["status"] == "active"
    sign_in(platform.base_url, body["email"], body["password"])


def test_roles_are_set_by_an_admin_only(platform: Platform, admin: Api) -> None:
    person = sign_up(platform.base_url)
    path = f"/v1/users/{person.user_id}"
    problem(person.patch(path, {"roles": ["user", "admin"]}), 403, "forbidden")
    assert done(admin.patch(path, {"roles": ["user", "engine"]}))["roles"] == ["user", "engine"]


def test_last_admin_stays_admin(admin: Api) -> None:
    answer = admin.patch(f"/v1/users/{admin.user_id}", {"roles": ["user"]})
    assert answer.status_code == 409
    assert "admin" in admin.fetched("/v1/users/me")["roles"]


def test_list_of_users_is_for_admins_and_pages_through_all(platform: Platform, admin: Api) -> None:
    person = sign_up(platform.base_url)
    problem(person.get("/v1/users"), 403, "forbidden")
    listed = [user["userId"] for user in admin.items("/v1/users", limit=2)]
    assert person.user_id in listed
    assert len(listed) == len(set(listed))


def test_exchange_account_shows_a_hint_and_never_a_credential(trader: Api) -> None:
    body = {
        "exchangeName": "kraken",
        "apiKey": "key-" + secrets.token_hex(12),
        "apiSecret": secrets.token_hex(24),
        "accountNickname": "savings",
    }
    answer = trader.post("/v1/exchange-accounts", body)
    account = done(answer)
    assert account["keyHint"] == body["apiKey"][-4:]
    assert (account["isValid"], account["validity"]["reason"]) == (False, "not-verified")
    assert body["apiKey"] not in answer.text
    assert body["apiSecret"] not in answer.text
    problem(trader.post("/v1/exchange-accounts", body), 409, "already-exists")


def test_key_of_another_user_on_the_same_exchange_is_taken(trader: Api, stranger: Api) -> None:
    body = {
        "exchangeName": "kraken",
        "apiKey": secrets.token_hex(16),
        "apiSecret": secrets.token_hex(24),
        "accountNickname": "a",
    }
    trader.made("/v1/exchange-accounts", body)
    problem(stranger.post("/v1/exchange-accounts", body), 409, "already-exists")


def test_rotating_keeps_the_account_and_changes_its_hint(trader: Api) -> None:
    body = {
        "exchangeName": "kraken",
        "apiKey": secrets.token_hex(16),
        "apiSecret": secrets.token_hex(24),
        "accountNickname": "a",
    }
    account = trader.made("/v1/exchange-accounts", body)
    fresh = {"apiKey": secrets.token_hex(14) + "zzzz", "apiSecret": secrets.token_hex(24)}
    rotated = trader.made(f"/v1/exchange-accounts/{account['accountId']}/rotate", fresh)
    assert (rotated["accountId"], rotated["keyHint"]) == (account["accountId"], "zzzz")
