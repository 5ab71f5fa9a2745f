"""Bad input gets a problem document that names the field, and nothing is written."""

import json
import secrets
from typing import Any

import httpx
import pytest
from api import UNKNOWN_ID, Api, pointers, problem, sign_up
from platforms import Platform
from scenes import bot, bot_request, credit, exchange_account, open_pool

JSON_TYPE = {"Content-Type": "application/json"}


def refuse(api: Api, path: str, raw: bytes | str, status: int = 422, code: str = "invalid-request") -> dict[str, Any]:
    content = raw if isinstance(raw, bytes) else raw.encode()
    return problem(api.request("POST", path, content=content, headers=JSON_TYPE), status, code)


@pytest.fixture(scope="module")
def owner(platform: Platform, markets: None) -> Api:
    return sign_up(platform.base_url, "owner")


@pytest.fixture(scope="module")
def account_id(owner: Api) -> str:
    identifier: str = exchange_account(owner)["accountId"]
    return identifier


@pytest.mark.parametrize(
    "raw",
    ["", "not json", "{", '{"name": }', "[1,]", "null", "[]", '"text"', "12"],
    ids=["empty", "word", "open", "hole", "comma", "null", "array", "string", "number"],
)
def test_body_that_is_no_json_object_is_refused(owner: Api, raw: str) -> None:
    refuse(owner, "/v1/bots", raw)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 12),
        ("name", ""),
        ("name", "x" * 10_000),
        ("name", "bell\u0007"),
        ("name", "nul\u0000"),
        ("mode", "pretend"),
        ("strategy", "grid"),
        ("tags", "one"),
        ("exchangeAccountId", "not-an-id"),
        ("exchangeAccountId", 7),
        ("exchangeAccountId", UNKNOWN_ID.upper()),
        ("initialCapital", {"amount": 1000, "currency": "USDT"}),
        ("initialCapital", {"amount": "-1", "currency": "USDT"}),
        ("initialCapital", {"amount": "NaN", "currency": "USDT"}),
        ("initialCapital", {"amount": "1e400", "currency": "USDT"}),
        ("initialCapital", {"amount": "0." + "1" * 19, "currency": "USDT"}),
        ("unknownField", 1),
    ],
)
def test_wrong_value_in_a_bot_is_refused_at_its_field(owner: Api, account_id: str, field: str, value: object) -> None:
    answer = owner.post("/v1/bots", {**bot_request(account_id), field: value})
    document = problem(answer, 422, "invalid-request")
    assert any(pointer.startswith(f"/{field}") for pointer in pointers(document)), document


def test_snake_case_is_refused(owner: Api, account_id: str) -> None:
    body = bot_request(account_id)
    body["exchange_account_id"] = body.pop("exchangeAccountId")
    found = pointers(problem(owner.post("/v1/bots", body), 422, "invalid-request"))
    assert {"/exchange_account_id", "/exchangeAccountId"} <= found


def test_a_key_given_twice_is_refused_even_with_the_same_value(owner: Api, account_id: str) -> None:
    body = json.dumps(bot_request(account_id, name="twice"))
    document = refuse(owner, "/v1/bots", body[:-1] + ', "name": "twice"}')
    assert "/name" in pointers(document)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", "1.5", "100", "true", "null"])
def test_amount_must_be_a_decimal_string(admin: Api, owner: Api, literal: str) -> None:
    raw = f'{{"amount": {literal}, "reason": "deposit"}}'
    refuse(admin, f"/v1/balances/{owner.user_id}/credits", raw)


@pytest.mark.parametrize(
    "amount", ["1.123456789", "-1", "0", "", " 1", "1,5", "1e3", "NaN", "Infinity", "9" * 40, "１", "+1"]
)
def test_amount_that_is_no_positive_decimal_of_eight_places_is_refused(admin: Api, owner: Api, amount: str) -> None:
    answer = admin.post(f"/v1/balances/{owner.user_id}/credits", {"amount": amount, "reason": "deposit"})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/amount"}


@pytest.mark.parametrize("raw", ['"\\ud800"', '"\\udc00 x"'])
def test_unpaired_surrogate_is_refused(owner: Api, account_id: str, raw: str) -> None:
    body = json.dumps(bot_request(account_id, name="NAME")).replace('"NAME"', raw)
    refuse(owner, "/v1/bots", body)


def test_body_that_is_not_utf_8_is_refused(owner: Api) -> None:
    refuse(owner, "/v1/bots", b'{"name": "\xff\xfe"}')


def test_deeply_nested_body_is_refused(owner: Api) -> None:
    refuse(owner, "/v1/bots", "[" * 100_000 + "]" * 100_000)


def test_body_over_the_limit_is_refused(owner: Api) -> None:
    refuse(owner, "/v1/bots", '{"notes": "' + "x" * 2_000_000 + '"}', 413, "payload-too-large")


@pytest.mark.parametrize(
    "path", ["/v1/bots/not-an-id", "/v1/users/1", "/v1/exchange-accounts/%00", "/v1/bots/" + "9" * 500]
)
def test_path_with_something_that_is_no_id_is_refused(owner: Api, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code in (404, 422)
    problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=100000", "/limit"),
        ("limit=0", "/limit"),
        ("limit=ten", "/limit"),
        ("cursor=made-up", "/cursor"),
        ("cursor=eyJhIjoxfQ.AAAA", "/cursor"),
        ("sort=passwordHash", "/sort"),
        ("status=sleeping", "/status"),
    ],
)
def test_bad_query_parameter_is_refused_at_its_name(owner: Api, query: str, pointer: str) -> None:
    document = problem(owner.get(f"/v1/bots?{query}"), 422, "invalid-request")
    assert pointer in pointers(document)


