"""Owners that can't be asked, or answer nonsense: nothing is forwarded, and the client may try again."""

import asyncio
import time
from typing import Any

import pytest
from api import problem
from stub_platform import ACCOUNT, ALICE
from stub_services import Seen, replies
from stub_services import problem as stub_problem

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}
VALIDATE = ("POST", "/internal/references/validate")
REGISTER = ("POST", "/internal/references/register")
OK = {"status": "ok", "epoch": 0, "copied": {"exchangeName": "binance"}}


async def unverifiable(platform: Any, client: Any) -> dict[str, Any]:
    answer = await client.post("/v1/bots", json=CREATE)
    assert answer.headers["retry-after"] == "1"
    assert platform.bots.routed == []
    return problem(answer, 503, "reference-unverifiable")


async def test_owner_that_is_down(platform: Any, alice: Any) -> None:
    await platform.users.stop()
    await unverifiable(platform, alice)
    await platform.users.start()
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200


async def test_owner_that_goes_down_after_it_was_registered_with(platform: Any) -> None:
    async with platform.gateway(validation_kept_s=0) as alice:
        assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
        platform.bots.seen.clear()
        await platform.users.stop()
        await unverifiable(platform, alice)


async def test_owner_that_is_slow(platform: Any) -> None:
    async with platform.gateway(validation_timeout_s=0.2) as alice:
        platform.users.gate = asyncio.Event()
        await unverifiable(platform, alice)
        platform.users.gate.set()
        assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"not json",
        b"[]",
        {},
        {"items": None},
        {"items": []},
        {"items": [OK]},
        {"items": [OK, OK, OK]},
        {"items": [OK, {}]},
        {"items": [OK, {"status": "maybe"}]},
        {"items": [OK, None]},
        {"items": [OK, {"status": "ok", "epoch": "0", "copied": {"exchangeName": "binance"}}]},
        {"items": [OK, {"status": "ok", "epoch": -1, "copied": {"exchangeName": "binance"}}]},
        {"items": [OK, {"status": "ok", "epoch": True, "copied": {"exchangeName": "binance"}}]},
        {"items": [OK, {"status": "ok", "epoch": 0, "copied": {}}]},
        {"items": [OK, {"status": "ok", "epoch": 0}]},
        {"items": [OK, {"status": "ok", "epoch": 0, "copied": []}]},
        {"items": [{**OK, "id": ACCOUNT}, OK]},
        {"items": [OK, {"status": "condition-failed", "detail": "nobody asked"}]},
    ],
)
async def test_owner_that_answers_nonsense(platform: Any, alice: Any, answer: Any) -> None:
    platform.users.answers[VALIDATE] = replies(200, answer)
    await unverifiable(platform, alice)


@pytest.mark.parametrize("status", [401, 403, 404, 428, 500, 503])
async def test_owner_that_refuses_to_answer(platform: Any, alice: Any, status: int) -> None:
    platform.users.answers[VALIDATE] = replies(status, stub_problem(status, "x"))
    await unverifiable(platform, alice)


async def test_owner_whose_answer_is_endless(platform: Any, alice: Any) -> None:
    platform.users.answers[VALIDATE] = replies(200, b" " * 5_000_000)
    await unverifiable(platform, alice)


async def test_question_that_an_owner_cannot_read_costs_the_others_nothing(platform: Any, alice: Any) -> None:
    async def picky(seen: Seen, reply: Any) -> None:
        items = seen.json["items"]
        if any(item["parent"] == "users" for item in items):
            await reply(422, stub_problem(422, "invalid-request"))
        else:
            await reply(200, {"items": [platform.users.judged(item) for item in items]})

    platform.users.answers[VALIDATE] = picky
    await unverifiable(platform, alice)
    item = {"relationship": "trading_bots.exchangeAccountId", "parent": "exchange_accounts", "id": ACCOUNT}
    assert [one.json["items"][0]["parent"] for one in platform.users.to(VALIDATE[1])][-1] == item["parent"]


