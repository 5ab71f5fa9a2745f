"""Distributions: each day's rewards, over all pools. A record per period tells how far it is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kit.identity import TREASURY as TREASURY_ROLE
from kit.identity import Caller, not_found
from kit.problems import FieldError, InvalidRequest
from kit.runtime import Runtime
from staking.documents.distribution import Distribution, PoolDistribution
from staking.documents.pool import StakingPool
from staking.domain.periods import period_before, period_of
from staking.operations.distribution_batches import distribute_pool
from staking.operations.ledger.ledger import Ledger

_log = structlog.get_logger("staking.distributions")

RUNNING = "running"
DONE = "done"
POOLS_PAGE = 200
REQUEST_SECONDS_MAX = 10.0
WORKER_SECONDS_MAX = 60.0
RESUMED_MAX = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """A period's record and its totals."""

    distribution: Distribution
    stakes_paid: int
    amount_paid: int
    pools_paid: int
    pools_spent: int


async def request_distribution(runtime: Runtime, ledger: Ledger, caller: Caller, period: str) -> Progress:
    """Distribute a period, or go on with it. What is not finished within REQUEST_SECONDS_MAX is left to a worker.
    Raises InvalidRequest for a day to come."""
    caller.require_role(TREASURY_ROLE)
    if period > period_of(runtime.clock.now()):
        raise InvalidRequest(
            "A day to come cannot be distributed.",
            errors=[FieldError("/period", "out-of-range", "Give today or an earlier day, in UTC.")],
        )
    await distribute(runtime, ledger, period, seconds_max=REQUEST_SECONDS_MAX)
    return await _progress(runtime, period)


async def read_distribution(runtime: Runtime, caller: Caller, period: str) -> Progress:
    """Raises NotFound for a period that was never distributed."""
    caller.require_role(TREASURY_ROLE)
    return await _progress(runtime, period)


async def distribute_due(runtime: Runtime, ledger: Ledger) -> None:
    """What a worker does: yesterday, if it is not done, and whatever was left unfinished."""
    distributions = runtime.store.collection(Distribution)
    yesterday = period_before(period_of(runtime.clock.now()))
    known = await distributions.get(yesterday)
    unfinished = await distributions.find({"state": RUNNING}, sort=[("_id", 1)], limit=RESUMED_MAX)
    periods = {one.id for one in unfinished} | ({yesterday} if known is None else set())
    for period in sorted(periods):
        await distribute(runtime, ledger, period, seconds_max=WORKER_SECONDS_MAX)


async def distribute(runtime: Runtime, ledger: Ledger, period: str, *, seconds_max: float) -> None:
    """One pass over all pools, within `seconds_max`. Everything that is paid stays paid, however it ends."""
    distributions = runtime.store.collection(Distribution)
    now = runtime.clock.now()
    taken = await distributions.insert_many([Distribution(id=period, state=RUNNING, started_at=now, updated_at=now)])
    if taken:
        await distributions.update(
            {"_id": period}, {"$set": {"state": RUNNING, "updatedAt": now}, "$unset": {"finishedAt": ""}}
        )
    if await _distribute_pools(runtime, ledger, period, _until(seconds_max)):
        now = runtime.clock.now()
        finished = {"state": DONE, "updatedAt": now, "finishedAt": now}
        await distributions.update({"_id": period, "state": RUNNING}, {"$set": finished})


async def _distribute_pools(runtime: Runtime, ledger: Ledger, period: str, goes_on: Callable[[], bool]) -> bool:
    """Whether every pool is complete."""
    is_complete = True
    pools = runtime.store.collection(StakingPool)
    cursor = ""
    while True:
        where = {"_id": {"$gt": cursor}, "principal": {"$gt": 0}}
        page = await pools.rows(where, fields=["_id"], sort=[("_id", 1)], limit=POOLS_PAGE)
        for row in page:
            if not goes_on():
                return False
            is_complete &= await _distribute_pool(runtime, ledger, row["_id"], period, goes_on)
        if len(page) < POOLS_PAGE:
            return is_complete
        cursor = page[-1]["_id"]


async def _distribute_pool(
    runtime: Runtime, ledger: Ledger, pool_id: str, period: str, goes_on: Callable[[], bool]
) -> bool:
    """What one pool fails at must not keep the others from being paid."""
    try:
        return await distribute_pool(runtime, ledger, pool_id, period, goes_on=goes_on)
    except Exception:  # noqa: BLE001 (told to operators, and tried again by the next run)
        _log.exception("pool not distributed", pool=pool_id, period=period)
        return False


async def _progress(runtime: Runtime, period: str) -> Progress:
    distribution = await runtime.store.collection(Distribution).get(period)
    if distribution is None:
        raise not_found("distribution")
    totals = await runtime.store.collection(PoolDistribution).aggregate(
        [
            {"$match": {"period": period}},
            {
                "$group": {
                    "_id": "$isSpent",
                    "stakes": {"$sum": "$stakesPaid"},
                    "amount": {"$sum": "$amountPaid"},
                    "pools": {"$sum": 1},
                }
            },
        ]
    )
    return Progress(
        distribution=distribution,
        stakes_paid=sum(row["stakes"] for row in totals),
        amount_paid=sum(row["amount"] for row in totals),
        pools_paid=sum(row["pools"] for row in totals),
        pools_spent=sum(row["pools"] for row in totals if row["_id"]),
    )


def _until(seconds_max: float) -> Callable[[], bool]:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds_max
    return lambda: loop.time() < end
