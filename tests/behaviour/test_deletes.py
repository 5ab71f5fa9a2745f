"""Deletes over the public API: refused with what blocks, cascaded, followed, and asked for twice."""

from typing import Any

import httpx
from api import UNKNOWN_ID, Api, done, problem, sign_up
from platforms import Platform
from scenes import SAMPLE, bot, credit, exchange_account, open_pool

SAMPLES = {"samples": [SAMPLE]}


def blocked_by(answer: httpx.Response) -> dict[str, Any]:
    document = problem(answer, 409, "delete-restricted")
    return {one["relationship"]: (one["count"], one["ids"]) for one in document["blockedBy"]}


def test_account_with_bots_is_not_deleted_and_says_which_block(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    ids = sorted(bot(trader, account)["botId"] for _ in range(3))
    answer = trader.delete(f"/v1/exchange-accounts/{account}")
    assert blocked_by(answer) == {"trading_bots.exchangeAccountId": (3, ids)}
    assert trader.fetched(f"/v1/exchange-accounts/{account}")["accountId"] == account
    assert bot(trader, account)["exchangeAccountId"] == account


def test_account_without_bots_is_deleted_and_stays_gone(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    answer = trader.delete(f"/v1/exchange-accounts/{account}")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(trader.get(f"/v1/exchange-accounts/{account}"), 404, "not-found")
    problem(trader.delete(f"/v1/exchange-accounts/{account}"), 404, "not-found")


def test_bot_takes_its_performance_with_it_and_frees_its_account(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    made = bot(trader, account)["botId"]
    done(trader.post(f"/v1/bots/{made}/performance/samples", SAMPLES))
    assert trader.delete(f"/v1/bots/{made}").status_code == 204
    problem(trader.get(f"/v1/bots/{made}"), 404, "not-found")
    problem(trader.get(f"/v1/bots/{made}/performance"), 404, "not-found")
    problem(trader.post(f"/v1/bots/{made}/performance/samples", SAMPLES), 404, "not-found")
    assert trader.delete(f"/v1/exchange-accounts/{account}").status_code == 204


def test_user_takes_bots_accounts_and_performance_along(platform: Platform, admin: Api, markets: None) -> None:
    owner = sign_up(platform.base_url, "leaver")
    accounts = [exchange_account(owner)["accountId"] for _ in range(2)]
    bots = [bot(owner, account)["botId"] for account in accounts for _ in range(3)]
    for one in bots[:2]:
        done(owner.post(f"/v1/bots/{one}/performance/samples", SAMPLES))
    assert owner.delete(f"/v1/users/{owner.user_id}").status_code == 204
    problem(admin.get(f"/v1/users/{owner.user_id}"), 404, "not-found")
    for account in accounts:
        problem(admin.get(f"/v1/exchange-accounts/{account}"), 404, "not-found")
    for one in bots:
        problem(admin.get(f"/v1/bots/{one}"), 404, "not-found")


def test_user_with_a_running_bot_stays_until_it_is_stopped(platform: Platform, markets: None) -> None:
    owner = sign_up(platform.base_url, "runner")
    made = bot(owner)["botId"]
    done(owner.post(f"/v1/bots/{made}/start", {"reason": "go"}))
    answer = owner.delete(f"/v1/users/{owner.user_id}")
    assert blocked_by(answer) == {"trading_bots.userId": (1, [made])}
    assert owner.fetched(f"/v1/bots/{made}")["status"] == "running"
    done(owner.post(f"/v1/bots/{made}/stop", {"reason": "enough"}))
    assert owner.delete(f"/v1/users/{owner.user_id}").status_code == 204


def test_running_bot_is_not_deleted(trader: Api) -> None:
    made = bot(trader)["botId"]
    done(trader.post(f"/v1/bots/{made}/start", {"reason": "go"}))
    document = problem(trader.delete(f"/v1/bots/{made}"), 409, "illegal-transition")
    assert "stop" in document["allowed"]
    assert trader.fetched(f"/v1/bots/{made}")["status"] == "running"


def test_user_with_financial_history_stays_and_learns_why(platform: Platform, admin: Api) -> None:
    owner = sign_up(platform.base_url, "saver")
    credit(admin, owner.user_id, "10")
    for asker in (owner, admin):
        blocks = blocked_by(asker.delete(f"/v1/users/{owner.user_id}"))
        assert blocks == {"user_token_balances.userId": (1, [owner.user_id])}
    pool = open_pool(admin)["poolId"]
    stake = owner.made("/v1/staking/stakes", {"poolId": pool, "amount": "5"})["stakeId"]
    blocks = blocked_by(owner.delete(f"/v1/users/{owner.user_id}"))
    assert blocks["user_stakes.userId"] == (1, [stake])
    assert owner.fetched("/v1/users/me")["userId"] == owner.user_id


def test_others_see_no_ids_of_what_blocks_and_cannot_delete(trader: Api, stranger: Api) -> None:
    account = exchange_account(trader)["accountId"]
    bot(trader, account)
    problem(stranger.delete(f"/v1/exchange-accounts/{account}"), 404, "not-found")
    problem(stranger.delete(f"/v1/users/{trader.user_id}"), 404, "not-found")
    problem(trader.delete(f"/v1/users/{UNKNOWN_ID}"), 404, "not-found")


def test_delete_of_another_version_is_refused(trader: Api) -> None:
    account = exchange_account(trader)
    path = f"/v1/exchange-accounts/{account['accountId']}"
    problem(trader.delete(path, headers={"If-Match": '"99"'}), 412, "version-mismatch")
    assert trader.delete(path, headers={"If-Match": f'"{account["version"]}"'}).status_code == 204


def test_references_to_a_deleted_parent_are_refused_like_unknown_ones(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    kept = bot(trader)
    assert trader.delete(f"/v1/exchange-accounts/{account}").status_code == 204
    answer = trader.patch(f"/v1/bots/{kept['botId']}", {"exchangeAccountId": account})
    assert problem(answer, 422, "reference-not-found")["errors"][0]["pointer"] == "/exchangeAccountId"
    assert trader.fetched(f"/v1/bots/{kept['botId']}")["exchangeAccountId"] == kept["exchangeAccountId"]


def test_refused_delete_leaves_nothing_in_the_way_of_new_children(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    first = bot(trader, account)["botId"]
    for _ in range(3):
        assert trader.delete(f"/v1/exchange-accounts/{account}").status_code == 409
        bot(trader, account)
    assert trader.delete(f"/v1/bots/{first}").status_code == 204


def test_service_refuses_a_delete_that_did_not_come_through_the_gateway(platform: Platform, trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    answer = httpx.delete(f"{platform.service_urls['users']}/v1/exchange-accounts/{account}")
    assert answer.status_code in (401, 428)
    assert trader.fetched(f"/v1/exchange-accounts/{account}")["accountId"] == account


def test_deletion_of_nobody_is_not_found(trader: Api, anonymous: Api) -> None:
    problem(trader.get("/v1/deletions/users.01890a5d-ac96-774b-bcce-b302099a8057"), 404, "not-found")
    problem(trader.get("/v1/deletions/nobody.1"), 404, "not-found")
    problem(anonymous.get("/v1/deletions/users.01890a5d-ac96-774b-bcce-b302099a8057"), 401, "unauthenticated")
