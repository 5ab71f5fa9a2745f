"""Parents that only the child's service knows: it names them, and their conditions are checked live."""

from typing import Any

import pytest
from api import pointers, problem
from stub_platform import ACCOUNT, ALICE, BOBS_ACCOUNT, BOT
from stub_services import Seen, replies
from stub_services import problem as stub_problem

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


async def test_service_names_the_parents_of_an_action_and_their_conditions_are_checked_live(
    platform: Any, alice: Any
) -> None:
    item = {"relationship": "trading_bots.userId", "parent": "users", "id": ALICE, "require": {"status": "active"}}
    platform.bots.answers["POST", "/internal/references/parents"] = replies(200, {"version": 7, "items": [item]})
    for _ in range(2):
        assert (await alice.post(f"/v1/bots/{BOT}/start")).status_code == 200
    assert len(platform.users.questions) == 2
    asked = platform.bots.to("/internal/references/parents")[0]
    assert asked.json == {"operationId": "start_bot", "pathParameters": {"botId": BOT}, "body": None}
    assert asked.context.caller.id == ALICE
    context = platform.bots.to(f"/v1/bots/{BOT}/start")[0].context
    assert context.versions == {"document": 7}
    assert [one.id for one in context.references] == [ALICE]
    platform.users.rows["users", ALICE]["status"] = "suspended"
    document = problem(await alice.post(f"/v1/bots/{BOT}/start"), 409, "reference-condition-failed")
    assert document["errors"][0]["detail"] == "status is not active."


async def test_service_names_the_owner_that_a_changed_reference_must_match(platform: Any, alice: Any) -> None:
    item = {
        "relationship": "trading_bots.exchangeAccountId",
        "parent": "exchange_accounts",
        "id": BOBS_ACCOUNT,
        "match": {"userId": ALICE},
        "copy": ["exchangeName"],
        "pointer": "/exchangeAccountId",
    }
    platform.bots.answers["POST", "/internal/references/parents"] = replies(200, {"version": 2, "items": [item]})
    answer = await alice.patch(f"/v1/bots/{BOT}", json={"exchangeAccountId": BOBS_ACCOUNT})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}
    item["id"] = ACCOUNT
    answer = await alice.patch(f"/v1/bots/{BOT}", json={"exchangeAccountId": ACCOUNT})
    assert answer.status_code == 200
    [reference] = platform.bots.routed[0].context.references
    assert dict(reference.copied) == {"exchangeName": "binance"}


async def test_service_that_refuses_to_name_parents_is_the_answer(platform: Any, alice: Any) -> None:
    refusal = stub_problem(404, "not-found", detail="There is no such bot.")
    platform.bots.answers["POST", "/internal/references/parents"] = replies(404, refusal)
    answer = await alice.post(f"/v1/bots/{BOT}/start")
    document = problem(answer, 404, "not-found")
    assert document["detail"] == "There is no such bot."
    assert document["instance"] == f"/v1/bots/{BOT}/start"
    assert platform.bots.routed == []


@pytest.mark.parametrize(
    "plan",
    [
        b"[]",
        {"version": "1", "items": []},
        {"version": 1},
        {"version": 1, "items": [{"relationship": "trading_bots.userId", "parent": "users"}]},
        {"version": 1, "items": [{"relationship": "a.b", "parent": "users", "id": ALICE, "require": 5}]},
    ],
)
async def test_malformed_plan_stops_the_request(platform: Any, alice: Any, plan: Any) -> None:
    platform.bots.answers["POST", "/internal/references/parents"] = replies(200, plan)
    problem(await alice.post(f"/v1/bots/{BOT}/start"), 503, "unavailable")
    assert platform.bots.routed == []


async def test_document_that_changed_under_the_plan_is_planned_for_once_more(platform: Any, alice: Any) -> None:
    versions = iter([1, 2, 3, 4])

    async def plan(_: Seen, reply: Any) -> None:
        await reply(200, {"version": next(versions), "items": []})

    async def service(seen: Seen, reply: Any) -> None:
        assert seen.context is not None
        assert seen.context.versions is not None
        fresh = seen.context.versions["document"] == 2
        await reply(200 if fresh else 412, {"ok": True} if fresh else stub_problem(412, "version-mismatch"))

    platform.bots.answers["POST", "/internal/references/parents"] = plan
    platform.bots.answers["POST", f"/v1/bots/{BOT}/start"] = service
    assert (await alice.post(f"/v1/bots/{BOT}/start")).status_code == 200
    answer = await alice.post(f"/v1/bots/{BOT}/start", headers={"if-match": '"1"'})
    problem(answer, 412, "version-mismatch")
    assert len(platform.bots.routed) == 3


async def test_replica_of_a_version_without_the_operation_is_not_the_last_to_be_asked(
    platform: Any, alice: Any
) -> None:
    """It knows nothing of the bot either way: the client must not be told that there is none."""
    unknown = replies(428, stub_problem(428, "references-not-validated"))
    plan = replies(200, {"version": 1, "items": []})
    waiting = [unknown, plan, unknown, unknown]

    async def in_turn(seen: Seen, reply: Any) -> None:
        await waiting.pop(0)(seen, reply)

    platform.bots.answers["POST", "/internal/references/parents"] = in_turn
    assert (await alice.post(f"/v1/bots/{BOT}/start")).status_code == 200
    refused = problem(await alice.post(f"/v1/bots/{BOT}/start"), 503, "unavailable")
    assert "another version" in refused["detail"]
    assert waiting == []
