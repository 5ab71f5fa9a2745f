"""Rows on deletes with many children: how much memory they take at their peak, and how long."""

import asyncio
import time
from collections.abc import Sequence

import httpx

from bench.parents import database, make
from bench.run import Run
from bench.servers import reset_resident_peak, resident_peak_mib
from bench.stage import AsAdmin, Stage
from bench.table import Goal, Row, explain
from kit.clock import SystemClock
from kit.ids import new_id
from kit.store.rows import Row as StoredRow

FEW = 1_000
MANY = 100_000
BATCH = 2_000
POLL_S = 0.25
WAIT_S = 1_800.0
PROCESSES = ("gateway", "users", "bots", "staking")


def cascade_rows(run: Run, stage: Stage, many: int = MANY) -> list[Row]:
    """A user with so many bots is deleted: each bot may itself be referred to, so each is forced, closed, looked at and
    removed. Once, since it takes its time."""
    del run
    row = Row(
        f"delete with {many:,} cascaded children, peak memory of any process",
        f"with {FEW:,}",
        Goal(at_most=50, unit="MiB more"),
    )
    few = _delete(stage, FEW)
    much = _delete(stage, many)
    row.take(max(much.peaks[name] - few.peaks[name] for name in PROCESSES))
    row.notes = f"{few.seconds:.1f} s and {much.seconds:.1f} s ({many / much.seconds:.0f} bots/s), {much.told}"
    return explain([row], lambda: _peaks(few, much))


def _peaks(few: "_Deleted", much: "_Deleted") -> str:
    return "\n".join(f"{name:8} {few.peaks[name]:6.1f} MiB, then {much.peaks[name]:6.1f} MiB" for name in PROCESSES)


class _Deleted:
    def __init__(self, seconds: float, peaks: dict[str, float], told: str) -> None:
        self.seconds, self.peaks, self.told = seconds, peaks, told


def _delete(stage: Stage, count: int) -> _Deleted:
    user_id = asyncio.run(_user_with_bots(stage, count))
    pids = stage.pids(*PROCESSES)
    for pid in pids.values():
        reset_resident_peak(pid)
    began = time.perf_counter()
    progress = _followed(stage, user_id)
    seconds = time.perf_counter() - began
    left = asyncio.run(_left(stage, user_id))
    if left:
        raise RuntimeError(f"{left} bots are left of a user that is gone")
    told = f"its progress was read {len(set(progress))} times on its way" if progress else "within the client's wait"
    return _Deleted(seconds, {name: resident_peak_mib(pid) for name, pid in pids.items()}, told)


def _followed(stage: Stage, user_id: str) -> Sequence[int]:
    """Deletes, and follows the deletion to its end; how much was removed each time that it was looked at."""
    seen: list[int] = []
    with httpx.Client(base_url=stage.gateway_url, auth=AsAdmin(stage), timeout=60) as http:
        answer = http.delete(f"/v1/users/{user_id}")
        give_up_at = time.monotonic() + WAIT_S
        while answer.status_code == 202 and time.monotonic() < give_up_at:
            deletion = http.get(answer.headers["Location"]).raise_for_status().json()
            if deletion["finishedAt"]:
                if deletion["state"] != "done":
                    raise RuntimeError(f"the delete ended {deletion['state']}: {deletion}")
                return seen
            seen.append(deletion["progress"].get("removed", 0))
            time.sleep(POLL_S)
    if answer.status_code != 204:
        raise RuntimeError(f"the delete gave {answer.status_code}: {answer.text}")
    return seen


async def _user_with_bots(stage: Stage, count: int) -> str:
    """The bots are written as they would be stored, a batch at a time."""
    ((user_id, account_id),) = await make(stage, 1)
    async with database(stage, "bots") as store:
        rows = store.rows("trading_bots")
        for start in range(0, count, BATCH):
            await rows.insert_many(
                [_bot(user_id, account_id, number) for number in range(start, min(start + BATCH, count))]
            )
    return user_id


def _bot(user_id: str, account_id: str, number: int) -> StoredRow:
    now = SystemClock().now()
    return {
        "_id": new_id(),
        "userId": user_id,
        "exchangeAccountId": account_id,
        "exchange": "binance",
        "marketPair": "BTC/USDT",
        "name": f"bot {number}",
        "strategy": {"name": "grid", "version": "1.0.0", "params": "{}"},
        "mode": "paper",
        "initialCapital": {"amount": "1000", "currency": "USDT"},
        "status": "created",
        "runs": [],
        "runCount": 0,
        "tags": [],
        "version": 1,
        "createdAt": now,
        "updatedAt": now,
    }


async def _left(stage: Stage, user_id: str) -> int:
    async with database(stage, "bots") as store:
        return await store.rows("trading_bots").count({"userId": user_id}, limit=MANY)
