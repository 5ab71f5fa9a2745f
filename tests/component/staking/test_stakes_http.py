"""Stakes, distributions, rewards and campaigns over HTTP: what travels, who sees it, and bad input."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from stakers import Stakers, done, of_user, pointers, refused, stakers

from kit.context import ValidatedReference
from kit.ids import new_id

pytestmark = pytest.mark.anyio

HOUR_S = 3_600


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Stakers]:
    async with stakers(tmp_path) as service:
        yield service


async def test_stake_says_its_terms_and_what_it_accrued(service: Stakers) -> None:
    pool = await service.pool(lockDays=30, earlyExitPenaltyBps=500)
    stake = await service.stake(pool["poolId"], "50")
    service.clock.advance(HOUR_S)
    told = done(await service.user.get(f"/v1/staking/stakes/{stake['stakeId']}"))
    assert told == {
        **stake,
        "accrued": "0.00068493",
        "userId": service.user_id,
        "poolId": pool["poolId"],
        "principal": "50.00000000",
        "state": "active",
        "terms": {
            "model": "fixed-apr",
            "aprBps": 1200,
            "ratePerSecond": None,
            "emissionSeconds": None,
            "lockDays": 30,
            "earlyExitPenaltyBps": 500,
        },
        "unlocksAt": "2026-12-23T12:00:00.000Z",
        "claimable": "0.00000000",
        "settled": "0.00000000",
        "settledThrough": None,
        "payout": None,
        "penalty": None,
        "withdrawnAt": None,
    }


async def test_stake_goes_its_whole_way(service: Stakers) -> None:
    pool = await service.pool(earlyExitPenaltyBps=500)
    stake = await service.stake(pool["poolId"], "50")
    path = f"/v1/staking/stakes/{stake['stakeId']}"
    service.clock.advance(HOUR_S)
    ran = await service.distribute()
    assert (ran["state"], ran["stakesPaid"], ran["amountPaid"]) == ("done", 1, "0.00068493")
    claimed = done(await service.user.post(f"{path}/claim"))
    assert (claimed["claimed"], claimed["claimable"], claimed["settled"]) == ("0.00068493", "0.00000000", "0.00068493")
    (reward,) = done(await service.user.get(f"/v1/rewards?sourceId={stake['stakeId']}"))["items"]
    assert reward == {
        "logId": f"{stake['stakeId']}:2026-11-23",
        "userId": service.user_id,
        "sourceType": "stake",
        "sourceId": stake["stakeId"],
        "amount": "0.00068493",
        "period": "2026-11-23",
        "kind": "distribution",
        "at": "2026-11-23T13:00:00.000Z",
    }
    left = done(await service.user.post(f"{path}/unstake"))
    assert (left["state"], left["payout"], left["penalty"]) == ("withdrawn", "50.00000000", "0.00000000")
    assert await service.available() == "100.00068493"
    problem = refused(await service.user.post(f"{path}/unstake"), 409, "illegal-transition")
    assert (problem["from"], problem["action"], problem["allowed"]) == ("withdrawn", "unstake", ["claim"])
    refused(await service.user.post(f"{path}/claim"), 409, "nothing-to-claim")


async def test_preview_tells_and_moves_nothing(service: Stakers) -> None:
    pool = await service.pool(lockDays=10, earlyExitPenaltyBps=500, aprBps=3650)
    body = {"poolId": pool["poolId"], "amount": "50"}
    references = of_user(service.user_id, "user_stakes.userId")
    preview = done(await service.user.post("/v1/staking/stakes/preview", json=body, references=references))
    assert preview == {
        "poolId": pool["poolId"],
        "amount": "50.00000000",
        "unlocksAt": "2026-12-03T12:00:00.000Z",
        "rewardPerDay": "0.05000000",
        "earlyExitPenalty": "2.50000000",
        "earlyExitPayout": "47.50000000",
        "coveredUntil": "2081-08-26T12:00:00.000Z",
    }
    assert await service.available() == "100.00000000"
    assert done(await service.user.get("/v1/staking/stakes"))["items"] == []


async def test_same_stake_with_the_same_key_is_made_once(service: Stakers) -> None:
    pool = await service.pool()
    first = done(await service.send_stake(pool["poolId"], "10", idempotency_key="once"))
    again = done(await service.send_stake(pool["poolId"], "10", idempotency_key="once"))
    assert first == again
    assert await service.available() == "90.00000000"


async def test_stakes_and_rewards_are_seen_by_their_owner_and_the_treasury(service: Stakers) -> None:
    pool = await service.pool()
    stake = await service.stake(pool["poolId"], "10")
    path = f"/v1/staking/stakes/{stake['stakeId']}"
    for request in (service.stranger.get(path), service.stranger.post(f"{path}/claim")):
        theirs = refused(await request, 404, "not-found")
    unknown = refused(await service.stranger.get(f"/v1/staking/stakes/{new_id()}"), 404, "not-found")
    assert theirs["detail"] == unknown["detail"]
    assert done(await service.stranger.get("/v1/staking/stakes"))["items"] == []
    assert done(await service.stranger.get(f"/v1/staking/stakes?userId={service.user_id}"))["items"] == []
    assert len(done(await service.treasury.get(f"/v1/staking/stakes?userId={service.user_id}"))["items"]) == 1
    refused(await service.stranger.post("/v1/staking/distributions", json={"period": "2026-11-23"}), 403, "forbidden")
    refused(await service.gateway.anonymous().get("/v1/rewards"), 401, "unauthenticated")


async def test_stakes_are_found_by_pool_and_state(service: Stakers) -> None:
    first, second = await service.pool(), await service.pool()
    one, two = await service.stake(first["poolId"], "10"), await service.stake(second["poolId"], "10")
    done(await service.user.post(f"/v1/staking/stakes/{two['stakeId']}/unstake"))

    async def ids(query: str) -> list[str]:
        found = done(await service.user.get(f"/v1/staking/stakes?sort=createdAt&{query}"))
        return [stake["stakeId"] for stake in found["items"]]

    assert await ids("") == [one["stakeId"], two["stakeId"]]
    assert await ids(f"poolId={second['poolId']}") == [two["stakeId"]]
    assert await ids("state=active") == [one["stakeId"]]
    refused(await service.user.get("/v1/staking/stakes?state=pending"), 422, "invalid-request")


@pytest.mark.parametrize("amount", [10, 1.5, "1e3", "-1", "0", "1.123456789", "NaN", "", None, "1" * 400, " 1", "٣"])
async def test_bad_amount_is_named(service: Stakers, amount: Any) -> None:
    pool = await service.pool()
    answer = await service.send_stake(pool["poolId"], amount)
    assert pointers(refused(answer, 422, "invalid-request")) == {"/amount"}


async def test_stake_below_the_minimum_says_what_is_taken(service: Stakers) -> None:
    pool = await service.pool(minStake="5")
    problem = refused(await service.send_stake(pool["poolId"], "4"), 422, "stake-too-small")
    assert (pointers(problem), problem["minStake"]) == ({"/amount"}, "5.00000000")


async def test_write_without_the_gateways_validation_is_refused(service: Stakers) -> None:
    pool = await service.pool()
    body = {"poolId": pool["poolId"], "amount": "1"}
    refused(await service.user.post("/v1/staking/stakes", json=body), 428, "references-not-validated")
    refused(await service.gateway.bare("POST", "/v1/staking/stakes", json=body), 428, "references-not-validated")


async def test_unknown_pool_is_refused_at_its_field(service: Stakers) -> None:
    problem = refused(await service.send_stake(new_id(), "1"), 422, "reference-not-found")
    assert pointers(problem) == {"/poolId"}


@pytest.mark.parametrize("period", ["2026-11-24", "2026-13-01", "26-11-23", "20261123", "yesterday", 5, "9999-01-01"])
async def test_bad_period_is_named(service: Stakers, period: Any) -> None:
    answer = await service.treasury.post("/v1/staking/distributions", json={"period": period})
    assert pointers(refused(answer, 422, "invalid-request")) == {"/period"}


async def test_distribution_is_read_by_its_period(service: Stakers) -> None:
    refused(await service.treasury.get("/v1/staking/distributions/2026-11-23"), 404, "not-found")
    ran = await service.distribute()
    assert done(await service.treasury.get("/v1/staking/distributions/2026-11-23")) == ran
    assert ran == {
        "period": "2026-11-23",
        "state": "done",
        "stakesPaid": 0,
        "amountPaid": "0.00000000",
        "poolsPaid": 0,
        "poolsSpent": 0,
        "startedAt": "2026-11-23T12:00:00.000Z",
        "finishedAt": "2026-11-23T12:00:00.000Z",
    }


async def test_campaign_pays_bonuses_up_to_its_budget(service: Stakers) -> None:
    campaign = done(await service.treasury.post("/v1/reward-campaigns", json={"name": "welcome", "budget": "5"}))
    path = f"/v1/reward-campaigns/{campaign['campaignId']}"
    body = {"userId": service.user_id, "sourceType": "campaign", "sourceId": campaign["campaignId"], "amount": "4"}
    references = of_user(service.user_id, "reward_transaction_logs.userId", "user_token_balances.userId")
    reward = done(await service.treasury.post("/v1/rewards", json=body, references=references))
    assert (reward["kind"], reward["amount"]) == ("bonus", "4.00000000")
    assert await service.available() == "104.00000000"
    answer = await service.treasury.post("/v1/rewards", json=body, references=references)
    refused(answer, 409, "campaign-budget-exceeded")
    told = done(await service.treasury.get(path))
    assert (told["budget"], told["paid"], told["left"]) == ("5.00000000", "4.00000000", "1.00000000")
    closed = done(await service.treasury.post(f"{path}/close"))
    assert (closed["state"], closed["returned"], closed["left"]) == ("closed", "1.00000000", "0.00000000")
    refused(await service.treasury.post("/v1/rewards", json=body, references=references), 409, "campaign-closed")
    refused(await service.user.post("/v1/rewards", json=body, references=references), 403, "forbidden")
    refused(await service.user.get("/v1/reward-campaigns"), 403, "forbidden")


async def test_bonus_for_a_bot_needs_the_gateways_word(service: Stakers) -> None:
    bot_id = new_id()
    body = {"userId": service.user_id, "sourceType": "bot", "sourceId": bot_id, "amount": "1"}
    of_the_user = of_user(service.user_id, "reward_transaction_logs.userId")
    answer = await service.treasury.post("/v1/rewards", json=body, references=of_the_user)
    refused(answer, 428, "references-not-validated")
    bot = ValidatedReference("reward_transaction_logs.sourceId", "trading_bots", bot_id)
    done(await service.treasury.post("/v1/rewards", json=body, references=[*of_the_user, bot]))
    assert await service.available() == "101.00000000"
