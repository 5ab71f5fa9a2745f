"""Idempotency-Key: the same key and body give the first answer again, on every POST."""

import secrets
from concurrent.futures import ThreadPoolExecutor

from api import Api, problem
from scenes import balance, bot_request, credit, exchange_account, open_pool


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_urlsafe(16)}


def test_repeated_create_replays_the_first_answer_and_makes_one_bot(trader: Api) -> None:
    body = bot_request(exchange_account(trader)["accountId"])
    headers = key()
    first = trader.post("/v1/bots", body, headers=headers)
    second = trader.post("/v1/bots", body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(list(trader.items("/v1/bots"))) == 1


def test_same_key_with_another_body_is_refused(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    headers = key()
    trader.made("/v1/bots", bot_request(account), headers=headers)
    problem(trader.post("/v1/bots", bot_request(account), headers=headers), 422, "idempotency-mismatch")


def test_same_key_of_two_callers_are_two_requests(trader: Api, stranger: Api) -> None:
    headers = key()
    mine = trader.made("/v1/bots", bot_request(exchange_account(trader)["accountId"]), headers=headers)
    theirs = stranger.made("/v1/bots", bot_request(exchange_account(stranger)["accountId"]), headers=headers)
    assert mine["botId"] != theirs["botId"]


def test_repeated_credit_is_paid_once(admin: Api, trader: Api) -> None:
    headers = key()
    body = {"amount": "7", "reason": "deposit"}
    first = admin.post(f"/v1/balances/{trader.user_id}/credits", body, headers=headers)
    second = admin.post(f"/v1/balances/{trader.user_id}/credits", body, headers=headers)
    assert first.json() == second.json()
    assert balance(trader, trader.user_id)["available"] == "7.00000000"


def test_one_key_sent_by_many_at_once_makes_one_stake(admin: Api, trader: Api) -> None:
    pool = open_pool(admin)
    credit(admin, trader.user_id, "10")
    headers = key()
    body = {"poolId": pool["poolId"], "amount": "2"}
    with ThreadPoolExecutor(8) as pool_of_threads:
        answers = list(
            pool_of_threads.map(lambda _: trader.post("/v1/staking/stakes", body, headers=headers), range(8))
        )
    made = {answer.json()["stakeId"] for answer in answers if answer.status_code == 201}
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "idempotency-running")
    assert len(made) == 1
    assert balance(trader, trader.user_id)["staked"] == "2.00000000"


def test_repeated_start_is_the_same_transition(trader: Api) -> None:
    made = trader.made("/v1/bots", bot_request(exchange_account(trader)["accountId"]))
    path = f"/v1/bots/{made['botId']}/start"
    headers = key()
    first = trader.post(path, {"reason": "go"}, headers=headers)
    second = trader.post(path, {"reason": "go"}, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["idempotency-replayed"] == "true"
    problem(trader.post(path, {"reason": "go"}, headers=key()), 409, "illegal-transition")


def test_replay_is_answered_although_the_name_is_taken_by_what_the_first_request_made(trader: Api) -> None:
    body = bot_request(exchange_account(trader)["accountId"])
    headers = key()
    first = trader.made("/v1/bots", body, headers=headers)
    taken = problem(trader.post("/v1/bots", body, headers=key()), 409, "already-exists")
    assert [error["pointer"] for error in taken["errors"]] == ["/name"]
    assert trader.made("/v1/bots", body, headers=headers) == first
