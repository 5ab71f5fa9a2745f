"""Market pairs: import and lists."""

import json
import math
from typing import Any

import pytest
from bots_service import BotsService, done, pages, pointers, problem

from bots.workers.expired_pairs import expired_pairs

pytestmark = pytest.mark.anyio

IMPORT = "/v1/market-pairs/import"


def market(base: str, **more: Any) -> dict[str, Any]:
    made = {"symbol": f"{base}/USDT", "base": base, "quote": "USDT", "type": "spot", "active": True}
    return {**made, "precision": {"amount": 5, "price": 2}, "limits": {}, **more}


def body(*markets: dict[str, Any], exchange: str = "binance") -> dict[str, Any]:
    return {
        "exchange": exchange,
        "precisionMode": "DECIMAL_PLACES",
        "markets": {one["symbol"]: one for one in markets},
    }


@pytest.mark.parametrize(("exchange", "count"), [("binance", 14), ("kraken", 3)])
async def test_real_markets_are_created_once(service: BotsService, exchange: str, count: int) -> None:
    first = await service.import_markets(exchange)
    assert (first["exchange"], first["received"], first["created"], first["rejected"]) == (exchange, count, count, [])
    again = await service.import_markets(exchange)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, count)


async def test_pair_has_exact_tick_sizes_and_limits(markets: BotsService) -> None:
    answer = await markets.admin.get("/v1/market-pairs/kraken:BTC-USDT")
    pair = done(answer)
    assert pair["precision"] == {"amount": "0.00000001", "price": "0.1"}
    assert pair["limits"]["amount"] == {"min": "0.0001", "max": None}
    assert (pair["maker"], pair["taker"], pair["state"]) == ("0.0016", "0.0026", "active")
    assert answer.headers["etag"] == '"1"'


async def test_pair_that_is_not_active_is_halted(markets: BotsService) -> None:
    halted = await pages(markets.admin, "/v1/market-pairs", state="halted")
    assert [pair["symbol"] for pair in halted] == ["NXT/BTC"]


async def test_import_updates_what_differs_and_nothing_else(service: BotsService) -> None:
    done(await service.admin.post(IMPORT, json=body(market("ADA", maker=0.001), market("BTC"))))
    service.clock.advance(5)
    changed = body(market("ADA", active=False), market("BTC"), market("ETH"))
    outcome = done(await service.admin.post(IMPORT, json=changed))
    assert (outcome["created"], outcome["updated"], outcome["unchanged"]) == (1, 1, 1)
    ada = done(await service.admin.get("/v1/market-pairs/binance:ADA-USDT"))
    assert (ada["state"], ada["maker"], ada["version"]) == ("halted", None, 2)
    assert ada["createdAt"] < ada["updatedAt"]


async def test_ten_thousand_broken_markets_are_counted_and_the_good_ones_taken(service: BotsService) -> None:
    broken = [{"symbol": f"B{number}/USDT", "base": None} for number in range(10_000)]
    outcome = done(await service.admin.post(IMPORT, json=body(*broken, market("GOOD"))))
    assert (outcome["received"], outcome["created"], outcome["rejectedCount"]) == (10_001, 1, 10_000)
    assert len(outcome["rejected"]) == 1000
    assert outcome["rejected"][0]["symbol"] == "B0/USDT"
    assert outcome["rejected"][0]["code"] == "base-missing"


async def test_markets_may_be_a_list_and_the_mode_a_number(service: BotsService) -> None:
    request = {"exchange": "binance", "precisionMode": 4, "markets": [market("ADA", precision={"amount": 0.1})]}
    assert done(await service.admin.post(IMPORT, json=request))["created"] == 1
    ada = done(await service.admin.get("/v1/market-pairs/binance:ADA-USDT"))
    assert ada["precision"] == {"amount": "0.1", "price": None}


async def test_import_may_be_larger_than_other_bodies(service: BotsService) -> None:
    padded = body(*(market(f"C{number}", info={"raw": "x" * 12_000}) for number in range(200)))
    assert len(json.dumps(padded)) > 2 * 1024 * 1024
    assert done(await service.admin.post(IMPORT, json=padded))["created"] == 200
    huge = body(market("ADA", info="x" * 17 * 1024 * 1024))
    problem(await service.admin.post(IMPORT, json=huge), 413, "payload-too-large")


