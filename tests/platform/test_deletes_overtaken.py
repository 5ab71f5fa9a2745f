"""Two gateways and replicas, one of them gone or late: a delete is overtaken by a greater one, and wrong clocks decide
nothing."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, problem, sign_in, sign_up
from followed import deleted
from parts import Parts
from processes import until
from rest import DELETIONS, entities_here, found_at_rest
from scenes import bot_request, exchange_account, import_markets

from bench.races import platform_arena, race
from deploy.local.plan import GATEWAY
from kit.store import StoreClient

LATE_S = 3600
CREATES = 200
DECIDED = ("201", "409 reference-closed", "422 reference-not-found")
REST_S = 60.0
# Long enough for the greater delete to come before a sweeper takes over the smaller one.
SETTINGS = {"DELETE_SWEEP_INTERVAL_S": "0.5", "DELETE_IDLE_S": "8", "REQUEST_TIMEOUT_S": "8"}


@pytest.fixture(scope="module")
def parts(store_url: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    replicas = {GATEWAY: 2, "bots": 2}
    planned = Parts(tmp_path_factory.mktemp("parts"), store_url=store_url, replicas=replicas, settings=SETTINGS)
    with planned.up() as platform:
        yield platform


@pytest.fixture(scope="module")
def admin(parts: Parts) -> Api:
    """At the gateway that stays."""
    admin = sign_in(parts.gateway_urls[1], *parts.admin)
    import_markets(admin, "binance")
    return admin


async def deletion_of(parts: Parts, document_id: str) -> dict[str, Any]:
    client = await StoreClient.connect(parts.store_url)
    try:
        rows = client.database(f"{parts.prefix}_users").rows(DELETIONS)
        found = await rows.find_one({"documentId": document_id})
    finally:
        await client.close()
    assert found is not None
    return found


def test_account_whose_delete_was_begun_goes_with_its_user(parts: Parts, admin: Api) -> None:
    trader = sign_up(parts.gateway_urls[1])
    account = exchange_account(trader)["accountId"]
    parts.stop("gateway.1")
    parts.start("gateway.1", FAULT_POINT="coordinator:begin")
    with pytest.raises(httpx.TransportError):
        httpx.delete(
            f"{parts.gateway_urls[0]}/v1/exchange-accounts/{account}",
            headers={"Authorization": f"Bearer {trader.token}"},
        )
    begun = asyncio.run(deletion_of(parts, account))
    assert begun["state"] == "deleting"
    deleted(trader, f"/v1/users/{trader.user_id}")
    problem(admin.get(f"/v1/exchange-accounts/{account}"), 404, "not-found")
    shown = admin.fetched(f"/v1/deletions/{begun['_id']}")
    assert shown["state"] in {"overtaken", "done"}
    parts.kill("gateway.1")
    parts.start("gateway.1")


def test_replicas_whose_clocks_stand_an_hour_back_take_no_part_and_break_nothing(parts: Parts, admin: Api) -> None:
    late, good = ("bots.2", "gateway.2"), dict(parts.plans)
    program = str(Path(__file__).parents[1] / "support" / "late_process.py")
    for name in late:
        parts.plans[name] = replace(good[name], argv=(sys.executable, program, *good[name].argv[2:]))
    parts.stop(*late)
    parts.start(*late, LATE_S=str(LATE_S))
    trader = sign_up(parts.gateway_url)
    token = sign_in(parts.gateway_url, *parts.admin).token or ""
    arena = platform_arena(parts.gateway_urls, token, parts.store_url, parts.prefix)
    raced = asyncio.run(race(arena, CREATES, patience_s=0))
    sys.stdout.write(f"{raced}\n")
    assert raced.creates["201"]
    # About the late gateway's half; what of the other half came to the late replica of bots was sent to the other one.
    refused = raced.creates.total() - sum(raced.creates[told] for told in DECIDED)
    assert refused > CREATES // 3
    account = exchange_account(trader)["accountId"]
    until(lambda: trader.post("/v1/bots", bot_request(account)).is_success, "no replica with a good clock takes it")

    parts.plans.update(good)
    parts.stop(*late)
    parts.start(*late)
    found = asyncio.run(found_at_rest(parts.store_url, parts.prefix, entities_here(), REST_S))
    assert found.joined.dangling == []
    assert found.unfinished == []
    kept = {bot_id for bot_id, (user_id, _) in raced.created.items() if user_id in found.users}
    assert kept <= found.bots
