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
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from api import Api, sign_in, sign_up
from movers import CLIENTS, TIMEOUT_S, Movers, Told, units
from platforms import Platform, start_platform
from scenes import balance, open_pool

from deploy.audit.platform import PlatformAudit, audit_platform
from deploy.local.background import ROOT, BackgroundPlatform
from kit.store import StoreClient
from staking.documents.stake import UserStake
from staking.domain.stake import StakeState
from staking.operations.audit.audit import audit_ledger

KILLS = 2
ACKNOWLEDGED_BETWEEN = 80
BUSY = 16
BUSY_WAIT_S = 3.0
STEP_S = 40.0
REST_S = 30.0
POLL_S = 0.05
REST_POLL_S = 0.5
# A request that died with its process is taken over when its lease has run out: five seconds after this.
REQUEST_TIMEOUT_S = "10"
LOST = 'upstream_failures_total{kind="AnswerLostError",service="staking"}'
FIRST_CREDIT = "300"
KINDS = ("credit", "debit", "stake", "unstake")


@dataclass
class Run:
    """What happened while the clients were at work. `answers_lost`: requests that were with a process as it died.
    `steps_s`: how long it took to a kill, to be back, to the next kill, and so on to the last outcome."""

    told: Told
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
            f"{dict(told.repeated)} repeated, {told.replayed} replayed, {KILLS} kills, "
            f"{self.answers_lost} answers lost by them, {sum(self.steps_s):.0f} s: {self.steps_s}"
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
                await killed_and_back(movers, processes, names[number % len(names)])
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


async def killed_and_back(movers: Movers, processes: BackgroundPlatform, name: str) -> None:
    """Killed amid requests and started again by the supervisor, while the clients go on."""
    before, said = pids(processes)[name], f"{name} is ready again"
    times = processes.log.read_text().count(said)
    await asyncio.to_thread(kill_when_busy, processes, name)
    await movers.until(lambda: processes.log.read_text().count(said) > times, f"{name} did not come back", STEP_S)
    assert pids(processes)[name] != before


def kill_when_busy(processes: BackgroundPlatform, name: str) -> None:
    """At a moment when it has many requests to answer, if there is one soon."""
    assert processes.state is not None
    url, pid, deadline = processes.state.addresses[name], processes.state.pids[name], time.monotonic() + BUSY_WAIT_S
    with httpx.Client(timeout=TIMEOUT_S) as http:
        while metric(http, url, "http_requests_in_flight") < BUSY and time.monotonic() < deadline:
            time.sleep(POLL_S)
    os.kill(pid, signal.SIGKILL)


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
    prefix = processes.environment["DATABASE_PREFIX"]
    url = processes.environment.get("MONGODB_URL") or f"mongodb://127.0.0.1:{processes.environment['STORE_PORT']}"
    deadline = time.monotonic() + REST_S
    while (left := await under_way(url, prefix)) and time.monotonic() < deadline:
        await asyncio.sleep(REST_POLL_S)
    assert not left, f"left unfinished after {REST_S:g} s: {left}"
    audit = await audit_platform(url, prefix, is_live=False)
    assert [one.report.intents for one in audit.references if one.report.intents] == []
    return audit


async def under_way(url: str, prefix: str) -> dict[str, int]:
    client = await StoreClient.connect(url)
    try:
        store = client.database(f"{prefix}_staking")
        ledger = await audit_ledger(store)
        pending = await store.collection(UserStake).count({"state": StakeState.PENDING.value})
    finally:
        await client.close()
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
