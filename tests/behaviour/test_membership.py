"""An operator removes a relationship and brings it back, over the whole platform."""

from collections.abc import Iterator
from typing import Any

import pytest
from api import Api, done, problem
from scenes import bot, bot_request, credit, exchange_account, open_pool

CROSS = "trading_bots.exchangeAccountId"
WITHIN = "user_stakes.poolId"


@pytest.fixture
def back(admin: Api) -> Iterator[None]:
    """Whatever a test removed is there again after it."""
    yield
    for name in (CROSS, WITHIN):
        assert admin.post(f"/v1/references/{name}/restore").status_code == 200


def shown(admin: Api, name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = admin.fetched("/v1/references")["references"]
    return next(one for one in rows if one["relationship"] == name)


def test_every_reference_of_the_platform_is_registered_with_its_owners(admin: Api) -> None:
    said = admin.fetched("/v1/references")
    assert {one["state"] for one in said["references"]} == {"registered"}
    assert said["undeclared"] == []


@pytest.mark.usefixtures("back")
def test_nothing_of_a_removed_one_is_written_until_it_is_back(admin: Api, trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    before = bot(trader, account)
    for _ in range(2):
        done(admin.delete(f"/v1/references/{CROSS}"))
    assert shown(admin, CROSS)["state"] == "removed"
    refused = trader.post("/v1/bots", bot_request(account))
    assert (refused.status_code, refused.json()["code"]) in ((409, "reference-closed"), (503, "reference-unverifiable"))
    assert trader.patch(f"/v1/bots/{before['botId']}", {"name": "renamed"}).status_code == 200

    done(admin.post(f"/v1/references/{CROSS}/restore"))
    assert shown(admin, CROSS)["state"] == "registered"
    assert not shown(admin, CROSS)["registrations"][0]["isValidated"]
    assert bot(trader, account, name="third")["name"] == "third"
    problem(trader.delete(f"/v1/exchange-accounts/{account}"), 409, "delete-restricted")


@pytest.mark.usefixtures("back")
def test_delete_leaves_the_children_of_a_removed_one_alone(admin: Api, trader: Api) -> None:
    """Otherwise the bot would keep its account."""
    account = exchange_account(trader)["accountId"]
    kept = bot(trader, account)
    problem(trader.delete(f"/v1/exchange-accounts/{account}"), 409, "delete-restricted")
    done(admin.delete(f"/v1/references/{CROSS}"))
    assert trader.delete(f"/v1/exchange-accounts/{account}").status_code == 204
    assert trader.fetched(f"/v1/bots/{kept['botId']}")["exchangeAccountId"] == account
    assert trader.delete(f"/v1/bots/{kept['botId']}").status_code == 204, "it leaves no orphan behind"


@pytest.mark.usefixtures("back")
def test_one_within_a_service_is_removed_alike(admin: Api, trader: Api) -> None:
    pool = open_pool(admin)
    credit(admin, trader.user_id, "100")
    stake = {"poolId": pool["poolId"], "amount": "10"}
    done(admin.delete(f"/v1/references/{WITHIN}"))
    assert shown(admin, WITHIN)["state"] == "removed"
    problem(trader.post("/v1/staking/stakes", stake), 409, "reference-closed")
    done(admin.post(f"/v1/references/{WITHIN}/restore"))
    assert trader.made("/v1/staking/stakes", stake)["poolId"] == pool["poolId"]


def test_only_admins_may(trader: Api, anonymous: Api) -> None:
    problem(trader.delete(f"/v1/references/{CROSS}"), 403, "forbidden")
    problem(anonymous.post(f"/v1/references/{CROSS}/restore"), 401, "unauthenticated")