@pytest.mark.parametrize(
    "ts",
    [
        "2026-01-01T00:00:00",
        "9999-01-01T00:00:00Z",
        "yesterday",
        1767225600,
        "2026-13-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
    ],
)
def test_timestamp_without_zone_or_out_of_range_is_refused(owner: Api, account_id: str, ts: object) -> None:
    made = bot(owner, account_id)
    sample = {
        "ts": ts,
        "equity": "1",
        "realizedPnl": "0",
        "unrealizedPnl": "0",
        "fees": "0",
        "volume": "0",
        "cashFlow": "0",
        "seq": 1,
    }
    answer = owner.post(f"/v1/bots/{made['botId']}/performance/samples", {"samples": [sample]})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/samples/0/ts"}


@pytest.mark.parametrize("token", ["garbage", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_token_that_was_not_issued_here_is_refused(platform: Platform, token: str) -> None:
    answer = httpx.get(f"{platform.base_url}/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    problem(answer, 401, "unauthenticated")
    assert "bearer" in answer.headers["www-authenticate"].lower()


def test_request_without_a_token_is_refused(anonymous: Api) -> None:
    problem(anonymous.get("/v1/bots"), 401, "unauthenticated")
    problem(anonymous.post("/v1/bots", {}), 401, "unauthenticated")


def test_somebody_elses_object_is_answered_like_an_unknown_one(owner: Api, stranger: Api, account_id: str) -> None:
    made = bot(owner, account_id)
    for kind, identifier in (("bots", made["botId"]), ("exchange-accounts", account_id), ("users", owner.user_id)):
        foreign = problem(stranger.get(f"/v1/{kind}/{identifier}"), 404, "not-found")
        unknown = problem(stranger.get(f"/v1/{kind}/{UNKNOWN_ID}"), 404, "not-found")
        assert {k: v for k, v in foreign.items() if k not in {"instance", "requestId"}} == {
            k: v for k, v in unknown.items() if k not in {"instance", "requestId"}
        }


def test_stale_if_match_is_refused_and_changes_nothing(owner: Api, account_id: str) -> None:
    made = bot(owner, account_id)
    path = f"/v1/bots/{made['botId']}"
    etag = owner.get(path).headers["etag"]
    assert owner.patch(path, {"notes": "first"}, headers={"If-Match": etag}).status_code == 200
    problem(owner.patch(path, {"notes": "second"}, headers={"If-Match": etag}), 412, "version-mismatch")
    assert owner.fetched(path)["notes"] == "first"


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/nothing", "GET"), ("/", "GET"), ("/internal/references/validate", "POST")]
)
def test_unknown_path_is_not_found(owner: Api, path: str, method: str) -> None:
    problem(owner.request(method, path), 404, "not-found")


def test_known_path_with_another_method_says_which_are_allowed(owner: Api) -> None:
    answer = owner.request("PUT", "/v1/bots")
    problem(answer, 405, "method-not-allowed")
    assert {"GET", "POST"} <= {method.strip() for method in answer.headers["allow"].split(",")}


def test_import_with_broken_markets_takes_the_good_ones_and_names_the_bad(admin: Api) -> None:
    exchange = f"x{secrets.token_hex(4)}"
    markets: dict[str, Any] = {f"B{i}/USDT": {"symbol": f"B{i}/USDT", "base": None} for i in range(10_000)}
    for base in ("GOOD", "BETTER"):
        markets[f"{base}/USDT"] = {
            "symbol": f"{base}/USDT",
            "base": base,
            "quote": "USDT",
            "type": "spot",
            "active": True,
            "precision": {"amount": 5, "price": 2},
            "limits": {},
        }
    body = {"exchange": exchange, "precisionMode": "DECIMAL_PLACES", "markets": markets}
    answer = admin.made("/v1/market-pairs/import", body)
    assert (answer["received"], answer["created"]) == (10_002, 2)
    assert answer["rejected"]
    assert {"symbol", "code", "detail"} <= set(answer["rejected"][0])
    again = admin.made("/v1/market-pairs/import", body)
    assert (again["created"], again["unchanged"]) == (0, 2)


def test_import_is_for_admins(trader: Api) -> None:
    body = {"exchange": "mine", "precisionMode": "TICK_SIZE", "markets": {}}
    problem(trader.post("/v1/market-pairs/import", body), 403, "forbidden")


def test_overdrawn_stake_is_refused_and_moves_nothing(admin: Api, trader: Api) -> None:
    pool = open_pool(admin)
    credit(admin, trader.user_id, "10")
    answer = trader.post("/v1/staking/stakes", {"poolId": pool["poolId"], "amount": "10.00000001"})
    assert answer.status_code in (409, 422)
    assert answer.json()["code"] == "insufficient-balance"
    held = trader.fetched(f"/v1/balances/{trader.user_id}")
    assert (held["available"], held["staked"]) == ("10.00000000", "0.00000000")
    assert not list(trader.items("/v1/staking/stakes", userId=trader.user_id))