# Registration.


async def test_relationships_are_registered_with_their_owner_before_the_first_question(
    platform: Any, alice: Any
) -> None:
    await alice.post("/v1/bots", json=CREATE)
    calls = [one.target for one in platform.users.seen if one.target.startswith("/internal")]
    assert calls[0] == REGISTER[1]
    told = platform.users.to(REGISTER[1])[-1].json
    assert told["service"] == "bots"
    assert {(one["relationship"], one["parent"]) for one in told["relationships"]} == {
        ("trading_bots.userId", "users"),
        ("trading_bots.exchangeAccountId", "exchange_accounts"),
        ("user_token_balances.userId", "users"),
        ("reward_logs.userId", "users"),
        ("reward_logs.sourceId", "exchange_accounts"),
    }
    one = next(one for one in told["relationships"] if one["relationship"] == "trading_bots.exchangeAccountId")
    assert one["onDelete"] == "RESTRICT"
    assert one["match"] == {"userId": "userId"}


async def test_owner_that_forgot_is_told_again(platform: Any, alice: Any) -> None:
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
    platform.users.registered.clear()
    answer = await alice.post(f"/v1/balances/{ALICE}/credits", json={"amount": "1"})
    assert answer.status_code == 200


async def test_whoever_was_asked_before_the_owner_was_told_anew_is_asked_again(platform: Any) -> None:
    """Two requests' questions are under way when the owner has forgotten all: one has it told, for the other too."""
    async with platform.gateway(validation_kept_s=0) as alice:
        assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
        told, first = len(platform.users.to(REGISTER[1])), asyncio.Event()
        platform.users.registered.clear()

        async def slow(seen: Seen, reply: Any) -> None:
            answers = [platform.users.judged(one) for one in seen.json["items"]]
            if not first.is_set():
                first.set()
                await asyncio.sleep(0.3)  # by then the other one has had the owner told
            await reply(200, {"items": answers})

        platform.users.answers[VALIDATE] = slow
        one = asyncio.create_task(alice.post("/v1/bots", json=CREATE))
        await first.wait()
        other = await alice.post("/v1/bots", json={**CREATE, "userId": ALICE})
        assert [(await one).status_code, other.status_code] == [200, 200]
        assert len(platform.users.to(REGISTER[1])) == told + 1


async def test_question_whose_answer_was_lost_is_asked_of_the_next_replica(platform: Any, alice: Any) -> None:
    usual, asked = platform.users._validate, 0

    async def dies_once(seen: Seen, reply: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            for connection in list(platform.users._server._state.connections):
                connection.transport.abort()
        else:
            await usual(seen, reply)

    platform.users.answers[VALIDATE] = dies_once
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
    assert asked == 2


async def test_service_whose_clock_is_a_few_seconds_ahead_answers_in_time(platform: Any, alice: Any) -> None:
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
    context = platform.users.to(VALIDATE[1])[0].context
    assert context.deadline / 1000 > time.time() + 4


async def test_owner_that_does_not_consent_is_unverifiable_and_is_not_asked_without_end(platform: Any) -> None:
    platform.users.consents = False
    async with platform.gateway() as alice:
        for _ in range(5):
            await unverifiable(platform, alice)
    assert len(platform.users.to(REGISTER[1])) < 10


async def test_registration_that_fails_is_made_good_by_the_next_request(platform: Any) -> None:
    platform.users.answers[REGISTER] = replies(503, stub_problem(503, "unavailable"))
    async with platform.gateway() as alice:
        await unverifiable(platform, alice)
        del platform.users.answers[REGISTER]
        assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200


async def test_child_with_another_document_is_registered_anew(platform: Any, alice: Any, eventually: Any) -> None:
    await alice.post("/v1/bots", json=CREATE)
    before = len(platform.users.to(REGISTER[1]))
    platform.bots.document["info"]["version"] = "0.2.0"
    await eventually(lambda: len(platform.users.to(REGISTER[1])) > before)
