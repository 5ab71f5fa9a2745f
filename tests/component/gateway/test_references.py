"""References of a request: what owners are asked, what a service is told, and what is refused."""

import asyncio
from typing import Any

import pytest
from api import pointers, problem
from stub_platform import ACCOUNT, ADMIN, ALICE, BOB, BOBS_ACCOUNT, BOT, STAKE, UNKNOWN
from stub_services import Seen, Stub, replies
from stub_services import problem as stub_problem

from kit.context import body_digest

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


def questions(stub: Stub) -> list[list[dict[str, Any]]]:
    """The items of each validation call."""
    return [call.json["items"] for call in stub.to("/internal/references/validate")]


async def test_write_reaches_its_service_with_what_owners_confirmed(platform: Any, alice: Any) -> None:
    platform.users.epochs["users", ALICE] = 4
    answer = await alice.post("/v1/bots", json=CREATE)
    assert answer.status_code == 200
    [seen] = platform.bots.routed
    confirmed = {one.relationship: one for one in seen.context.references}
    assert set(confirmed) == {"trading_bots.userId", "trading_bots.exchangeAccountId"}
    user = confirmed["trading_bots.userId"]
    assert (user.parent, user.id, user.epoch) == ("users", ALICE, 4)
    account = confirmed["trading_bots.exchangeAccountId"]
    assert (account.parent, account.id, dict(account.copied)) == (
        "exchange_accounts",
        ACCOUNT,
        {"exchangeName": "binance"},
    )
    assert seen.context.body_sha256 == body_digest(seen.body)
    operation = platform.bots.document["paths"]["/v1/bots"]["post"]
    assert seen.context.references_digest == operation["x-references-digest"]


async def test_owner_is_asked_once_for_all_references_of_a_request_and_knows_the_caller(
    platform: Any, alice: Any
) -> None:
    await alice.post("/v1/bots", json=CREATE)
    [items] = questions(platform.users)
    assert [item["parent"] for item in items] == ["users", "exchange_accounts"]
    assert items[1]["match"] == {"userId": ALICE}
    assert items[1]["copy"] == ["exchangeName"]
    assert items[0]["caller"] == {"id": ALICE, "roles": ["user"]}
    assert questions(platform.bots) == []


async def test_field_that_is_left_out_or_null_defaults_to_the_caller(platform: Any, alice: Any) -> None:
    for body in (CREATE, {**CREATE, "userId": None}, {**CREATE, "userId": ALICE}):
        assert (await alice.post("/v1/bots", json=body)).status_code == 200
    assert all({one.id for one in seen.context.references} == {ALICE, ACCOUNT} for seen in platform.bots.routed)


async def test_unknown_parent_is_refused_at_its_field_and_nothing_is_routed(platform: Any, alice: Any) -> None:
    answer = await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN})
    document = problem(answer, 422, "reference-not-found")
    assert pointers(document) == {"/exchangeAccountId"}
    assert document["errors"][0]["code"] == "reference-not-found"
    assert platform.bots.routed == []


async def test_every_bad_field_is_named_in_one_answer_those_of_the_own_service_too(platform: Any, alice: Any) -> None:
    body = {
        "exchangeAccountId": UNKNOWN,
        "exchange": "binance",
        "marketPair": "NO/PAIR",
        "userId": UNKNOWN,
        "name": "x",
    }
    document = problem(await alice.post("/v1/bots", json=body), 422, "reference-not-found")
    assert pointers(document) == {"/userId", "/exchangeAccountId", "/marketPair"}


async def test_natural_key_is_completed_by_what_an_owner_hands_over(platform: Any, alice: Any) -> None:
    """The account says that the exchange is binance; the pair is missing there. The user is unknown, so it is looked
    up."""
    platform.users.rows["exchange_accounts", ACCOUNT]["userId"] = UNKNOWN
    token = platform.token(ADMIN, "admin")
    answer = await alice.post(
        "/v1/bots",
        json={**CREATE, "userId": UNKNOWN, "marketPair": "NO/PAIR"},
        headers={"authorization": f"Bearer {token}"},
    )
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId", "/marketPair"}
    [[item]] = questions(platform.bots)
    assert item["key"] == {"exchange": "binance", "symbol": "NO/PAIR"}


