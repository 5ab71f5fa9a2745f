"""Pools over HTTP: terms, life cycle, roles, versions."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from stakers import POOL, Stakers, done, pointers, refused, stakers

from kit.ids import new_id

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Stakers]:
    async with stakers(tmp_path) as service:
        yield service


async def test_draft_says_its_terms_in_full(service: Stakers) -> None:
    body = {"name": "gold", "model": "fixed-apr", "aprBps": 1200, "lockDays": 0, "minStake": "1"}
    answer = await service.treasury.post("/v1/staking/pools", json={**body, "earlyExitPenaltyBps": 500})
    assert answer.status_code == 201
    pool = done(answer)
    assert answer.headers["location"] == f"/v1/staking/pools/{pool['poolId']}"
    assert answer.headers["etag"] == '"1"'
    for name in ("poolId", "createdAt", "updatedAt"):
        assert pool.pop(name)
    assert pool == {
        "name": "gold",
        "model": "fixed-apr",
        "aprBps": 1200,
        "ratePerSecond": None,
        "emissionSeconds": None,
        "lockDays": 0,
        "minStake": "1.00000000",
        "maxStakePerUser": None,
        "capacity": None,
        "earlyExitPenaltyBps": 500,
        "state": "draft",
        "staked": "0.00000000",
        "budget": {"funded": "0.00000000", "left": "0.00000000", "unearned": "0.00000000"},
        "currentRatePerSecond": None,
        "coveredUntil": None,
        "openedAt": None,
        "closedAt": None,
        "version": 1,
    }


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"aprBps": -1}, "/aprBps"),
        ({"aprBps": 1.5}, "/aprBps"),
        ({"aprBps": "1200"}, "/aprBps"),
        ({"minStake": 1}, "/minStake"),
        ({"minStake": "0"}, "/minStake"),
        ({"minStake": "0.000000001"}, "/minStake"),
        ({"capacity": "-1"}, "/capacity"),
        ({"lockDays": 4000}, "/lockDays"),
        ({"earlyExitPenaltyBps": 10_001}, "/earlyExitPenaltyBps"),
        ({"model": "lottery"}, "/model"),
        ({"name": ""}, "/name"),
        ({"cooldownDays": 3}, "/cooldownDays"),
        ({"apr_bps": 3}, "/apr_bps"),
    ],
)
async def test_bad_terms_are_named(service: Stakers, change: dict[str, Any], pointer: str) -> None:
    answer = await service.treasury.post("/v1/staking/pools", json={**POOL, **change})
    assert pointer in pointers(refused(answer, 422, "invalid-request"))


@pytest.mark.parametrize(
    "terms",
    [
        {"model": "fixed-apr"},
        {"model": "fixed-apr", "aprBps": 1, "ratePerSecond": "1"},
        {"model": "emission"},
        {"model": "emission", "aprBps": 1},
        {"model": "emission", "ratePerSecond": "1", "emissionSeconds": 5},
    ],
)
async def test_terms_fit_the_model(service: Stakers, terms: dict[str, Any]) -> None:
    refused(await service.treasury.post("/v1/staking/pools", json={"name": "x", **terms}), 422, "invalid-request")


async def test_pools_are_the_treasurys_to_run_and_everybodys_to_read(service: Stakers) -> None:
    pool = await service.pool(is_open=False)
    path = f"/v1/staking/pools/{pool['poolId']}"
    refused(await service.user.post("/v1/staking/pools", json=POOL), 403, "forbidden")
    refused(await service.user.patch(path, json={"name": "mine"}), 403, "forbidden")
    refused(await service.user.post(f"{path}/fund", json={"amount": "1"}), 403, "forbidden")
    for action in ("open", "pause", "close"):
        refused(await service.user.post(f"{path}/{action}"), 403, "forbidden")
    assert done(await service.user.get(path))["state"] == "draft"
    assert [one["poolId"] for one in done(await service.user.get("/v1/staking/pools"))["items"]] == [pool["poolId"]]
    refused(await service.gateway.anonymous().get(path), 401, "unauthenticated")
    refused(await service.user.get(f"/v1/staking/pools/{new_id()}"), 404, "not-found")


async def test_pools_are_listed_by_state_in_pages(service: Stakers) -> None:
    ids = [(await service.pool(is_open=number > 0, budget=None))["poolId"] for number in range(3)]
    page = done(await service.user.get("/v1/staking/pools?limit=2&sort=createdAt"))
    rest = done(await service.user.get(f"/v1/staking/pools?limit=2&sort=createdAt&cursor={page['nextCursor']}"))
    assert [one["poolId"] for one in (*page["items"], *rest["items"])] == ids
    assert rest["nextCursor"] is None
    drafts = done(await service.user.get("/v1/staking/pools?state=draft"))
    assert [one["poolId"] for one in drafts["items"]] == ids[:1]
    refused(await service.user.get("/v1/staking/pools?state=ajar"), 422, "invalid-request")


async def test_illegal_action_says_what_is_allowed(service: Stakers) -> None:
    pool = await service.pool(is_open=False)
    path = f"/v1/staking/pools/{pool['poolId']}"
    problem = refused(await service.treasury.post(f"{path}/pause"), 409, "illegal-transition")
    assert (problem["from"], problem["action"]) == ("draft", "pause")
    assert problem["allowed"] == ["fund", "open", "close"]
    done(await service.treasury.post(f"{path}/close"))
    refused(await service.treasury.post(f"{path}/fund", json={"amount": "1"}), 409, "illegal-transition")
    refused(await service.treasury.patch(path, json={"name": "x"}), 409, "illegal-transition")


async def test_draft_is_revised_and_an_opened_pool_keeps_its_terms(service: Stakers) -> None:
    pool = await service.pool(is_open=False)
    path = f"/v1/staking/pools/{pool['poolId']}"
    revised = done(await service.treasury.patch(path, json={"aprBps": 900, "lockDays": 7, "maxStakePerUser": "50"}))
    assert (revised["aprBps"], revised["lockDays"], revised["maxStakePerUser"]) == (900, 7, "50.00000000")
    done(await service.treasury.post(f"{path}/open"))
    frozen = {"aprBps": 901, "lockDays": 8, "earlyExitPenaltyBps": 1, "maxStakePerUser": None}
    problem = refused(await service.treasury.patch(path, json=frozen), 409, "terms-frozen")
    assert pointers(problem) == {"/aprBps", "/lockDays", "/earlyExitPenaltyBps", "/maxStakePerUser"}
    changed = {"name": "silver", "minStake": "2", "maxStakePerUser": "60", "capacity": "500", "aprBps": 900}
    adjusted = done(await service.treasury.patch(path, json=changed))
    assert (adjusted["name"], adjusted["minStake"], adjusted["capacity"]) == ("silver", "2.00000000", "500.00000000")
    problem = refused(await service.treasury.patch(path, json={"ratePerSecond": "1"}), 422, "invalid-request")
    assert pointers(problem) == {"/ratePerSecond"}


async def test_capacity_is_never_less_than_what_is_staked(service: Stakers) -> None:
    pool = await service.pool(capacity="100")
    path = f"/v1/staking/pools/{pool['poolId']}"
    await service.stake(pool["poolId"], "60")
    refused(await service.treasury.patch(path, json={"capacity": "59.99999999"}), 409, "pool-capacity-exceeded")
    done(await service.treasury.patch(path, json={"capacity": "60"}))
    refused(await service.send_stake(pool["poolId"], "1"), 409, "pool-capacity-exceeded")
    done(await service.treasury.patch(path, json={"capacity": None}))
    await service.stake(pool["poolId"], "1")


async def test_limit_per_user_follows_the_pools(service: Stakers) -> None:
    pool = await service.pool(maxStakePerUser="30")
    path = f"/v1/staking/pools/{pool['poolId']}"
    await service.stake(pool["poolId"], "30")
    refused(await service.send_stake(pool["poolId"], "1"), 409, "stake-limit-exceeded")
    done(await service.treasury.patch(path, json={"maxStakePerUser": "40"}))
    await service.stake(pool["poolId"], "10")
    done(await service.treasury.patch(path, json={"maxStakePerUser": "20"}))
    refused(await service.send_stake(pool["poolId"], "1"), 409, "stake-limit-exceeded")


async def test_stale_version_is_refused(service: Stakers) -> None:
    pool = await service.pool(is_open=False)
    path = f"/v1/staking/pools/{pool['poolId']}"
    refused(await service.treasury.patch(path, json={"name": "x"}, if_match='"1"'), 412, "version-mismatch")
    refused(await service.treasury.post(f"{path}/open", if_match='"1"'), 412, "version-mismatch")
    current = done(await service.treasury.get(path))["version"]
    done(await service.treasury.post(f"{path}/open", if_match=f'"{current}"'))


async def test_budget_says_what_is_left_and_how_long_it_lasts(service: Stakers) -> None:
    pool = await service.pool(aprBps=10_000, budget="10")
    path = f"/v1/staking/pools/{pool['poolId']}"
    await service.stake(pool["poolId"], "100")
    told = done(await service.user.get(path))
    assert told["coveredUntil"] == "2026-12-30T00:00:00.000Z"
    service.clock.advance(36.5 * 86_400 / 2)
    told = done(await service.user.get(path))
    assert told["budget"] == {"funded": "10.00000000", "left": "10.00000000", "unearned": "5.00000000"}
    assert told["coveredUntil"] == "2026-12-30T00:00:00.000Z"


async def test_emission_is_derived_from_what_was_funded(service: Stakers) -> None:
    pool = await service.pool(model="emission", aprBps=None, emissionSeconds=1_000, budget="10")
    assert pool["currentRatePerSecond"] == "0.01000000"
    assert pool["coveredUntil"] == "2026-11-23T12:16:40.000Z"


async def test_funding_again_with_the_same_key_is_done_once(service: Stakers) -> None:
    pool = await service.pool(budget=None)
    path = f"/v1/staking/pools/{pool['poolId']}/fund"
    first = await service.treasury.post(path, json={"amount": "5"}, idempotency_key="once")
    again = await service.treasury.post(path, json={"amount": "5"}, idempotency_key="once")
    assert done(first) == done(again)
    assert again.headers["idempotency-replayed"] == "true"
    assert done(await service.user.get(path.removesuffix("/fund")))["budget"]["funded"] == "5.00000000"


async def test_pool_that_could_take_no_stake_is_refused(service: Stakers) -> None:
    tight = {**POOL, "minStake": "5", "capacity": "4.99999999"}
    problem = refused(await service.treasury.post("/v1/staking/pools", json=tight), 422, "invalid-request")
    assert pointers(problem) == {"/minStake"}
    pool = await service.pool(is_open=False, minStake="5", capacity="5")
    path = f"/v1/staking/pools/{pool['poolId']}"
    for change, pointer in ({"minStake": "6"}, "/minStake"), ({"capacity": "4"}, "/capacity"):
        problem = refused(await service.treasury.patch(path, json=change), 422, "invalid-request")
        assert pointers(problem) == {pointer}
    done(await service.treasury.patch(path, json={"minStake": "6", "capacity": "6"}))
