"""Every relationship of the data plan refuses an unknown parent, a foreign one, and a write past the gateway."""

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from api import UNKNOWN_ID, Api, pointers, problem
from platforms import Platform
from scenes import SAMPLE, bot, bot_request, credit, exchange_account, open_pool

TRADE = {
    "tradeId": "t-1",
    "side": "long",
    "openedAt": "2026-01-01T00:00:00Z",
    "closedAt": "2026-01-01T01:00:00Z",
    "amount": "1",
    "openPrice": "10",
    "closePrice": "11",
    "fee": "0.01",
    "profit": "1",
}


def credentials() -> dict[str, str]:
    return {
        "exchangeName": "kraken",
        "apiKey": secrets.token_hex(16),
        "apiSecret": secrets.token_hex(16),
        "accountNickname": "x",
    }


def reward(**fields: str) -> dict[str, str]:
    return {"amount": "1", "sourceType": "campaign", "sourceId": UNKNOWN_ID, **fields}


def test_bot_of_an_unknown_user_is_refused_at_user_id(admin: Api, trader: Api) -> None:
    account = exchange_account(trader)
    answer = admin.post("/v1/bots", bot_request(account["accountId"], userId=UNKNOWN_ID))
    assert "/userId" in pointers(problem(answer, 422, "reference-not-found"))


def test_exchange_account_of_an_unknown_user_is_refused_at_user_id(admin: Api) -> None:
    answer = admin.post("/v1/exchange-accounts", {**credentials(), "userId": UNKNOWN_ID})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId"}


def test_bot_on_an_unknown_exchange_account_is_refused_at_exchange_account_id(trader: Api) -> None:
    answer = trader.post("/v1/bots", bot_request(UNKNOWN_ID))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}


def test_bot_on_an_unknown_pair_is_refused_at_market_pair(trader: Api) -> None:
    account = exchange_account(trader)
    answer = trader.post("/v1/bots", bot_request(account["accountId"], marketPair="NOPE/USDT"))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/marketPair"}


def test_number_that_no_store_can_hold_is_a_wrong_value_and_no_failure(trader: Api) -> None:
    """It stands where the gateway takes a part of the pair's key from, since the account hands over none."""
    answer = trader.post("/v1/bots", bot_request(UNKNOWN_ID, exchange=2**64 - 1))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}


def test_pair_is_looked_up_on_the_exchange_of_the_account(trader: Api) -> None:
    on_kraken = exchange_account(trader, "kraken")
    answer = trader.post("/v1/bots", bot_request(on_kraken["accountId"], marketPair="ADA/USDT"))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/marketPair"}


@pytest.mark.parametrize(("what", "body"), [("samples", {"samples": [SAMPLE]}), ("trades", {"trades": [TRADE]})])
def test_performance_of_an_unknown_bot_is_not_found(admin: Api, what: str, body: dict[str, Any]) -> None:
    problem(admin.post(f"/v1/bots/{UNKNOWN_ID}/performance/{what}", body), 404, "not-found")


def test_credit_to_an_unknown_user_is_not_found_and_makes_no_balance(admin: Api) -> None:
    answer = admin.post(f"/v1/balances/{UNKNOWN_ID}/credits", {"amount": "1", "reason": "deposit"})
    problem(answer, 404, "not-found")
    problem(admin.get(f"/v1/balances/{UNKNOWN_ID}"), 404, "not-found")


def test_stake_of_an_unknown_user_in_an_unknown_pool_names_both_fields(admin: Api) -> None:
    answer = admin.post("/v1/staking/stakes", {"userId": UNKNOWN_ID, "poolId": UNKNOWN_ID, "amount": "1"})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId", "/poolId"}


def test_stake_in_an_unknown_pool_is_refused_at_pool_id_and_moves_nothing(admin: Api, trader: Api) -> None:
    credit(admin, trader.user_id, "10")
    answer = trader.post("/v1/staking/stakes", {"poolId": UNKNOWN_ID, "amount": "1"})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/poolId"}
    assert trader.fetched(f"/v1/balances/{trader.user_id}")["available"] == "10.00000000"


def test_reward_to_an_unknown_user_is_refused_at_user_id(admin: Api) -> None:
    answer = admin.post("/v1/rewards", reward(userId=UNKNOWN_ID))
    assert "/userId" in pointers(problem(answer, 422, "reference-not-found"))


@pytest.mark.parametrize("source_type", ["stake", "bot", "campaign"])
def test_reward_from_an_unknown_source_is_refused_at_source_id(admin: Api, trader: Api, source_type: str) -> None:
    answer = admin.post("/v1/rewards", reward(userId=trader.user_id, sourceType=source_type))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/sourceId"}


# Somebody else's parent gets the answer for an unknown one.


def test_bot_of_somebody_else_is_refused_as_if_the_user_were_unknown(trader: Api, stranger: Api) -> None:
    account = exchange_account(stranger)["accountId"]
    foreign = problem(
        trader.post("/v1/bots", bot_request(account, userId=stranger.user_id)), 422, "reference-not-found"
    )
    unknown = problem(trader.post("/v1/bots", bot_request(account, userId=UNKNOWN_ID)), 422, "reference-not-found")
    assert "/userId" in pointers(foreign)
    assert [error["code"] for error in foreign["errors"]] == [error["code"] for error in unknown["errors"]]


def test_exchange_account_for_somebody_else_is_refused_at_user_id(trader: Api, stranger: Api) -> None:
    answer = trader.post("/v1/exchange-accounts", {**credentials(), "userId": stranger.user_id})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId"}


