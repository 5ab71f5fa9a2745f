"""OMNI: a credit, a funded pool, a stake, and what it earned today."""

import time
from datetime import UTC, datetime
from decimal import Decimal

from demo.api import Api, check
from demo.cast import Stage
from demo.show import Show

CREDIT = "100000.00000000"
STAKE = "60000"
FUND = "5000"
APR_BPS = 1200
ACCRUAL_S = 1.5
FOLLOW_S = 30.0
FOLLOW_POLL_S = 0.2


def open_pool(show: Show, stage: Stage) -> None:
    show.chapter("Staking")
    with show.step("treasury credits Ada OMNI") as step:
        path = f"/v1/balances/{stage.trader.user_id}/credits"
        answer = stage.admin.post(path, {"amount": CREDIT, "reason": "demo"}, status=201)
        check(answer["balance"]["available"] == CREDIT, f"the balance is {answer['balance']}")
        step.note = f"available {answer['balance']['available']}"
    with show.step("treasury makes, funds and opens a pool") as step:
        body = {
            "name": f"OMNI {stage.run}",
            "model": "fixed-apr",
            "aprBps": APR_BPS,
            "lockDays": 0,
            "minStake": "1",
            "earlyExitPenaltyBps": 500,
        }
        pool = stage.admin.post("/v1/staking/pools", body, status=201)
        check(pool["state"] == "draft", f"a new pool is {pool['state']}")
        path = f"/v1/staking/pools/{pool['poolId']}"
        stage.admin.post(f"{path}/fund", {"amount": FUND}, status=200)
        stage.pool = stage.admin.post(f"{path}/open", status=200)
        check(stage.pool["state"] == "open", f"the pool is {stage.pool['state']}")
        step.note = f"{APR_BPS / 100:g} % a year, funded with {FUND} OMNI"


def stake_and_claim(show: Show, stage: Stage) -> None:
    api = stage.trader.api
    balance_path = f"/v1/balances/{stage.trader.user_id}"
    with show.step(f"Ada stakes {STAKE} OMNI") as step:
        stage.stake = api.post("/v1/staking/stakes", {"poolId": stage.pool["poolId"], "amount": STAKE}, status=201)
        balance = api.get(balance_path)
        check(Decimal(balance["staked"]) == Decimal(STAKE), f"staked is {balance['staked']}")
        check(Decimal(balance["available"]) == Decimal(CREDIT) - Decimal(STAKE), f"available is {balance['available']}")
        step.note = f"available {balance['available']}, staked {balance['staked']}"
    before = Decimal(balance["available"])
    time.sleep(ACCRUAL_S)  # something must have accrued
    with show.step("today is distributed") as step:
        step.note = _distribute(stage.admin)
    stake_path = f"/v1/staking/stakes/{stage.stake['stakeId']}"
    with show.step("Ada claims") as step:
        api.post(f"{stake_path}/claim", status=200)
        available = Decimal(api.get(balance_path)["available"])
        check(available > before, f"the claim left {available}, as before")
        step.note = f"available {available} ({available - before} more)"
    with show.step("her rewards are listed") as step:
        rewards = list(api.items("/v1/rewards", userId=stage.trader.user_id))
        check(bool(rewards), "no reward is listed")
        check(
            {reward["sourceId"] for reward in rewards} == {stage.stake["stakeId"]},
            "a reward of another source is listed",
        )
        step.note = f"{len(rewards)} listed"
    show.table(
        ("period", "kind", "source", "amount OMNI"),
        [(reward["period"], reward["kind"], reward["sourceType"], reward["amount"]) for reward in rewards],
    )
    with show.step("her entries add up to her balance") as step:
        entries = list(api.items(f"{balance_path}/entries"))
        total = sum((Decimal(entry["amount"]) for entry in entries), Decimal(0))
        balance = api.get(balance_path)
        check(total == Decimal(balance["available"]) + Decimal(balance["staked"]), f"{total} is not {balance}")
        step.note = f"{len(entries)} entries, {total} OMNI"


def _distribute(treasury: Api) -> str:
    """Distribute today's rewards and follow the run to its end."""
    period = datetime.now(UTC).date().isoformat()
    deadline = time.monotonic() + FOLLOW_S
    run = treasury.post("/v1/staking/distributions", {"period": period})
    while run["state"] != "done":
        check(time.monotonic() < deadline, f"the distribution is still {run['state']} after {FOLLOW_S:g} s")
        time.sleep(FOLLOW_POLL_S)
        run = treasury.post("/v1/staking/distributions", {"period": period})
    return f"{period}: {run['stakesPaid']} stakes, {run['amountPaid']} OMNI"
