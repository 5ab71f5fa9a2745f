"""Bots: create, read, list, change."""

import math
from typing import Any

import pytest
from bots_service import (
    UNKNOWN_ID,
    BotsService,
    Trader,
    account_reference,
    bot_request,
    done,
    pages,
    pointers,
    problem,
    references,
    user_reference,
)

from kit.ids import new_id

pytestmark = pytest.mark.anyio


async def change(owner: Trader, bot: dict[str, Any], **options: Any) -> Any:
    return await owner.client.patch(f"/v1/bots/{bot['botId']}", **options)


async def test_bot_is_created_with_what_its_account_hands_down(markets: BotsService, owner: Trader) -> None:
    answer = await markets.create(
        owner, name="scalper", notes="a\nb", tags=["grid"], maxDrawdownStop=0.2, initialCapital=money("1000.50")
    )
    bot = done(answer)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/bots/{bot['botId']}"
    assert (bot["userId"], bot["exchange"], bot["marketPair"]) == (owner.id, "binance", "BTC/USDT")
    assert (bot["status"], bot["runs"], bot["version"]) == ("created", [], 1)
    assert bot["initialCapital"] == {"amount": "1000.5", "currency": "USDT"}
    assert bot["strategy"] == {"name": "grid", "version": "1.0.0", "params": {"levels": 5}}
    shown = await owner.client.get(f"/v1/bots/{bot['botId']}")
    assert done(shown) == bot
    assert shown.headers["etag"] == '"1"'


def money(amount: Any, currency: str = "USDT") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


async def test_parameters_of_a_strategy_come_back_as_they_were_sent(markets: BotsService, owner: Trader) -> None:
    params = {"a.b": 1, "$where": [None, True, {"x": 2**63}], "ratio": 1e-7, "": "ünï"}
    bot = await markets.created(owner, strategy={"name": "s", "version": "2", "params": params})
    assert bot["strategy"]["params"] == params


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("name", None, "/name"),
        ("name", "", "/name"),
        ("name", "   ", "/name"),
        ("name", "x" * 101, "/name"),
        ("name", "a\nb", "/name"),
        ("name", "a\x07", "/name"),
        ("name", 5, "/name"),
        ("mode", "imaginary", "/mode"),
        ("exchangeAccountId", "1", "/exchangeAccountId"),
        ("exchangeAccountId", UNKNOWN_ID.upper(), "/exchangeAccountId"),
        ("userId", "me", "/userId"),
        ("marketPair", "", "/marketPair"),
        ("initialCapital", money(1000), "/initialCapital/amount"),
        ("initialCapital", money(0.5), "/initialCapital/amount"),
        ("initialCapital", money("0"), "/initialCapital/amount"),
        ("initialCapital", money("-5"), "/initialCapital/amount"),
        ("initialCapital", money("1e3"), "/initialCapital/amount"),
        ("initialCapital", money("NaN"), "/initialCapital/amount"),
        ("initialCapital", money("1." + "0" * 18 + "1"), "/initialCapital/amount"),
        ("initialCapital", money("1" * 19), "/initialCapital/amount"),
        ("initialCapital", money("1", "US DOLLAR"), "/initialCapital/currency"),
        ("initialCapital", {"amount": "1"}, "/initialCapital/currency"),
        ("maxDrawdownStop", 0, "/maxDrawdownStop"),
        ("maxDrawdownStop", 1.5, "/maxDrawdownStop"),
        ("maxDrawdownStop", "0.5", "/maxDrawdownStop"),
        ("strategy", {"name": "s"}, "/strategy/version"),
        ("strategy", {"name": "s", "version": "1", "params": []}, "/strategy/params"),
        ("strategy", {"name": "s", "version": "1", "params": {"x": "y" * 40_000}}, "/strategy/params"),
        ("tags", ["a", "a"], "/tags"),
        ("tags", ["x" * 41], "/tags/0"),
        ("tags", ["t"] * 21, "/tags"),
        ("notes", "n" * 4001, "/notes"),
        ("status", "running", "/status"),
        ("market_pair", "BTC/USDT", "/market_pair"),
    ],
)
async def test_bad_field_is_refused_at_its_place(refusing: BotsService, field: str, value: Any, pointer: str) -> None:
    answer = await refusing.create(refusing.trader(), **{field: value})
    assert pointer in pointers(problem(answer, 422, "invalid-request"))


async def test_every_missing_field_is_named(refusing: BotsService) -> None:
    owner = refusing.trader()
    answer = await owner.client.post("/v1/bots", json={}, references=references(owner))
    missing = pointers(problem(answer, 422, "invalid-request"))
    assert missing == {"/exchangeAccountId", "/marketPair", "/name", "/strategy", "/mode", "/initialCapital"}


