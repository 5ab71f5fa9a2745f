"""A service that refuses what the gateway signs, for a clock or a key: no word about the client."""

from typing import Any

import pytest
from api import problem
from stub_platform import ACCOUNT, ALICE
from stub_services import Handler, Seen, replies

from gateway.headers import CONTEXT

pytestmark = pytest.mark.anyio

PROBLEM = "application/problem+json"
REFUSED = {CONTEXT.decode(): "refused", "content-type": PROBLEM}
BODY = {"code": "unauthenticated", "status": 401, "title": "t", "type": "urn:x", "detail": "Send it to the gateway."}
CREATE = {"exchangeAccountId": ACCOUNT, "exchange": "binance", "marketPair": "BTC/USDT", "name": "first"}


def in_turn(*handlers: Handler) -> Handler:
    """The last one stays."""
    waiting = list(handlers)

    async def handle(seen: Seen, reply: Any) -> None:
        await (waiting.pop(0) if len(waiting) > 1 else waiting[0])(seen, reply)

    return handle


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", "/v1/bots", None), ("POST", "/v1/bots", CREATE)], ids=["read", "write"]
)
class TestRouted:
    async def test_client_is_told_that_the_service_is_unavailable_not_that_its_token_is_bad(
        self, platform: Any, alice: Any, method: str, path: str, body: Any
    ) -> None:
        status = 401 if method == "GET" else 428
        platform.bots.answers[method, path] = replies(status, {**BODY, "status": status}, REFUSED)
        answer = await alice.request(method, path, json=body)
        assert "GATEWAY_KEYS" in problem(answer, 503, "unavailable")["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        assert CONTEXT.decode() not in answer.headers

    async def test_next_replica_is_asked_before(
        self, platform: Any, alice: Any, method: str, path: str, body: Any
    ) -> None:
        good = replies(200, {"all": "well"})
        platform.bots.answers[method, path] = in_turn(replies(401, BODY, REFUSED), good)
        assert (await alice.request(method, path, json=body)).json() == {"all": "well"}


async def test_owner_that_refuses_once_is_asked_again(platform: Any, alice: Any) -> None:
    usual = platform.users._validate
    platform.users.answers["POST", "/internal/references/validate"] = in_turn(replies(401, BODY, REFUSED), usual)
    assert (await alice.post("/v1/bots", json={**CREATE, "userId": ALICE})).status_code == 200


async def test_services_own_refusal_of_an_anonymous_caller_is_passed_on(platform: Any, alice: Any) -> None:
    platform.bots.answers["GET", "/v1/bots"] = replies(401, BODY, {"content-type": PROBLEM})
    problem(await alice.get("/v1/bots"), 401, "unauthenticated")
