"""A service that is down or hangs at a moment of a delete: it waits and says for whom, what was not decided is not
touched, everything else goes on, and it comes to its end when that is back."""

import secrets
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from api import UNKNOWN_ID, Api, done, problem, sign_up
from followed import deleted, ended
from parts import Parts
from processes import until
from scenes import bot, bot_request, exchange_account

WAIT_S = 2.0
SETTINGS = {
    "REQUEST_TIMEOUT_S": "8",
    "DELETE_WAIT_S": str(WAIT_S),
    "DELETE_STEP_TIMEOUT_S": "3",
    "DELETE_SWEEP_INTERVAL_S": "0.5",
    "DELETE_IDLE_S": "1",
    "VALIDATION_KEPT_S": "0",
}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with Parts(tmp_path_factory.mktemp("parts"), settings=SETTINGS).up() as platform:
        yield platform


def account_request(**more: Any) -> dict[str, Any]:
    key, secret = secrets.token_hex(16), secrets.token_hex(24)
    return {"exchangeName": "binance", "apiKey": key, "apiSecret": secret, "accountNickname": "more", **more}


def waiting_for(api: Api, answer: httpx.Response) -> dict[str, str]:
    """Once it says so: the services that are waited for, each with the reason."""
    assert answer.status_code == 202, answer.text
    follow = partial(api.fetched, answer.headers["Location"])
    until(lambda: bool(follow()["waitingFor"]), "it does not say who is waited for")
    return {one["service"]: one["reason"] for one in follow()["waitingFor"]}


def gone(admin: Api, *paths: str) -> None:
    for path in paths:
        problem(admin.get(path), 404, "not-found")


