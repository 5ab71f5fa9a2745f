"""References of a request: what owners are asked, what a service is told, and what is refused."""

from typing import Any

import pytest
from api import pointers, problem
from stub_platform import ACCOUNT, ADMIN, ALICE, BOB, BOBS_ACCOUNT, STAKE, UNKNOWN
from stub_services import problem as stub_problem
from stub_services import replies

from kit.context import body_digest

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


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
    [items] = platform.users.questions
    assert [item["parent"] for item in items] == ["users", "exchange_accounts"]
    assert items[1]["match"] == {"userId": ALICE}
    assert items[1]["copy"] == ["exchangeName"]
    assert items[0]["caller"] == {"id": ALICE, "roles": ["user"]}
    assert platform.bots.questions == []


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
    [[item]] = platform.bots.questions
    assert item["key"] == {"exchange": "binance", "symbol": "NO/PAIR"}


async def test_own_services_references_are_left_to_it_while_nothing_else_is_wrong(platform: Any, alice: Any) -> None:
    answer = await alice.post("/v1/bots", json={**CREATE, "marketPair": "NO/PAIR"})
    assert answer.status_code == 200
    assert platform.bots.questions == []


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
    sizes = [len(items) for items in platform.users.questions]
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
    for call in platform.users.questions:
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
    assert platform.users.questions == []