@pytest.mark.parametrize("pair", ["NOPE/USDT", "BTC/USD"])
async def test_pair_that_the_accounts_exchange_does_not_have_is_refused(
    markets: BotsService, owner: Trader, pair: str
) -> None:
    answer = await markets.create(owner, marketPair=pair)
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/marketPair"}
    assert await pages(markets.admin, "/v1/bots") == []


async def test_pair_is_looked_for_on_the_accounts_exchange(markets: BotsService) -> None:
    on_kraken = markets.trader(exchange="kraken")
    assert (await markets.created(on_kraken, marketPair="BTC/USD"))["exchange"] == "kraken"


@pytest.mark.parametrize("left_out", ["users", "exchange_accounts"])
async def test_bot_without_validated_references_is_refused(markets: BotsService, owner: Trader, left_out: str) -> None:
    given = [one for one in references(owner) if one.parent != left_out]
    problem(await markets.create(owner, references=given), 428, "references-not-validated")


async def test_reference_validated_for_another_id_is_refused(markets: BotsService, owner: Trader) -> None:
    other = [user_reference(owner.id), account_reference(new_id())]
    problem(await markets.create(owner, references=other), 428, "references-not-validated")


async def test_write_that_did_not_pass_the_gateway_is_refused(markets: BotsService, owner: Trader) -> None:
    answer = await markets.gateway.bare("POST", "/v1/bots", json=bot_request(owner))
    assert answer.status_code in (401, 428)
    assert await pages(markets.admin, "/v1/bots") == []


async def test_ordinary_user_does_not_create_for_somebody_else(markets: BotsService, owner: Trader) -> None:
    stranger = markets.trader()
    answer = await markets.create(owner, client=stranger.client, userId=owner.id)
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId"}


async def test_admin_creates_for_a_user(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, client=markets.admin, userId=owner.id)
    assert bot["userId"] == owner.id


async def test_name_is_its_users_once_even_after_archiving(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, name="scalper")
    await markets.acted(owner.client, bot, "archive")
    assert pointers(problem(await markets.create(owner, name="scalper"), 409, "already-exists")) == {"/name"}
    await markets.created(markets.trader(), name="scalper")


async def test_repeated_create_with_a_key_makes_one_bot(markets: BotsService, owner: Trader) -> None:
    first = await markets.create(owner, name="once", idempotency_key="k1")
    again = await markets.create(owner, name="once", idempotency_key="k1")
    assert done(first) == done(again)
    assert again.headers["idempotency-replayed"] == "true"
    problem(await markets.create(owner, name="twice", idempotency_key="k1"), 422, "idempotency-mismatch")
    assert len(await pages(owner.client, "/v1/bots")) == 1


@pytest.mark.parametrize("path", ["", "/events", "/performance", "/performance/history", "/performance/trades"])
async def test_somebody_elses_bot_is_answered_like_an_unknown_one(
    markets: BotsService, owner: Trader, path: str
) -> None:
    bot = await markets.created(owner)
    stranger = markets.trader().client
    foreign = problem(await stranger.get(f"/v1/bots/{bot['botId']}{path}"), 404, "not-found")
    unknown = problem(await stranger.get(f"/v1/bots/{UNKNOWN_ID}{path}"), 404, "not-found")
    differs = {"instance", "requestId"}
    assert {k: v for k, v in foreign.items() if k not in differs} == {
        k: v for k, v in unknown.items() if k not in differs
    }