async def test_own_services_references_are_left_to_it_while_nothing_else_is_wrong(platform: Any, alice: Any) -> None:
    answer = await alice.post("/v1/bots", json={**CREATE, "marketPair": "NO/PAIR"})
    assert answer.status_code == 200
    assert questions(platform.bots) == []


async def test_somebody_elses_parent_gets_the_answer_for_an_unknown_one(platform: Any, alice: Any) -> None:
    answers = [
        problem(await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": one}), 422, "reference-not-found")
        for one in (BOBS_ACCOUNT, UNKNOWN)
    ]
    for document in answers:
        document.pop("requestId")
    assert answers[0] == answers[1]


async def test_parent_that_does_not_match_is_refused(platform: Any, alice: Any) -> None:
    """An admin may name any account, but not Alice's for Bob's bot."""
    token = platform.token(ADMIN, "admin")
    headers = {"authorization": f"Bearer {token}"}
    answer = await alice.post("/v1/bots", json={**CREATE, "userId": BOB}, headers=headers)
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/exchangeAccountId"}
    assert (await alice.post("/v1/bots", json={**CREATE, "userId": ALICE}, headers=headers)).status_code == 200


async def test_bulk_names_each_bad_item(platform: Any, alice: Any) -> None:
    items = [CREATE, {**CREATE, "exchangeAccountId": UNKNOWN}, CREATE, {**CREATE, "exchangeAccountId": BOBS_ACCOUNT}]
    document = problem(await alice.post("/v1/bots/bulk", json={"items": items}), 422, "reference-not-found")
    assert pointers(document) == {"/items/1/exchangeAccountId", "/items/3/exchangeAccountId"}
    assert (await alice.post("/v1/bots/bulk", json={"items": [CREATE] * 3})).status_code == 200


async def test_more_references_than_fit_a_call_go_in_several(platform: Any, alice: Any) -> None:
    ids = [f"01890a5d-ac96-774b-bcce-{number:012x}" for number in range(1200)]
    for one in ids:
        platform.users.rows["exchange_accounts", one] = {"userId": ALICE, "exchangeName": "binance", "owner": ALICE}
    items = [{**CREATE, "exchangeAccountId": one} for one in ids]
    assert (await alice.post("/v1/bots/bulk", json={"items": items})).status_code == 200
    sizes = [len(items) for items in questions(platform.users)]
    assert sum(sizes) == 1201
    assert max(sizes) <= 500


async def test_too_many_references_are_refused(platform: Any, alice: Any) -> None:
    items = [{"exchangeAccountId": ACCOUNT}] * 3000
    problem(await alice.post("/v1/bots/bulk", json={"items": items}), 413, "payload-too-large")


async def test_reference_in_the_path_that_names_nothing_is_not_found(platform: Any, alice: Any) -> None:
    problem(await alice.post(f"/v1/balances/{UNKNOWN}/credits", json={"amount": "1"}), 404, "not-found")
    assert platform.bots.routed == []
    assert (await alice.post(f"/v1/balances/{ALICE}/credits", json={"amount": "1"})).status_code == 200
    [reference] = platform.bots.routed[0].context.references
    assert (reference.relationship, reference.id) == ("user_token_balances.userId", ALICE)


@pytest.mark.parametrize(
    ("source", "parent"),
    [("account", "exchange_accounts"), ("stake", "user_stakes")],
)
async def test_discriminator_says_whose_id_it_is(platform: Any, alice: Any, source: str, parent: str) -> None:
    source_id = {"account": ACCOUNT, "stake": STAKE}[source]
    good = {"userId": ALICE, "sourceType": source, "sourceId": source_id}
    assert (await alice.post("/v1/rewards", json=good)).status_code == 200
    named = {one.relationship: one for one in platform.bots.routed[0].context.references}
    if source == "account":
        assert named["reward_logs.sourceId"].parent == parent
    else:
        assert "reward_logs.sourceId" not in named  # the service's own: it checks that itself


async def test_unknown_kind_is_left_to_the_service(platform: Any, alice: Any) -> None:
    platform.bots.answers["POST", "/v1/rewards"] = replies(422, stub_problem(422, "invalid-request"))
    body = {"userId": ALICE, "sourceType": "nonsense", "sourceId": UNKNOWN}
    problem(await alice.post("/v1/rewards", json=body), 422, "invalid-request")


@pytest.mark.parametrize(
    "bad", ["", "abc", "01890A5D-AC96-774B-BCCE-B302099A8001", 5, [ALICE], {"a": 1}, True, "x" * 5000]
)
async def test_value_that_is_no_id_is_left_to_the_service_to_refuse(platform: Any, alice: Any, bad: Any) -> None:
    platform.bots.answers["POST", "/v1/bots"] = replies(422, stub_problem(422, "invalid-request"))
    for field in ("userId", "exchangeAccountId"):
        problem(await alice.post("/v1/bots", json={**CREATE, field: bad}), 422, "invalid-request")
    for call in questions(platform.users):
        assert all(item.get("id") in (ALICE, ACCOUNT) for item in call)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not-json"),
        (b'{"name": NaN}', "not-json"),
        (b'{"name": 1e400}', None),
        (b'{"name": "a", "name": "b"}', "duplicate-key"),
        (b'{"name": "\\u0000"}', "bad-character"),
        (b'{"name": "\\ud800"}', "not-json"),
        (b"[" * 40 + b"]" * 40, "too-deep"),
        (b"\xff\xfe", "not-json"),
    ],
)
async def test_body_that_cannot_be_read_is_refused_by_the_gateway(
    platform: Any, alice: Any, body: bytes, code: str | None
) -> None:
    answer = await alice.post("/v1/bots", content=body, headers={"content-type": "application/json"})
    document = problem(answer, 422, "invalid-request")
    if code is not None:
        assert document["errors"][0]["code"] == code
    assert platform.bots.routed == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""]
)
async def test_references_in_another_media_type_are_refused(platform: Any, alice: Any, kind: str) -> None:
    answer = await alice.post("/v1/bots", content=b"{}", headers={"content-type": kind})
    problem(answer, 415, "unsupported-media-type")


