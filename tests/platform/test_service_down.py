"""A service that is down: what needs it is refused and leaves nothing behind, everything else goes on, and it is joined
again by itself."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from api import Api, done, problem, sign_up
from parts import Parts
from processes import until
from scenes import balance, bot, bot_request, credit, exchange_account, open_pool

from deploy.local.plan import GATEWAY, SERVICES

REQUEST_TIMEOUT_S = 6.0
JOINED_S = 20.0
LISTS = ("/v1/exchange-accounts", "/v1/bots", "/v1/staking/stakes")
READS = {"users": "/v1/users/me", "bots": "/v1/bots", "staking": "/v1/staking/pools"}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    # Owners' answers are not kept, so that every write asks.
    settings = {"REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S), "VALIDATION_KEPT_S": "0"}
    with Parts(tmp_path_factory.mktemp("parts"), settings=settings).up() as platform:
        yield platform


@dataclass
class Write:
    """A request that is sent while a service is down, and again with its key when that is back."""

    sender: Api
    path: str
    body: dict[str, Any] | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(16))

    def send(self) -> httpx.Response:
        return self.sender.post(self.path, self.body, headers={"Idempotency-Key": self.key})


def refused(answer: httpx.Response, code: str) -> None:
    problem(answer, 503, code)
    assert int(answer.headers["Retry-After"]) >= 1


def test_write_that_refers_to_a_service_that_is_down_is_refused_and_leaves_nothing(
    parts: Parts, admin: Api, trader: Api
) -> None:
    account_id = exchange_account(trader)["accountId"]
    idle = bot(trader, account_id)
    saver, pool_id = sign_up(parts.gateway_url, "saver"), open_pool(admin)["poolId"]
    credit(admin, saver.user_id, "50")
    writes = [
        Write(trader, "/v1/bots", bot_request(account_id)),
        Write(trader, f"/v1/bots/{idle['botId']}/start", {"reason": "now"}),
        Write(admin, f"/v1/balances/{trader.user_id}/credits", {"amount": "10", "reason": "deposit"}),
        Write(saver, "/v1/staking/stakes", {"poolId": pool_id, "amount": "20"}),
    ]
    with parts.down("users"):
        for write in writes:
            refused(write.send(), "reference-unverifiable")

    assert list(trader.items("/v1/bots")) == [idle]
    problem(trader.get(f"/v1/balances/{trader.user_id}"), 404, "not-found")
    assert list(saver.items("/v1/staking/stakes")) == []
    assert balance(saver, saver.user_id)["available"] == "50.00000000"
    for write in writes:
        answer = write.send()
        assert done(answer)
        assert "Idempotency-Replayed" not in answer.headers
    assert len(list(trader.items("/v1/bots"))) == 2
    assert trader.fetched(f"/v1/bots/{idle['botId']}")["status"] == "running"
    assert balance(trader, trader.user_id)["available"] == "10.00000000"
    assert balance(saver, saver.user_id)["staked"] == "20.00000000"


def test_reward_for_a_bot_whose_service_is_down_is_refused_and_credits_nothing(
    parts: Parts, admin: Api, trader: Api
) -> None:
    credit(admin, trader.user_id, "1")
    reward = {"userId": trader.user_id, "sourceType": "bot", "sourceId": bot(trader)["botId"], "amount": "5"}
    write = Write(admin, "/v1/rewards", reward)
    with parts.down("bots"):
        refused(write.send(), "reference-unverifiable")
        assert balance(trader, trader.user_id)["available"] == "1.00000000"
    assert list(trader.items("/v1/rewards")) == []
    assert done(write.send())["amount"] == "5.00000000"
    assert balance(trader, trader.user_id)["available"] == "6.00000000"
    assert len(list(trader.items("/v1/rewards"))) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_service_that_is_down_is_unavailable_alone_and_joined_again_when_it_is_back(
    parts: Parts, admin: Api, trader: Api, name: str
) -> None:
    account_id = exchange_account(trader)["accountId"]
    credit(admin, trader.user_id, "5")
    before = [list(trader.items(path)) for path in LISTS]
    write = {
        "users": Write(trader, "/v1/exchange-accounts", account_request()),
        "bots": Write(trader, "/v1/bots", bot_request(account_id)),
        "staking": Write(trader, "/v1/staking/stakes", {"poolId": open_pool(admin)["poolId"], "amount": "5"}),
    }[name]
    gateway = parts.pid(GATEWAY)
    with parts.down(name):
        refused(write.send(), "unavailable")
        refused(trader.get(READS[name]), "unavailable")
        for other in set(READS) - {name}:
            done(trader.get(READS[other]))
    assert parts.pid(GATEWAY) == gateway
    assert [list(trader.items(path)) for path in LISTS] == before
    done(write.send())
    assert sum(len(list(trader.items(path))) for path in LISTS) == sum(map(len, before)) + 1


@pytest.mark.parametrize("name", SERVICES)
def test_service_that_was_down_at_the_gateways_start_joins_when_it_comes(
    parts: Parts, admin: Api, trader: Api, name: str
) -> None:
    account_id = exchange_account(trader)["accountId"]
    parts.stop(GATEWAY, name)
    parts.begin(GATEWAY)
    until(lambda: answers(f"{parts.gateway_url}/health/live"), "the gateway was not up")
    ready = httpx.get(f"{parts.gateway_url}/health/ready")
    assert (ready.status_code, ready.json()["services"][name]["document"]) == (503, "missing")
    refused(trader.get(READS[name]), "unavailable")
    for other in set(READS) - {name}:
        answer = trader.get(READS[other])
        if name == "users":  # nobody can be recognised without its keys
            refused(answer, "unavailable")
        else:
            done(answer)
    gateway = parts.pid(GATEWAY)

    parts.start(name)
    until(lambda: all(trader.get(path).is_success for path in READS.values()), f"{name} was not joined", JOINED_S)
    assert httpx.get(f"{parts.gateway_url}/health/ready").json()["status"] == "ready"
    assert parts.pid(GATEWAY) == gateway
    made = bot(trader, account_id)
    reward = {"userId": trader.user_id, "sourceType": "bot", "sourceId": made["botId"], "amount": "5"}
    admin.made("/v1/rewards", reward)
    assert balance(trader, trader.user_id)["available"] == "5.00000000"


def test_service_that_does_not_answer_costs_a_bounded_time_and_leaves_nothing(parts: Parts, trader: Api) -> None:
    write = Write(trader, "/v1/bots", bot_request(exchange_account(trader)["accountId"]))
    with parts.frozen("users"):
        began = time.monotonic()
        refused(write.send(), "reference-unverifiable")
        assert time.monotonic() - began < REQUEST_TIMEOUT_S
        began = time.monotonic()
        problem(trader.get(READS["users"]), 504, "deadline-exceeded")
        assert time.monotonic() - began < 2 * REQUEST_TIMEOUT_S
        done(trader.get(READS["bots"]))
    assert list(trader.items("/v1/bots")) == []
    done(write.send())
    assert len(list(trader.items("/v1/bots"))) == 1


def account_request() -> dict[str, Any]:
    return {
        "exchangeName": "binance",
        "apiKey": secrets.token_hex(16),
        "apiSecret": secrets.token_hex(24),
        "accountNickname": "second",
    }


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False