def test_bot_on_somebody_elses_exchange_account_is_refused(trader: Api, stranger: Api) -> None:
    answer = trader.post("/v1/bots", bot_request(exchange_account(stranger)["accountId"]))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}


def test_even_an_admin_cannot_put_a_bot_on_an_account_of_another_user(admin: Api, trader: Api, stranger: Api) -> None:
    foreign = exchange_account(stranger)["accountId"]
    answer = admin.post("/v1/bots", bot_request(foreign, userId=trader.user_id))
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}


def test_samples_for_somebody_elses_bot_are_not_found(trader: Api, stranger: Api) -> None:
    bot_id = bot(stranger)["botId"]
    problem(trader.post(f"/v1/bots/{bot_id}/performance/samples", {"samples": [SAMPLE]}), 404, "not-found")


def test_stake_for_somebody_else_is_refused_at_user_id(admin: Api, trader: Api, stranger: Api) -> None:
    pool = open_pool(admin)
    credit(admin, stranger.user_id, "5")
    answer = trader.post("/v1/staking/stakes", {"userId": stranger.user_id, "poolId": pool["poolId"], "amount": "1"})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId"}


def test_reward_for_a_bot_of_another_user_is_refused_at_source_id(admin: Api, trader: Api, stranger: Api) -> None:
    body = reward(userId=trader.user_id, sourceType="bot", sourceId=bot(stranger)["botId"])
    assert pointers(problem(admin.post("/v1/rewards", body), 422, "reference-not-found")) == {"/sourceId"}


def test_reward_for_a_stake_of_another_user_is_refused_at_source_id(admin: Api, trader: Api, stranger: Api) -> None:
    pool = open_pool(admin)
    credit(admin, stranger.user_id, "5")
    stake = stranger.made("/v1/staking/stakes", {"poolId": pool["poolId"], "amount": "2"})
    body = reward(userId=trader.user_id, sourceType="stake", sourceId=stake["stakeId"])
    assert pointers(problem(admin.post("/v1/rewards", body), 422, "reference-not-found")) == {"/sourceId"}


def test_repointing_a_bot_to_somebody_elses_account_is_refused_and_to_an_own_one_copies_its_exchange(
    trader: Api, stranger: Api
) -> None:
    made = bot(trader)
    path = f"/v1/bots/{made['botId']}"
    foreign = trader.patch(path, {"exchangeAccountId": exchange_account(stranger)["accountId"]})
    assert pointers(problem(foreign, 422, "reference-not-found")) == {"/exchangeAccountId"}
    assert trader.fetched(path)["version"] == made["version"]
    own = exchange_account(trader, "kraken")["accountId"]
    changed = trader.patch(path, {"exchangeAccountId": own})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["exchangeAccountId"], changed.json()["exchange"]) == (own, "kraken")


# Without the gateway.

DIRECT: list[tuple[str, str, Callable[[], Any]]] = [
    ("users", "/v1/exchange-accounts", credentials),
    ("bots", "/v1/bots", lambda: bot_request(UNKNOWN_ID)),
    ("bots", f"/v1/bots/{UNKNOWN_ID}/performance/samples", lambda: {"samples": [SAMPLE]}),
    ("bots", f"/v1/bots/{UNKNOWN_ID}/performance/trades", lambda: {"trades": [TRADE]}),
    ("staking", f"/v1/balances/{UNKNOWN_ID}/credits", lambda: {"amount": "1", "reason": "deposit"}),
    ("staking", "/v1/staking/stakes", lambda: {"poolId": UNKNOWN_ID, "amount": "1"}),
    ("staking", "/v1/rewards", lambda: reward(userId=UNKNOWN_ID)),
]


@pytest.mark.parametrize(("service", "path", "body"), DIRECT, ids=[path for _, path, _ in DIRECT])
def test_service_alone_answers_428_to_a_write_with_references(
    platform: Platform, service: str, path: str, body: Callable[[], Any]
) -> None:
    answer = httpx.post(platform.service_urls[service] + path, json=body())
    problem(answer, 428, "references-not-validated")


def test_service_alone_answers_401_to_a_read(platform: Platform) -> None:
    problem(httpx.get(platform.service_urls["bots"] + "/v1/bots"), 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/internal/references/validate", "/metrics"])
def test_internal_paths_are_not_routed(admin: Api, path: str) -> None:
    answer = admin.get(path)
    if path == "/metrics":
        assert "omnitrade_users" not in answer.text
    else:
        problem(answer, 404, "not-found")


# The catalogue.


def test_catalogue_is_shown_to_admins_with_the_ten_references(admin: Api, trader: Api, anonymous: Api) -> None:
    catalogue = admin.fetched("/v1/references")
    shown = {(one["child"], one["field"]): one for one in catalogue["references"]}
    assert shown["trading_bots", "userId"]["onDelete"] == "CASCADE"
    assert shown["trading_bots", "userId"]["parent"] == "users"
    assert shown["user_stakes", "poolId"]["onDelete"] == "RESTRICT"
    assert shown["reward_transaction_logs", "sourceId"]["by"] == "sourceType"
    assert {"users", "trading_bots", "user_stakes"} <= {one["entity"] for one in catalogue["entities"]}
    problem(trader.get("/v1/references"), 403, "forbidden")
    problem(anonymous.get("/v1/references"), 401, "unauthenticated")