async def test_list_filters_are_no_references(platform: Any, alice: Any) -> None:
    assert (await alice.get(f"/v1/bots?userId={UNKNOWN}")).status_code == 200
    assert questions(platform.users) == []


# Answers that are kept.


async def test_positive_answer_is_kept_for_a_moment_and_a_miss_is_not(platform: Any) -> None:
    async with platform.gateway(validation_kept_s=0.2) as alice:
        await alice.post("/v1/bots", json=CREATE)
        await alice.post("/v1/bots", json=CREATE)
        assert len(questions(platform.users)) == 1
        await asyncio.sleep(0.25)
        await alice.post("/v1/bots", json=CREATE)
        assert len(questions(platform.users)) == 2
        for _ in range(2):
            await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN})
        assert [[one["id"] for one in items] for items in questions(platform.users)[2:]] == [[UNKNOWN], [UNKNOWN]]


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
    await eventually(lambda: len(questions(platform.users)) == 1 and in_flight._value.get() == len(sent))
    await asyncio.sleep(0.1)
    assert len(questions(platform.users)) == 1
    platform.users.gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*sent)} == {200}
    assert len(questions(platform.users)) <= 2
    for items in questions(platform.users):
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


# Parents that only the child's service knows.


async def test_service_names_the_parents_of_an_action_and_their_conditions_are_checked_live(
    platform: Any, alice: Any
) -> None:
    item = {"relationship": "trading_bots.userId", "parent": "users", "id": ALICE, "require": {"status": "active"}}
    platform.bots.answers["POST", "/internal/references/parents"] = replies(200, {"version": 7, "items": [item]})
    for _ in range(2):
        assert (await alice.post(f"/v1/bots/{BOT}/start")).status_code == 200
    assert len(questions(platform.users)) == 2
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
    assert problem(answer, 404, "not-found")["detail"] == "There is no such bot."
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
