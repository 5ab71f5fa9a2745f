"""Staking: balances, pools, stakes, distributions, rewards."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from api import Api, problem
from scenes import balance, credit, open_pool


def today(shift_days: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=shift_days)).date().isoformat()


def test_first_credit_makes_the_balance_and_its_entries_add_up(admin: Api, trader: Api) -> None:
    problem(trader.get(f"/v1/balances/{trader.user_id}"), 404, "not-found")
    credit(admin, trader.user_id, "100")
    admin.made(f"/v1/balances/{trader.user_id}/debits", {"amount": "30.00000001", "reason": "withdrawal"})
    held = balance(trader, trader.user_id)
    assert (held["available"], held["staked"]) == ("69.99999999", "0.00000000")
    entries = list(trader.items(f"/v1/balances/{trader.user_id}/entries"))
    assert sum(Decimal(entry["amount"]) for entry in entries) == Decimal("69.99999999")


def test_debit_below_zero_is_refused(admin: Api, trader: Api) -> None:
    credit(admin, trader.user_id, "1")
    answer = admin.post(f"/v1/balances/{trader.user_id}/debits", {"amount": "2", "reason": "withdrawal"})
    assert answer.json()["code"] == "insufficient-balance"
    assert balance(trader, trader.user_id)["available"] == "1.00000000"


def test_balances_move_by_treasury_only_and_are_seen_by_their_owner(admin: Api, trader: Api, stranger: Api) -> None:
    answer = trader.post(f"/v1/balances/{trader.user_id}/credits", {"amount": "1", "reason": "please"})
    problem(answer, 403, "forbidden")
    credit(admin, trader.user_id, "1")
    problem(stranger.get(f"/v1/balances/{trader.user_id}"), 404, "not-found")


def test_stake_is_distributed_claimed_listed_and_given_back(admin: Api, trader: Api) -> None:
    pool = open_pool(admin, aprBps=10_000_000)
    credit(admin, trader.user_id, "100")
    stake = trader.made("/v1/staking/stakes", {"poolId": pool["poolId"], "amount": "50"})
    assert (stake["state"], stake["principal"]) == ("active", "50.00000000")
    held = balance(trader, trader.user_id)
    assert (held["available"], held["staked"]) == ("50.00000000", "50.00000000")
    ran = admin.post("/v1/staking/distributions", {"period": today()})
    assert ran.status_code in (200, 202), ran.text
    path = f"/v1/staking/stakes/{stake['stakeId']}"
    trader.made(f"{path}/claim")
    assert list(trader.items("/v1/rewards", userId=trader.user_id, sourceId=stake["stakeId"]))
    trader.made(f"{path}/unstake")
    held = balance(trader, trader.user_id)
    assert held["staked"] == "0.00000000"
    assert Decimal(held["available"]) > 100
    assert trader.fetched(path)["state"] == "withdrawn"


def test_a_period_is_paid_once_however_often_it_is_distributed(admin: Api, trader: Api) -> None:
    pool = open_pool(admin, aprBps=10_000_000)
    credit(admin, trader.user_id, "10")
    stake = trader.made("/v1/staking/stakes", {"poolId": pool["poolId"], "amount": "10"})
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: admin.post("/v1/staking/distributions", {"period": today()}), range(4)))
    rewards = list(trader.items("/v1/rewards", sourceId=stake["stakeId"]))
    assert len({reward["logId"] for reward in rewards}) == len(rewards)
    assert len([reward for reward in rewards if reward["period"] == today()]) <= 1


def test_a_day_to_come_is_not_distributed(admin: Api) -> None:
    answer = admin.post("/v1/staking/distributions", {"period": today(2)})
    (error,) = problem(answer, 422, "invalid-request")["errors"]
    assert (error["pointer"], error["code"]) == ("/period", "out-of-range")


def test_early_exit_pays_the_stated_penalty(admin: Api, trader: Api) -> None:
    pool = open_pool(admin, lockDays=30, earlyExitPenaltyBps=500, aprBps=0)
    credit(admin, trader.user_id, "100")
    stake = trader.made("/v1/staking/stakes", {"poolId": pool["poolId"], "amount": "100"})
    trader.made(f"/v1/staking/stakes/{stake['stakeId']}/unstake")
    assert balance(trader, trader.user_id)["available"] == "95.00000000"


def test_pool_that_is_not_open_takes_no_stake(admin: Api, trader: Api) -> None:
    pool = open_pool(admin)
    admin.made(f"/v1/staking/pools/{pool['poolId']}/pause")
    credit(admin, trader.user_id, "10")
    answer = trader.post("/v1/staking/stakes", {"poolId": pool["poolId"], "amount": "5"})
    assert answer.status_code == 409
    assert balance(trader, trader.user_id)["available"] == "10.00000000"


def test_stakes_at_once_never_take_more_than_there_is(admin: Api, trader: Api) -> None:
    pool = open_pool(admin)
    credit(admin, trader.user_id, "10")
    body = {"poolId": pool["poolId"], "amount": "3"}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: trader.post("/v1/staking/stakes", body), range(8)))
    assert sorted(answer.status_code for answer in answers)[:3] == [201, 201, 201]
    assert sum(answer.status_code == 201 for answer in answers) == 3
    held = balance(trader, trader.user_id)
    assert (held["available"], held["staked"]) == ("1.00000000", "9.00000000")


def test_campaign_pays_a_bonus_at_once_and_not_beyond_its_budget(admin: Api, trader: Api) -> None:
    campaign = admin.made("/v1/reward-campaigns", {"name": "welcome", "budget": "5"})
    body = {"userId": trader.user_id, "sourceType": "campaign", "sourceId": campaign["campaignId"], "amount": "4"}
    reward = admin.made("/v1/rewards", body)
    assert reward["amount"] == "4.00000000"
    assert balance(trader, trader.user_id)["available"] == "4.00000000"
    assert admin.post("/v1/rewards", body).status_code == 409
    assert balance(trader, trader.user_id)["available"] == "4.00000000"
