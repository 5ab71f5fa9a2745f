"""64 clients move one user's OMNI while the staking service is killed twice: no unit is lost, made or counted twice.

On the real engine where MONGODB_URL names one, else on the embedded store."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from api import Api, sign_in, sign_up
from movers import CLIENTS, TIMEOUT_S, Movers, Told, units
from platforms import Platform, start_platform
from scenes import balance, open_pool

from deploy.audit.platform import PlatformAudit, audit_platform
from deploy.local.background import ROOT, BackgroundPlatform
from kit.store import Store, StoreClient
from staking.documents.movement import MovementRecord
from staking.documents.stake import UserStake
from staking.domain.ledger import State
from staking.domain.stake import StakeState
from staking.operations.audit.audit import audit_ledger

KILLS = 2
ACKNOWLEDGED_BETWEEN = 80
PENDING_AT_KILL = 8
FRESH = timedelta(seconds=1)
STEP_S = 40.0
REST_S = 30.0
POLL_S = 0.02
REST_POLL_S = 0.5
# A request that died with its process is taken over when its lease has run out: five seconds after this.
REQUEST_TIMEOUT_S = "10"
LOST = 'upstream_failures_total{kind="AnswerLostError",service="staking"}'
FIRST_CREDIT = "300"
KINDS = ("credit", "debit", "stake", "unstake")


@dataclass
class Run:
    """What happened while the clients were at work. `pending`: movements at each kill; `answers_lost`: requests that
    were with a process as it died. `steps_s`: how long it took to a kill, to be back, to the next kill, and so on to
    the last outcome."""

    told: Told
    pending: list[int] = field(default_factory=list)
    answers_lost: int = 0
    steps_s: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def step(self) -> None:
        self.steps_s.append(round(time.monotonic() - self.began - sum(self.steps_s), 1))

    def __str__(self) -> str:
        told = self.told
        parts = {"credits": told.credits, "debits": told.debits, "stakes": told.stakes, "exits": told.exits}
        acknowledged = ", ".join(f"{len(kept)} {name}" for name, kept in parts.items())
        return (
            f"{CLIENTS} clients, {told.acknowledged} acknowledged ({acknowledged}), {dict(told.refused)} refused, "
            f"{dict(told.repeated)} repeated, {told.replayed} replayed, {len(self.pending)} kills amid {self.pending} "
            f"pending movements, {self.answers_lost} answers lost, {sum(self.steps_s):.0f} s: {self.steps_s}"
        )


@pytest.fixture(params=[1, 2], ids=["one process", "two replicas"])
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    store = "engine" if os.environ.get("MONGODB_URL") else "embedded"
    running = start_platform(store, REQUEST_TIMEOUT_S=REQUEST_TIMEOUT_S, STAKING_REPLICAS=str(request.param))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def processes(platform: Platform) -> BackgroundPlatform:
    assert isinstance(platform.running, BackgroundPlatform)
    return platform.running


def test_ledger_is_exact_after_its_service_was_killed_twice(platform: Platform, processes: BackgroundPlatform) -> None:
    treasury = sign_in(platform.base_url, platform.admin_email, platform.admin_password)
    owner = sign_up(platform.base_url, "mover")
    pool_id = open_pool(treasury, aprBps=1_000_000)["poolId"]
    movers = Movers(platform.base_url, owner=owner, treasury=treasury, pool_id=pool_id)
    first = treasury.made(f"/v1/balances/{owner.user_id}/credits", {"amount": FIRST_CREDIT, "reason": "deposit"})
    movers.told.credits[first["entryId"]] = units(FIRST_CREDIT)

    run = asyncio.run(moved_while_killed(movers, processes))
    sys.stdout.write(f"{run}\n")
    audit = asyncio.run(audited_at_rest(processes))
    sys.stdout.write(f"{audit.ledger.counted}\n")

    assert run.answers_lost >= KILLS, run
    assert run.told.unexpected == [], run
    assert run.told.twice == []
    assert run.told.below_zero == []
    assert audit.ledger.findings == []
    assert audit.is_clean, audit.body()
    command = audit_command(processes)
    assert command.returncode == 0, command.stdout + command.stderr
    check_balance(owner, run.told, pool_id)
    check_stakes(owner, run.told)
    check_statement(owner, run.told)


async def moved_while_killed(movers: Movers, processes: BackgroundPlatform) -> Run:
    run = Run(movers.told)
    names = sorted(name for name in pids(processes) if name.startswith("staking"))
    limits = httpx.Limits(max_connections=2 * CLIENTS, max_keepalive_connections=2 * CLIENTS)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits) as http:
        working = asyncio.create_task(movers.run(http))
        try:
            for number in range(KILLS):
                await acknowledged_more(movers)
                run.step()
                run.pending.append(await killed_and_back(movers, processes, names[number % len(names)]))
                run.step()
            await acknowledged_more(movers)
            run.step()
            movers.stop()
            await asyncio.wait_for(working, STEP_S)
            run.step()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    with httpx.Client(timeout=TIMEOUT_S) as http:
        run.answers_lost = metric(http, processes.gateway_url, LOST)
    return run


async def acknowledged_more(movers: Movers) -> None:
    wanted = movers.told.acknowledged + ACKNOWLEDGED_BETWEEN
    what = f"{ACKNOWLEDGED_BETWEEN} more movements were not acknowledged"
    await movers.until(lambda: movers.told.acknowledged >= wanted, what, STEP_S)


async def killed_and_back(movers: Movers, processes: BackgroundPlatform, name: str) -> int:
    """Killed amid movements and started again by the supervisor, while the clients go on; how many were pending."""
    before, said = pids(processes)[name], f"{name} is ready again"
    times = processes.log.read_text().count(said)
    # In a loop of its own, so that the clients' work does not come between what is seen and the kill.
    pending = await asyncio.to_thread(asyncio.run, killed_amid_movements(processes, before))
    await movers.until(lambda: processes.log.read_text().count(said) > times, f"{name} did not come back", STEP_S)
    assert pids(processes)[name] != before
    return pending


async def killed_amid_movements(processes: BackgroundPlatform, pid: int) -> int:
    """SIGKILL at a moment when several movements are pending that were just written; how many."""
    deadline = time.monotonic() + STEP_S
    async with staking_store(processes) as store:
        while time.monotonic() < deadline:
            fresh = {"open": True, "state": State.PENDING.value, "writtenAt": {"$gt": datetime.now(UTC) - FRESH}}
            pending = await store.collection(MovementRecord).count(fresh)
            if pending >= PENDING_AT_KILL:
                os.kill(pid, signal.SIGKILL)
                return pending
            await asyncio.sleep(POLL_S)
    raise AssertionError(f"there were never {PENDING_AT_KILL} movements pending at once")


@asynccontextmanager
async def staking_store(processes: BackgroundPlatform) -> AsyncIterator[Store]:
    client = await StoreClient.connect(store_url(processes))
    try:
        yield client.database(f"{processes.environment['DATABASE_PREFIX']}_staking")
    finally:
        await client.close()


def store_url(processes: BackgroundPlatform) -> str:
    environment = processes.environment
    return environment.get("MONGODB_URL") or f"mongodb://127.0.0.1:{environment['STORE_PORT']}"


def metric(http: httpx.Client, url: str, sample: str) -> int:
    text = http.get(f"{url}/metrics").raise_for_status().text
    found = re.search(rf"^{re.escape(sample)} (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def pids(processes: BackgroundPlatform) -> dict[str, int]:
    state = processes.state
    assert state is not None
    return state.pids


async def audited_at_rest(processes: BackgroundPlatform) -> PlatformAudit:
    """The audit of everything, once nothing is under way any more: no movement, pending stake or intent."""
    deadline = time.monotonic() + REST_S
    while (left := await under_way(processes)) and time.monotonic() < deadline:
        await asyncio.sleep(REST_POLL_S)
    assert not left, f"left unfinished after {REST_S:g} s: {left}"
    audit = await audit_platform(store_url(processes), processes.environment["DATABASE_PREFIX"], is_live=False)
    assert [one.report.intents for one in audit.references if one.report.intents] == []
    return audit


async def under_way(processes: BackgroundPlatform) -> dict[str, int]:
    async with staking_store(processes) as store:
        ledger = await audit_ledger(store)
        pending = await store.collection(UserStake).count({"state": StakeState.PENDING.value})
    counts = {
        "movements": ledger.counted.get("movements under way", 0),
        "documents that change": ledger.unsettled,
        "stakes": pending,
    }
    return {what: count for what, count in counts.items() if count}


def audit_command(processes: BackgroundPlatform) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "deploy.audit"]
    environment = {**processes.environment, "COLUMNS": "200"}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def check_balance(owner: Api, told: Told, pool_id: str) -> None:
    """The balance and the pool are the sums of what was acknowledged, to the last unit."""
    held = balance(owner, owner.user_id)
    assert (units(held["available"]), units(held["staked"])) == (told.available, told.staked)
    assert units(owner.fetched(f"/v1/staking/pools/{pool_id}")["staked"]) == told.staked


def check_stakes(owner: Api, told: Told) -> None:
    """Every acknowledged stake is there once, and no other; out of it is who was told so, and nobody else."""
    listed = list(owner.items("/v1/staking/stakes", limit=200))
    assert Counter(stake["stakeId"] for stake in listed) == Counter(told.stakes.keys())
    for stake in listed:
        stake_id = stake["stakeId"]
        assert units(stake["principal"]) == told.stakes[stake_id]
        assert stake["state"] == ("withdrawn" if stake_id in told.exits else "active")
        if stake_id in told.exits:
            assert units(stake["payout"]) + units(stake["settled"]) == told.exits[stake_id]


def check_statement(owner: Api, told: Told) -> None:
    """Every acknowledged change is entered once, and no other; the account was never below zero."""
    entries = list(owner.items(f"/v1/balances/{owner.user_id}/entries", limit=200))
    assert len({entry["entryId"] for entry in entries}) == len(entries)
    assert all(units(entry["runningBalance"]) >= 0 for entry in entries)
    available = [entry for entry in entries if entry["account"] == "available"]
    by_id = {kind: {one["entryId"]: units(one["amount"]) for one in available if one["kind"] == kind} for kind in KINDS}
    assert by_id["credit"] == told.credits
    assert by_id["debit"] == {entry_id: -amount for entry_id, amount in told.debits.items()}
    by_source = {
        kind: [(one["source"], units(one["amount"])) for one in available if one["kind"] == kind] for kind in KINDS
    }
    assert sorted(by_source["stake"]) == sorted((stake_id, -amount) for stake_id, amount in told.stakes.items())
    assert sorted(by_source["unstake"]) == sorted(told.exits.items())
