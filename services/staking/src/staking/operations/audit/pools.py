"""Every pool against its stakes: what is staked in it, what it paid, what it owes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from kit.store import Store
from staking.documents.pool import StakingPool
from staking.documents.stake import UserStake
from staking.domain.pool_accounts import POOL, POOL_RULES, accrual_of, terms_of
from staking.domain.rewards import unearned, unsettled
from staking.domain.stake import StakeState
from staking.operations.audit.accounts import account_fields
from staking.operations.audit.books import Books
from staking.operations.audit.pages import Row, pages, rows_by_id
from staking.operations.audit.report import AuditReport

ROUNDS_MAX = 3
PAUSE_S = 0.5
STAKE_FIELDS = ("state", "principal", "settled", "indexFrom")


@dataclass
class StakeSums:
    """Over the stakes of one pool: `settled` is what they were ever given, `owed` what they earned and were not."""

    stakes: int = 0
    principal: int = 0
    settled: int = 0
    owed: int = 0


async def audit_pools(store: Store, books: Books, report: AuditReport) -> None:
    """Σ stakes = pool principal = what users have staked; paid + accrued + dust = funded."""
    staked, principal = books.total_of_field("balance", "staked"), books.total_of_field(POOL, "principal")
    if staked != principal:
        report.find("staked-is-principal", "all pools", f"users have {staked} staked, the pools hold {principal}")
    async for page in pages(store.collection(StakingPool), {}, ()):
        report.count("pools", len(page))
        for row in page:
            await _audit_pool(store, row["_id"], report)


async def _audit_pool(store: Store, pool_id: str, report: AuditReport) -> None:
    """Compared is only what was read while nobody moved the pool: whatever moves a stake marks its pool until it is
    done."""
    for _ in range(ROUNDS_MAX):
        before = await _read(store, pool_id)
        if before is None:
            return
        sums = await _add_up(store, before)
        after = await _read(store, pool_id)
        if after is not None and not after.get("marks") and after["version"] == before["version"]:
            _check(after, sums, report)
            return
        await asyncio.sleep(PAUSE_S)
    report.unsettled += 1


async def _read(store: Store, pool_id: str) -> Row | None:
    found = await rows_by_id(store.collection(StakingPool), [pool_id], account_fields(POOL_RULES))
    return found.get(pool_id)


async def _add_up(store: Store, pool: Row) -> StakeSums:
    sums, terms, index = StakeSums(), terms_of(pool), int(pool["index"])
    async for page in pages(store.collection(UserStake), {"poolId": pool["_id"]}, STAKE_FIELDS):
        for stake in page:
            sums.settled += stake["settled"]
            if stake["state"] != StakeState.ACTIVE.value:
                continue
            sums.stakes += 1
            sums.principal += stake["principal"]
            begun: Any = stake["indexFrom"]
            sums.owed += unsettled(terms, stake["principal"], int(begun), index, stake["settled"])
    return sums


def _check(pool: Row, sums: StakeSums, report: AuditReport) -> None:
    report.count("stakes", sums.stakes)
    if sums.principal != pool["principal"]:
        report.find(
            "stakes-are-principal", pool["_id"], f"its stakes sum to {sums.principal}, it holds {pool['principal']}"
        )
    paid = pool["funded"] - pool["budget"]
    if not pool.get("isDrained") and sums.settled != paid:
        report.find("paid-is-settled", pool["_id"], f"its stakes were given {sums.settled}, its budget gave {paid}")
    dust = pool["budget"] - unearned(terms_of(pool), accrual_of(pool)) - sums.owed
    if dust < 0:
        report.find("owed-is-funded", pool["_id"], f"it owes {-dust} more than its budget has")
