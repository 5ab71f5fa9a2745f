"""Positive answers of owners are kept for a moment, and asked for together."""

import asyncio
from typing import Any

import pytest
from api import pointers, problem
from stub_platform import ACCOUNT, ALICE, BOB, UNKNOWN

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


async def test_positive_answer_is_kept_for_a_moment_and_a_miss_is_not(platform: Any) -> None:
    async with platform.gateway(validation_kept_s=0.2) as alice:
        await alice.post("/v1/bots", json=CREATE)
        await alice.post("/v1/bots", json=CREATE)
        assert len(platform.users.questions) == 1
        await asyncio.sleep(0.25)
        await alice.post("/v1/bots", json=CREATE)
        assert len(platform.users.questions) == 2
        for _ in range(2):
            await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN})
        assert [[one["id"] for one in items] for items in platform.users.questions[2:]] == [[UNKNOWN], [UNKNOWN]]


async def test_answer_is_kept_for_its_caller_only(platform: Any, alice: Any) -> None:
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
    async with platform.client(platform.token(BOB)) as bob:
        answer = await bob.post("/v1/bots", json={**CREATE, "userId": ALICE})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId", "/exchangeAccountId"}


async def test_concurrent_requests_share_a_call(platform: Any, alice: Any, eventually: Any) -> None:
    platform.users.gate = asyncio.Event()
    accounts = [f"01890a5d-ac96-774b-bcce-{number:012x}" for number in range(20)]
    for one in accounts:
        platform.users.rows["exchange_accounts", one] = {"userId": ALICE, "exchangeName": "binance", "owner": ALICE}
    bodies = [{**CREATE, "exchangeAccountId": one} for one in accounts]
    sent = [asyncio.create_task(alice.post("/v1/bots", json=body)) for body in bodies]
    in_flight = platform.app.running.metrics.in_flight
    await eventually(lambda: len(platform.users.questions) == 1 and in_flight._value.get() == len(sent))
    await asyncio.sleep(0.1)
    assert len(platform.users.questions) == 1
    platform.users.gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*sent)} == {200}
    assert len(platform.users.questions) <= 2
    for items in platform.users.questions:
        asked = [(one["parent"], one["id"]) for one in items]
        assert len(asked) == len(set(asked))


async def test_client_that_leaves_does_not_take_others_answers_with_it(platform: Any, alice: Any) -> None:
    platform.users.gate = asyncio.Event()
    first = asyncio.create_task(alice.post("/v1/bots", json=CREATE))
    second = asyncio.create_task(alice.post("/v1/bots", json=CREATE))
    await asyncio.sleep(0.2)
    first.cancel()
    platform.users.gate.set()
    assert (await second).status_code == 200
