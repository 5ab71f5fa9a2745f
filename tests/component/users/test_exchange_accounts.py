"""Exchange accounts: linked by credentials that nobody sees again."""

import json
from typing import Any

import pytest
from api import pointers, problem
from users_service import UNKNOWN_ID, UsersService, credentials, owner_reference

from users.documents.exchange_accounts import ExchangeAccount

pytestmark = pytest.mark.anyio

PATH = "/v1/exchange-accounts"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB\n-----END EC PRIVATE KEY-----\n"


async def test_link_shows_a_hint_and_nothing_of_the_credentials(service: UsersService) -> None:
    owner = await service.sign_up()
    given = credentials()
    answer = await service.link(owner, **given, exchangeName=" Binance ", accountNickname="main")
    account = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{account['accountId']}"
    assert answer.headers["etag"] == '"1"'
    assert account == {
        "accountId": account["accountId"],
        "userId": owner.id,
        "exchangeName": "binance",
        "accountNickname": "main",
        "keyHint": given["apiKey"][-4:],
        "isValid": False,
        "validity": {
            "status": "unknown",
            "reason": "not-verified",
            "permissions": [],
            "checkedAt": account["createdAt"],
        },
        "warnings": [],
        "createdAt": account["createdAt"],
        "updatedAt": account["createdAt"],
        "version": 1,
    }
    assert (await owner.client.get(f"{PATH}/{account['accountId']}")).json() == account


async def test_nickname_may_be_left_out_and_a_secret_may_be_a_pem_key(service: UsersService) -> None:
    owner = await service.sign_up()
    account = await service.linked(owner, apiSecret=PEM, accountNickname=None)
    assert account["accountNickname"] is None
    body = {"apiKey": "no", "apiSecret": PEM}
    problem(await owner.client.post(f"{PATH}/{account['accountId']}/verify", json=body), 422, "invalid-request")


async def test_key_is_linked_once_per_exchange_whoever_has_it(service: UsersService) -> None:
    ann, bob = await service.sign_up(), await service.sign_up()
    given = credentials()
    await service.linked(ann, **given)
    for person in (ann, bob):
        answer = await service.link(person, **given)
        document = problem(answer, 409, "already-exists")
        assert pointers(document) == {"/apiKey"}
        assert ann.id not in answer.text
    assert (await service.linked(bob, **given, exchangeName="kraken"))["exchangeName"] == "kraken"


async def test_user_id_may_be_given_by_its_owner(service: UsersService) -> None:
    owner = await service.sign_up()
    assert (await service.linked(owner, userId=owner.id))["userId"] == owner.id


@pytest.mark.parametrize("role", ["treasury", "admin"])
async def test_treasury_and_admin_link_for_others(service: UsersService, role: str) -> None:
    owner, other = await service.sign_up(), await service.sign_up("user", role)
    account = await service.linked(owner, client=other.client, userId=owner.id)
    assert account["userId"] == owner.id
    assert (await owner.client.get(f"{PATH}/{account['accountId']}")).status_code == 200


async def test_account_for_somebody_else_is_refused_as_for_an_unknown_user(service: UsersService) -> None:
    owner, stranger = await service.sign_up(), await service.sign_up()
    documents = []
    for user_id in (owner.id, UNKNOWN_ID):
        answer = await stranger.client.post(
            PATH,
            json={**credentials(), "exchangeName": "binance", "userId": user_id},
            references=[owner_reference(user_id)],
        )
        documents.append(problem(answer, 422, "reference-not-found"))
    assert pointers(documents[0]) == {"/userId"}
    assert comparable(documents[0]) == comparable(documents[1])


async def test_account_of_an_unknown_user_is_refused_and_not_written(service: UsersService) -> None:
    body = {**credentials(), "exchangeName": "binance", "userId": UNKNOWN_ID}
    answer = await service.admin.client.post(PATH, json=body)
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId"}
    assert await service.runtime.store.collection(ExchangeAccount).count({}) == 0


def comparable(document: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in document.items() if name not in {"instance", "requestId"}})


async def test_repeated_link_gives_the_first_answer_again(service: UsersService) -> None:
    owner = await service.sign_up()
    given = credentials()
    first = await service.link(owner, **given, idempotency_key="once")
    second = await service.link(owner, **given, idempotency_key="once")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    problem(await service.link(owner, **credentials(), idempotency_key="once"), 422, "idempotency-mismatch")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("userId", "not-an-id", "bad-format"),
        ("userId", UNKNOWN_ID.upper(), "bad-format"),
        ("userId", 7, "wrong-type"),
        ("exchangeName", "", "invalid-exchange-name"),
        ("exchangeName", "bin ance", "invalid-exchange-name"),
        ("exchangeName", "x" * 40, "too-long"),
        ("exchangeName", None, "wrong-type"),
        ("apiKey", "tiny-1", "too-short"),
        ("apiKey", "k" * 513, "too-long"),
        ("apiKey", "with a blank", "invalid-api-key"),
        ("apiKey", "bell\u0007bell", "invalid-api-key"),
        ("apiKey", 12345678, "wrong-type"),
        ("apiSecret", "tiny-1", "too-short"),
        ("apiSecret", "s" * 4097, "too-long"),
        ("apiSecret", " s3cret s3cret ", "invalid-api-secret"),
        ("apiSecret", ["s3cret"], "wrong-type"),
        ("accountNickname", "", "too-short"),
        ("accountNickname", "x" * 65, "too-long"),
        ("accountNickname", "two\nlines", "bad-character"),
        ("isValid", True, "unknown-field"),
        ("api_key", "key-12345678", "unknown-field"),
    ],
)
async def test_bad_field_is_refused_where_it_stands_and_never_repeated(
    shared: UsersService, field: str, value: object, code: str
) -> None:
    owner = await shared.sign_up()
    changed: dict[str, Any] = {field: value}
    answer = await shared.link(owner, **changed)
    document = problem(answer, 422, "invalid-request")
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [(f"/{field}", code)]
    if isinstance(value, str) and len(value) > 4:
        assert value not in answer.text