async def test_engines_and_admins_see_every_bot(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    for client in (markets.engine, markets.admin):
        assert done(await client.get(f"/v1/bots/{bot['botId']}")) == bot
        assert len(await pages(client, "/v1/bots")) == 1


async def test_lists_hold_the_callers_own_and_filter_and_page(markets: BotsService, owner: Trader) -> None:
    for number in range(5):
        markets.clock.advance(1)
        tags = ["even"] if number % 2 == 0 else []
        await markets.created(owner, name=f"n{number}", tags=tags, marketPair="ADA/USDT" if number == 4 else "BTC/USDT")
    stranger = markets.trader()
    await markets.created(stranger)
    own = await pages(owner.client, "/v1/bots", limit=2)
    assert [bot["name"] for bot in own] == ["n4", "n3", "n2", "n1", "n0"]
    by_name = await pages(owner.client, "/v1/bots", limit=2, sort="name")
    assert [bot["name"] for bot in by_name] == ["n0", "n1", "n2", "n3", "n4"]
    assert len(await pages(owner.client, "/v1/bots", tag="even")) == 3
    assert len(await pages(owner.client, "/v1/bots", marketPair="ADA/USDT")) == 1
    assert len(await pages(owner.client, "/v1/bots", exchangeAccountId=owner.account_id)) == 5
    assert await pages(owner.client, "/v1/bots", status="running") == []
    assert await pages(owner.client, "/v1/bots", userId=stranger.id) == []
    assert len(await pages(markets.admin, "/v1/bots", userId=stranger.id)) == 1
    assert len(await pages(markets.admin, "/v1/bots")) == 6


@pytest.mark.parametrize(
    "query",
    ["limit=100000", "status=sleeping", "cursor=made-up", "sort=strategy", "userId=1", "tag=", "marketPair=%0A"],
)
async def test_bad_query_is_refused_at_its_name(refusing: BotsService, query: str) -> None:
    document = problem(await refusing.trader().client.get(f"/v1/bots?{query}"), 422, "invalid-request")
    assert pointers(document) == {f"/{query.split('=', maxsplit=1)[0]}"}


async def test_what_an_owner_changes_is_changed_and_nothing_else(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, notes="old", maxDrawdownStop=0.5)
    markets.clock.advance(1)
    patch = {"name": "new", "tags": ["a", "b"], "notes": None, "maxDrawdownStop": None}
    changed = done(await change(owner, bot, json=patch))
    assert {**bot, **patch, "version": 2, "updatedAt": changed["updatedAt"]} == changed
    assert done(await change(owner, bot, json=patch))["version"] == 2
    assert done(await change(owner, bot, json={}))["version"] == 2


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"tags": None}, "/tags"),
        ({"strategy": None}, "/strategy"),
        ({"exchangeAccountId": None}, "/exchangeAccountId"),
        ({"marketPair": "ADA/USDT"}, "/marketPair"),
        ({"status": "running"}, "/status"),
        ({"userId": UNKNOWN_ID}, "/userId"),
        ({"maxDrawdownStop": math.pi}, "/maxDrawdownStop"),
    ],
)
async def test_bad_change_is_refused_at_its_field(
    markets: BotsService, owner: Trader, patch: dict[str, Any], pointer: str
) -> None:
    bot = await markets.created(owner)
    assert pointer in pointers(problem(await change(owner, bot, json=patch), 422, "invalid-request"))


async def test_change_to_a_taken_name_is_refused(markets: BotsService, owner: Trader) -> None:
    await markets.created(owner, name="taken")
    bot = await markets.created(owner)
    answer = await change(owner, bot, json={"name": "taken"})
    assert pointers(problem(answer, 409, "already-exists")) == {"/name"}


async def test_stale_if_match_changes_nothing(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    assert done(await change(owner, bot, json={"notes": "first"}, if_match='"1"'))["notes"] == "first"
    problem(await change(owner, bot, json={"notes": "second"}, if_match='"1"'), 412, "version-mismatch")
    assert done(await owner.client.get(f"/v1/bots/{bot['botId']}"))["notes"] == "first"


async def test_running_bot_keeps_what_it_trades_with_and_how(markets: BotsService, owner: Trader) -> None:
    bot = await markets.acted(owner.client, await markets.created(owner), "start")
    account = new_id()
    patch = {"strategy": {"name": "s", "version": "2"}, "exchangeAccountId": account, "notes": "x"}
    refused = await change(owner, bot, json=patch, references=[account_reference(account)])
    assert pointers(problem(refused, 409, "bot-not-editable")) == {"/strategy", "/exchangeAccountId"}
    assert done(await change(owner, bot, json={"notes": "x", "maxDrawdownStop": 0.1}))["notes"] == "x"


async def test_account_is_changed_with_its_exchange_while_the_bot_is_at_rest(
    markets: BotsService, owner: Trader
) -> None:
    bot = await markets.created(owner)
    account = new_id()
    answer = await change(
        owner, bot, json={"exchangeAccountId": account, "notes": "n"}, references=[account_reference(account, "kraken")]
    )
    changed = done(answer)
    assert (changed["exchangeAccountId"], changed["exchange"], changed["notes"]) == (account, "kraken", "n")
    assert changed["version"] == 2


async def test_account_of_an_exchange_without_the_pair_is_refused(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, marketPair="ADA/USDT")
    account = new_id()
    reference = account_reference(account, "kraken")
    answer = await change(owner, bot, json={"exchangeAccountId": account}, references=[reference])
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/marketPair"}
    assert done(await owner.client.get(f"/v1/bots/{bot['botId']}")) == bot


async def test_account_that_was_not_validated_is_refused(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    problem(await change(owner, bot, json={"exchangeAccountId": new_id()}), 428, "references-not-validated")


async def test_stranger_changes_nothing_and_an_engine_only_trades(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    stranger = markets.trader()
    problem(await change(stranger, bot, json={"notes": "x"}), 404, "not-found")
    answer = await markets.engine.patch(f"/v1/bots/{bot['botId']}", json={"notes": "x"})
    problem(answer, 403, "forbidden")
