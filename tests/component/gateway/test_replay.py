"""Idempotency-Key on a refused reference, and references that were closed while a request was on its way."""

from typing import Any

import pytest
from api import pointers, problem
from stub_platform import ACCOUNT, ALICE, BOT, UNKNOWN
from stub_services import Seen, replies
from stub_services import problem as stub_problem

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}
KEY = {"idempotency-key": "k1"}
NO_ANSWER = stub_problem(428, "references-not-validated")
CLOSED = {"relationship": "trading_bots.userId", "parent": "users", "id": ALICE}


async def test_refused_request_with_a_key_is_forwarded_for_replay_only(platform: Any, alice: Any) -> None:
    platform.bots.answers["POST", "/v1/bots"] = replies(428, NO_ANSWER)
    answer = await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN}, headers=KEY)
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}
    [seen] = platform.bots.routed
    assert seen.context.replay_only
    assert seen.context.references == ()
    assert seen.header("idempotency-key") == "k1"


@pytest.mark.parametrize(
    ("status", "value"),
    [
        (201, {"botId": BOT}),
        (422, stub_problem(422, "idempotency-mismatch")),
        (409, stub_problem(409, "idempotency-running")),
    ],
)
async def test_kept_answer_of_the_service_wins(platform: Any, alice: Any, status: int, value: Any) -> None:
    headers = {"idempotency-replayed": "true"} if status == 201 else {}
    platform.bots.answers["POST", "/v1/bots"] = replies(status, value, headers)
    answer = await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN}, headers=KEY)
    assert (answer.status_code, answer.json()) == (status, value)
    assert answer.headers.get("idempotency-replayed") == headers.get("idempotency-replayed")


async def test_refused_request_without_a_key_is_not_forwarded(platform: Any, alice: Any) -> None:
    await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN})
    assert platform.bots.routed == []


async def test_kept_answer_wins_over_a_path_that_names_nothing_now(platform: Any, alice: Any) -> None:
    path = f"/v1/balances/{UNKNOWN}/credits"
    platform.bots.answers["POST", path] = replies(201, {"entryId": "1"})
    assert (await alice.post(path, json={"amount": "1"}, headers=KEY)).json() == {"entryId": "1"}
    platform.bots.answers["POST", path] = replies(428, NO_ANSWER)
    problem(await alice.post(path, json={"amount": "1"}, headers=KEY), 404, "not-found")


async def test_kept_answer_wins_over_a_condition_and_a_refused_plan(platform: Any, alice: Any) -> None:
    path = f"/v1/bots/{BOT}/start"
    platform.bots.answers["POST", path] = replies(200, {"status": "running"})
    item = {"relationship": "trading_bots.userId", "parent": "users", "id": ALICE, "require": {"status": "gone"}}
    platform.bots.answers["POST", "/internal/references/parents"] = replies(200, {"version": 1, "items": [item]})
    assert (await alice.post(path, headers=KEY)).json() == {"status": "running"}
    refusal = stub_problem(404, "not-found")
    platform.bots.answers["POST", "/internal/references/parents"] = replies(404, refusal)
    assert (await alice.post(path, headers=KEY)).json() == {"status": "running"}
    platform.bots.answers["POST", path] = replies(428, NO_ANSWER)
    problem(await alice.post(path, headers=KEY), 404, "not-found")


async def test_key_that_stands_twice_is_refused(platform: Any, alice: Any) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "b")]
    problem(await alice.post("/v1/bots", json=CREATE, headers=headers), 422, "invalid-request")


# Closed references.


def closes_once(platform: Any, path: str, *closed: dict[str, str]) -> None:
    """The service finds references closed, unless they come with an epoch."""

    async def handler(seen: Seen, reply: Any) -> None:
        assert seen.context is not None
        epochs = {(one.relationship, one.id): one.epoch for one in seen.context.references}
        shut = [one for one in closed if not epochs.get((one["relationship"], one["id"]))]
        if shut:
            await reply(409, stub_problem(409, "reference-closed", closed=shut))
        else:
            await reply(201, {"made": True})

    platform.bots.answers["POST", path] = handler