async def test_without_the_gateway_a_write_is_428_and_a_read_401(shared: UsersService) -> None:
    body = {**credentials(), "exchangeName": "binance"}
    problem(await shared.gateway.bare("POST", PATH, json=body), 428, "references-not-validated")
    problem(await shared.gateway.bare("GET", PATH), 401, "unauthenticated")
    problem(await shared.gateway.bare("POST", "/v1/users", json={}), 401, "unauthenticated")


async def test_signed_for_nobody_is_401(shared: UsersService) -> None:
    problem(await shared.anonymous.get(PATH), 401, "unauthenticated")
    answer = await shared.anonymous.post(PATH, json={**credentials(), "exchangeName": "binance"})
    problem(answer, 401, "unauthenticated")


async def test_somebody_elses_account_is_answered_like_an_unknown_one(service: UsersService) -> None:
    owner, stranger = await service.sign_up(), await service.sign_up("engine")
    account_id = (await service.linked(owner))["accountId"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"accountNickname": "mine"}),
        ("POST", "/verify", credentials()),
        ("POST", "/rotate", credentials()),
    ]
    for method, action, body in calls:
        found = await stranger.client.request(method, f"{PATH}/{account_id}{action}", json=body)
        unknown = await stranger.client.request(method, f"{PATH}/{UNKNOWN_ID}{action}", json=body)
        assert comparable(problem(found, 404, "not-found")) == comparable(problem(unknown, 404, "not-found"))


async def test_list_has_ones_own_accounts_and_everybodys_for_treasury(service: UsersService) -> None:
    ann, bob, treasurer = await service.sign_up(), await service.sign_up(), await service.sign_up("user", "treasury")
    for person, exchange in ((ann, "kraken"), (ann, "binance"), (bob, "binance")):
        service.clock.advance(1)
        await service.linked(person, exchangeName=exchange)

    async def listed(client: Any, query: str = "limit=50") -> list[tuple[str, str]]:
        page = (await client.get(f"{PATH}?{query}")).raise_for_status().json()
        return [(item["userId"], item["exchangeName"]) for item in page["items"]]

    assert await listed(ann.client) == [(ann.id, "binance"), (ann.id, "kraken")]
    assert await listed(ann.client, "sort=-exchangeName") == [(ann.id, "kraken"), (ann.id, "binance")]
    assert await listed(ann.client, "exchangeName=Kraken") == [(ann.id, "kraken")]
    assert await listed(ann.client, f"userId={bob.id}") == []
    assert await listed(ann.client, "isValid=true") == []
    assert await listed(treasurer.client, f"userId={bob.id}") == [(bob.id, "binance")]
    assert len(await listed(treasurer.client)) == 3


async def test_list_pages_through_all(service: UsersService) -> None:
    owner = await service.sign_up()
    made = {(await service.linked(owner))["accountId"] for _ in range(5)}
    found: list[str] = []
    cursor = ""
    while True:
        page = (await owner.client.get(f"{PATH}?limit=2{cursor}")).json()
        found += [item["accountId"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert (set(found), len(found)) == (made, 5)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=100000", "/limit"),
        ("cursor=made-up", "/cursor"),
        ("sort=apiKeyHash", "/sort"),
        ("userId=7", "/userId"),
        ("exchangeName=bin+ance", "/exchangeName"),
        ("isValid=perhaps", "/isValid"),
    ],
)
async def test_bad_query_parameter_is_refused_at_its_name(shared: UsersService, query: str, pointer: str) -> None:
    owner = await shared.sign_up()
    answer = await owner.client.get(f"{PATH}?{query}")
    assert pointers(problem(answer, 422, "invalid-request")) == {pointer}


async def test_nickname_is_changed_and_removed(service: UsersService) -> None:
    owner = await service.sign_up()
    path = f"{PATH}/{(await service.linked(owner))['accountId']}"
    changed = (await owner.client.patch(path, json={"accountNickname": "savings"}, if_match='"1"')).json()
    assert (changed["accountNickname"], changed["version"]) == ("savings", 2)
    removed = (await owner.client.patch(path, json={"accountNickname": None})).json()
    assert (removed["accountNickname"], removed["version"]) == (None, 3)
    same = (await owner.client.patch(path, json={})).json()
    assert same["version"] == 3
    stale = await owner.client.patch(path, json={"accountNickname": "late"}, if_match='"1"')
    problem(stale, 412, "version-mismatch")


@pytest.mark.parametrize("field", ["userId", "exchangeName", "apiKey", "isValid", "keyHint"])
async def test_nothing_else_of_an_account_can_be_changed(shared: UsersService, field: str) -> None:
    owner = await shared.sign_up()
    path = f"{PATH}/{(await shared.linked(owner))['accountId']}"
    answer = await owner.client.patch(path, json={field: "x"})
    assert pointers(problem(answer, 422, "invalid-request")) == {f"/{field}"}