def test_owner_that_is_down_is_said_to_be_and_nothing_is_touched(parts: Parts, admin: Api, trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    made = bot(trader, account)["botId"]
    other = bot(trader, account)["botId"]
    with parts.down("users"):
        for path in (f"/v1/users/{trader.user_id}", f"/v1/exchange-accounts/{account}"):
            answer = trader.delete(path)
            problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        deleted(trader, f"/v1/bots/{made}")
    assert trader.fetched("/v1/users/me")["userId"] == trader.user_id
    assert trader.fetched(f"/v1/exchange-accounts/{account}")["accountId"] == account
    assert [one["botId"] for one in trader.items("/v1/bots")] == [other]
    deleted(trader, f"/v1/users/{trader.user_id}")


def test_child_that_is_down_is_waited_for_and_nothing_else(parts: Parts, admin: Api, trader: Api) -> None:
    made = bot(trader)
    path, account = f"/v1/users/{trader.user_id}", f"/v1/exchange-accounts/{made['exchangeAccountId']}"
    neighbour = sign_up(parts.gateway_url, "neighbour")
    with parts.down("bots"):
        answer = trader.delete(path)
        assert list(waiting_for(trader, answer)) == ["bots"]
        assert trader.fetched(answer.headers["Location"])["state"] == "deleting"
        again = trader.delete(path)
        assert (again.status_code, again.headers["Location"]) == (202, answer.headers["Location"])
        credit = {"amount": "1", "reason": "deposit"}
        problem(admin.post(f"/v1/balances/{trader.user_id}/credits", credit), 404, "not-found")
        problem(trader.post("/v1/exchange-accounts", account_request()), 422, "reference-not-found")
        exchange_account(neighbour)
        admin.made(f"/v1/balances/{neighbour.user_id}/credits", credit)
    assert ended(admin, answer)["state"] == "done"
    gone(admin, path, account, f"/v1/bots/{made['botId']}")
    problem(admin.delete(path), 404, "not-found")


def test_child_that_comes_back_with_what_blocks_has_the_delete_refused_and_nothing_changed(
    parts: Parts, admin: Api, trader: Api
) -> None:
    made = bot(trader)
    running = done(trader.post(f"/v1/bots/{made['botId']}/start", {"reason": "go"}))
    before = trader.fetched("/v1/users/me")
    with parts.down("bots"):
        answer = trader.delete(f"/v1/users/{trader.user_id}")
        assert list(waiting_for(trader, answer)) == ["bots"]
    said = ended(trader, answer)
    assert said["state"] == "refused"
    blocking = {one["relationship"]: (one["count"], one["ids"]) for one in said["blockedBy"]}
    assert blocking["trading_bots.userId"] == (1, [made["botId"]])
    assert trader.fetched("/v1/users/me") == before
    assert trader.fetched(f"/v1/bots/{made['botId']}") == running
    assert bot(trader, made["exchangeAccountId"])["userId"] == trader.user_id


@pytest.mark.parametrize(
    ("service", "point", "state"),
    [
        ("bots", "close:written", "deleting"),
        ("bots", "apply:forced", "purging"),
        ("bots", "remove:removed", "purging"),
        ("staking", "look:begin", "purging"),
    ],
)
def test_child_that_dies_at_a_step_and_stays_away_is_waited_for(
    parts: Parts, admin: Api, trader: Api, *, service: str, point: str, state: str
) -> None:
    made = bot(trader)
    path, account = f"/v1/users/{trader.user_id}", f"/v1/exchange-accounts/{made['exchangeAccountId']}"
    parts.stop(service)
    parts.start(service, FAULT_POINT=point)
    answer = trader.delete(path)
    until(lambda: parts.has_killed_itself(service), f"{service} did not come to {point}")
    assert list(waiting_for(trader, answer)) == [service]
    assert trader.fetched(answer.headers["Location"])["state"] == state
    problem(trader.post("/v1/exchange-accounts", account_request()), 422, "reference-not-found")
    parts.start(service)
    assert ended(admin, answer)["state"] == "done"
    gone(admin, path, account, f"/v1/bots/{made['botId']}")


@pytest.mark.parametrize("point", ["begin:done", "purge:done", "finish:removed"])
def test_owner_that_dies_at_a_step_finishes_when_it_is_back(parts: Parts, admin: Api, trader: Api, point: str) -> None:
    made = bot(trader)
    path, account = f"/v1/users/{trader.user_id}", f"/v1/exchange-accounts/{made['exchangeAccountId']}"
    parts.stop("users")
    parts.start("users", FAULT_POINT=point)
    answer = trader.delete(path)
    until(lambda: parts.has_killed_itself("users"), f"users did not come to {point}")
    if answer.status_code == 503:  # the mark's own answer was lost: nobody can say yet what became of it
        problem(answer, 503, "unavailable")
    else:
        assert answer.status_code == 202
    parts.start("users")
    until(lambda: admin.get(path).status_code == 404, "it is not at its end")
    gone(admin, account, f"/v1/bots/{made['botId']}")


def test_child_that_hangs_costs_a_bounded_time(parts: Parts, admin: Api, trader: Api) -> None:
    made = bot(trader)
    path = f"/v1/users/{trader.user_id}"
    with parts.frozen("bots"):
        began = time.monotonic()
        answer = trader.delete(path)
        assert time.monotonic() - began < float(SETTINGS["REQUEST_TIMEOUT_S"])
        assert list(waiting_for(trader, answer)) == ["bots"]
        exchange_account(sign_up(parts.gateway_url, "neighbour"))
    assert ended(admin, answer)["state"] == "done"
    gone(admin, path, f"/v1/bots/{made['botId']}")


def test_deletion_is_shown_to_whoever_asked_and_to_admins(parts: Parts, admin: Api, trader: Api) -> None:
    stranger = sign_up(parts.gateway_url, "stranger")
    with parts.down("bots"):
        answer = trader.delete(f"/v1/users/{trader.user_id}")
        location = answer.headers["Location"]
        shown = trader.fetched(location)
        assert (shown["entity"], shown["id"], shown["requestedBy"]) == ("users", trader.user_id, trader.user_id)
        assert admin.fetched(location)["deletionId"] == shown["deletionId"]
        problem(stranger.get(location), 404, "not-found")
        problem(Api(parts.gateway_url).get(location), 401, "unauthenticated")
    assert ended(admin, answer)["state"] == "done"


def test_delete_of_what_is_not_there_is_not_found(trader: Api) -> None:
    problem(trader.delete(f"/v1/exchange-accounts/{UNKNOWN_ID}"), 404, "not-found")
    account = exchange_account(trader)["accountId"]
    deleted(trader, f"/v1/exchange-accounts/{account}")
    problem(trader.delete(f"/v1/exchange-accounts/{account}"), 404, "not-found")
    answer = trader.post("/v1/bots", bot_request(account))
    problem(answer, 422, "reference-not-found")