async def test_closed_reference_is_confirmed_live_and_sent_once_more_with_its_epoch(platform: Any, alice: Any) -> None:
    await alice.post("/v1/bots", json=CREATE)
    platform.users.epochs["users", ALICE] = 3
    platform.bots.seen.clear()
    closes_once(platform, "/v1/bots", CLOSED)
    answer = await alice.post("/v1/bots", json=CREATE)
    assert (answer.status_code, answer.json()) == (201, {"made": True})
    first, second = platform.bots.routed
    assert first.body == second.body
    assert {one.relationship: one.epoch for one in second.context.references} == {
        "trading_bots.userId": 3,
        "trading_bots.exchangeAccountId": 0,
    }
    assert second.context.body_sha256 == first.context.body_sha256
    assert first.context.request_id == second.context.request_id


async def test_closed_reference_whose_parent_is_gone_is_the_services_refusal(platform: Any, alice: Any) -> None:
    await alice.post("/v1/bots", json=CREATE)
    del platform.users.rows["users", ALICE]
    platform.bots.seen.clear()
    closes_once(platform, "/v1/bots", CLOSED)
    answer = await alice.post("/v1/bots", json=CREATE)
    assert problem(answer, 409, "reference-closed")["closed"] == [CLOSED]
    assert len(platform.bots.routed) == 1


async def test_reference_that_stays_closed_is_not_sent_a_third_time(platform: Any, alice: Any) -> None:
    platform.bots.answers["POST", "/v1/bots"] = replies(409, stub_problem(409, "reference-closed", closed=[CLOSED]))
    problem(await alice.post("/v1/bots", json=CREATE), 409, "reference-closed")
    assert len(platform.bots.routed) == 2


async def test_write_that_carries_no_references_is_mended_too(platform: Any, alice: Any) -> None:
    platform.users.epochs["users", ALICE] = 1
    path = f"/v1/bots/{BOT}/notes"
    closes_once(platform, path, CLOSED)
    answer = await alice.post(path, content=b"note")
    assert answer.status_code == 201
    first, second = platform.bots.routed
    assert (first.body, second.body) == (b"note", b"note")
    assert [one.epoch for one in second.context.references] == [1]


async def test_owner_that_cannot_be_asked_leaves_the_refusal_as_it_is(platform: Any, alice: Any) -> None:
    await alice.post("/v1/bots", json=CREATE)
    closes_once(platform, "/v1/bots", CLOSED)
    await platform.users.stop()
    problem(await alice.post("/v1/bots", json=CREATE), 409, "reference-closed")


@pytest.mark.parametrize("closed", [None, [], [{"relationship": "a"}], "x", [{**CLOSED, "id": 5}]])
async def test_refusal_that_names_nothing_usable_is_passed_on(platform: Any, alice: Any, closed: Any) -> None:
    refusal = stub_problem(409, "reference-closed", closed=closed)
    platform.bots.answers["POST", "/v1/bots"] = replies(409, refusal)
    assert (await alice.post("/v1/bots", json=CREATE)).json() == {**refusal, "instance": "/v1/bots"}


async def test_other_conflicts_are_passed_on_as_they_are(platform: Any, alice: Any) -> None:
    refusal = stub_problem(409, "already-exists")
    platform.bots.answers["POST", "/v1/bots"] = replies(409, refusal, {"x-extra": "1"})
    answer = await alice.post("/v1/bots", json=CREATE)
    assert answer.json() == {**refusal, "instance": "/v1/bots"}
    assert answer.headers["x-extra"] == "1"


async def test_service_that_declares_other_references_is_read_again(platform: Any, eventually: Any) -> None:
    async with platform.gateway(document_interval_s=60) as alice:
        reads = len(platform.bots.reads)
        platform.bots.answers["POST", "/v1/bots"] = replies(428, NO_ANSWER)
        problem(await alice.post("/v1/bots", json=CREATE), 428, "references-not-validated")
        await eventually(lambda: len(platform.bots.reads) > reads)
