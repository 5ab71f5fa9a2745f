"""What the gateway is told when it asks which parents an operation means."""

from typing import Any

import pytest
from bots_service import UNKNOWN_ID, BotsService, Trader, done, problem
from gateway_stand_in import Client

from kit.ids import new_id

pytestmark = pytest.mark.anyio


async def plan(client: Client, operation: str, bot_id: str, body: Any = None) -> Any:
    asked = {"operationId": operation, "pathParameters": {"botId": bot_id}, "body": body}
    return await client.post("/internal/references/parents", json=asked)


def short(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("parent", "id", "match", "copy", "require", "pointer")}


async def test_start_needs_an_active_user(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    asked = done(await plan(owner.client, "startBot", bot["botId"], {"reason": "x"}))
    assert asked["version"] == 1
    (user,) = asked["items"]
    assert user["relationship"] == "trading_bots.userId"
    assert short(user) == {
        "parent": "users",
        "id": owner.id,
        "match": {},
        "copy": [],
        "require": {"status": "active"},
        "pointer": "",
    }


async def test_start_of_a_live_bot_needs_a_valid_account_too(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, mode="live")
    _, account = done(await plan(owner.client, "startBot", bot["botId"]))["items"]
    assert account["relationship"] == "trading_bots.exchangeAccountId"
    assert short(account) == {
        "parent": "exchange_accounts",
        "id": owner.account_id,
        "match": {"userId": owner.id},
        "copy": ["exchangeName"],
        "require": {"isValid": True},
        "pointer": "",
    }


async def test_new_account_must_be_the_bots_users_whoever_changes_it(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    account_id = new_id()
    for client in (owner.client, markets.admin):
        answer = await plan(client, "changeBot", bot["botId"], {"exchangeAccountId": account_id, "notes": "n"})
        (account,) = done(answer)["items"]
        assert short(account) == {
            "parent": "exchange_accounts",
            "id": account_id,
            "match": {"userId": owner.id},
            "copy": ["exchangeName"],
            "require": {},
            "pointer": "/exchangeAccountId",
        }


@pytest.mark.parametrize(
    "body", [None, {}, [], "x", {"notes": "n"}, {"exchangeAccountId": 5}, {"exchangeAccountId": "not-an-id"}]
)
async def test_change_without_an_account_means_no_parents(markets: BotsService, owner: Trader, body: Any) -> None:
    bot = await markets.created(owner)
    assert done(await plan(owner.client, "changeBot", bot["botId"], body)) == {"version": 1, "items": []}


@pytest.mark.parametrize("operation", ["startBot", "changeBot"])
async def test_strangers_are_told_nothing(markets: BotsService, owner: Trader, operation: str) -> None:
    bot = await markets.created(owner)
    stranger = markets.trader().client
    for client, bot_id in ((stranger, bot["botId"]), (owner.client, UNKNOWN_ID), (owner.client, "not-an-id")):
        problem(await plan(client, operation, bot_id), 404, "not-found")
    problem(await plan(markets.engine, operation, bot["botId"]), 403, "forbidden")


async def test_operation_without_conditions_is_not_planned(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    problem(await plan(owner.client, "stopBot", bot["botId"]), 428, "references-not-validated")