@pytest.mark.parametrize("roles", [["user"], ["engine"], ["treasury"]])
async def test_import_is_for_admins(refusing: BotsService, roles: list[str]) -> None:
    client = refusing.gateway.as_(refusing.trader().id, roles)
    problem(await client.post(IMPORT, json=body(market("ADA"))), 403, "forbidden")
    assert await pages(refusing.admin, "/v1/market-pairs") == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"exchange": "Binance"}, "/exchange"),
        ({"exchange": ""}, "/exchange"),
        ({"precisionMode": "ROUGHLY"}, "/precisionMode"),
        ({"precisionMode": 9}, "/precisionMode"),
        ({"markets": "all"}, "/markets"),
        ({"markets": None}, "/markets"),
        ({"delist": True}, "/delist"),
        ({"precision_mode": "TICK_SIZE"}, "/precision_mode"),
    ],
)
async def test_bad_import_is_refused_at_its_field(refusing: BotsService, change: dict[str, Any], pointer: str) -> None:
    answer = await refusing.admin.post(IMPORT, json={**body(market("ADA")), **change})
    assert pointer in pointers(problem(answer, 422, "invalid-request"))


@pytest.mark.parametrize("value", ["1e400", "NaN", '"\\ud800"', '1, "a": 1'])
async def test_json_that_is_none_is_refused(refusing: BotsService, value: str) -> None:
    raw = json.dumps(body(market("ADA"))).replace('"active": true', f'"active": true, "a": {value}')
    answer = await refusing.admin.post(IMPORT, content=raw, headers={"Content-Type": "application/json"})
    problem(answer, 422, "invalid-request")


async def test_list_filters_and_pages_in_order_of_symbols(markets: BotsService) -> None:
    every = await pages(markets.admin, "/v1/market-pairs", limit=4)
    assert len(every) == 17
    assert [pair["symbol"] for pair in every] == sorted(pair["symbol"] for pair in every)
    assert len({pair["pairId"] for pair in every}) == 17
    assert len(await pages(markets.admin, "/v1/market-pairs", symbol="BTC/USDT")) == 2
    kraken = await pages(markets.trader().client, "/v1/market-pairs", exchange="kraken", symbol="BTC/USDT")
    assert [pair["pairId"] for pair in kraken] == ["kraken:BTC-USDT"]


@pytest.mark.parametrize("identifier", ["binance:NOPE-USDT", "binance", "x" * 100, "binance:BTC/USDT", "..", "%00"])
async def test_unknown_pair_is_not_found(refusing: BotsService, identifier: str) -> None:
    answer = await refusing.admin.get(f"/v1/market-pairs/{identifier}")
    assert answer.status_code == 404


async def test_pairs_are_for_those_who_signed_in(refusing: BotsService) -> None:
    for path in ("/v1/market-pairs", "/v1/market-pairs/binance:BTC-USDT"):
        problem(await refusing.gateway.anonymous().get(path), 401, "unauthenticated")


@pytest.mark.parametrize("query", ["state=open", "exchange=A", "limit=201", "sort=base", "cursor=x", "symbol=%00"])
async def test_bad_filter_is_refused(refusing: BotsService, query: str) -> None:
    document = problem(await refusing.admin.get(f"/v1/market-pairs?{query}"), 422, "invalid-request")
    assert pointers(document) == {f"/{query.split('=', maxsplit=1)[0]}"}


async def test_contract_that_has_ended_is_delisted_by_the_worker(service: BotsService) -> None:
    ends = service.clock.now().timestamp() * 1000 + 60_000
    future = market("BTC", symbol="BTC/USDT:USDT-261231", type="future", settle="USDT", expiry=math.floor(ends))
    done(await service.admin.post(IMPORT, json=body(future)))
    path = "/v1/market-pairs/binance:BTC-USDT:USDT-261231"
    assert done(await service.admin.get(path))["state"] == "active"
    service.clock.advance(61)
    await expired_pairs(service.runtime, interval_s=60).run_once()
    assert done(await service.admin.get(path))["state"] == "delisted"
    assert len(await pages(service.admin, "/v1/market-pairs", state="delisted")) == 1
