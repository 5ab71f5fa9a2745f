"""Erasing users over the public API: what goes, what stays and stays valid; and drafts of pools that go."""

import secrets

from api import Api, problem, sign_in, sign_up
from platforms import Platform
from scenes import bot, credit, exchange_account


def test_erased_user_is_nobody_and_what_refers_to_them_stays(platform: Platform, admin: Api, markets: None) -> None:
    owner = sign_up(platform.base_url, "eraser")
    keys = {"apiKey": secrets.token_hex(16), "apiSecret": secrets.token_hex(24)}
    account = exchange_account(owner, **keys)["accountId"]
    made = bot(owner, account)["botId"]
    credit(admin, owner.user_id, "10")
    erased = owner.made(f"/v1/users/{owner.user_id}/erase")
    assert (erased["status"], erased["email"], erased["displayName"]) == ("erased", None, None)
    assert admin.fetched(f"/v1/users/{owner.user_id}")["status"] == "erased"
    shown = admin.fetched(f"/v1/exchange-accounts/{account}")
    assert (shown["userId"], shown["keyHint"], shown["isValid"]) == (owner.user_id, "", False)
    assert admin.fetched(f"/v1/bots/{made}")["userId"] == owner.user_id
    assert admin.fetched(f"/v1/balances/{owner.user_id}")["available"] == "10.00000000"
    anonymous = Api(platform.base_url)
    problem(anonymous.post("/v1/auth/token", {"email": owner.email, "password": "x" * 12}), 401, "unauthenticated")
    problem(admin.post(f"/v1/users/{owner.user_id}/reactivate"), 409, "illegal-transition")
    problem(admin.post(f"/v1/bots/{made}/start", {"reason": "go"}), 409, "reference-condition-failed")
    again = sign_up(platform.base_url, "again")
    exchange_account(again, **keys)


def test_last_admin_is_neither_erased_nor_deleted(platform: Platform, admin: Api) -> None:
    problem(admin.post(f"/v1/users/{admin.user_id}/erase"), 409, "last-admin")
    problem(admin.delete(f"/v1/users/{admin.user_id}"), 409, "last-admin")
    assert sign_in(platform.base_url, platform.admin_email, platform.admin_password).user_id == admin.user_id


def test_draft_is_deleted_and_a_funded_one_is_not(admin: Api, trader: Api) -> None:
    body = {"name": "draft", "model": "fixed-apr", "aprBps": 100}
    first, second = [admin.made("/v1/staking/pools", body)["poolId"] for _ in range(2)]
    problem(trader.delete(f"/v1/staking/pools/{first}"), 403, "forbidden")
    assert admin.delete(f"/v1/staking/pools/{first}").status_code == 204
    problem(admin.get(f"/v1/staking/pools/{first}"), 404, "not-found")
    admin.made(f"/v1/staking/pools/{second}/fund", {"amount": "1"})
    document = problem(admin.delete(f"/v1/staking/pools/{second}"), 409, "illegal-transition")
    assert (document["from"], document["action"]) == ("draft", "delete")
