"""Clients that move one user's OMNI until they are told to stop, and remember every answer.

Each operation has an Idempotency-Key and is repeated with it until its outcome is known: whatever was acknowledged has
to be found afterwards, once, and nothing else."""

import asyncio
import random
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from api import Api

CLIENTS = 64
UNSETTLED_MAX = 3
TIMEOUT_S = 40.0
PAUSE_S = 0.3
WATCH_S = 0.1
# Some clients go away before the answer comes, and ask again.
IMPATIENT_SHARE = 0.1
IMPATIENT_S_MAX = 0.5
AMOUNT_MAX = 20
UNITS = 10**8
# Their outcome is unknown, or nothing was done: the same request is sent again.
AGAIN = {502, 503, 504}
AGAIN_CODES = {"idempotency-running"}
REFUSALS = {"insufficient-balance", "illegal-transition"}
MIX = {"stake": 8, "unstake": 7, "credit": 3, "debit": 2}


def units(amount: str) -> int:
    """An amount as it travels in units of 1e-8 OMNI."""
    return int(Decimal(amount) * UNITS)


@dataclass
class Operation:
    """`again_at` is when it may be sent again, by time.monotonic."""

    kind: str
    path: str
    body: dict[str, Any] | None
    token: str
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    timeout_s: float = TIMEOUT_S
    again_at: float = 0.0


@dataclass
class Told:
    """What was acknowledged. Amounts are in units of 1e-8 OMNI; of an exit it is all that the stake ever gave."""

    credits: dict[str, int] = field(default_factory=dict)
    debits: dict[str, int] = field(default_factory=dict)
    stakes: dict[str, int] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    replayed: int = 0
    below_zero: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return sum(map(len, (self.credits, self.debits, self.stakes, self.exits)))

    @property
    def staked(self) -> int:
        return sum(amount for stake_id, amount in self.stakes.items() if stake_id not in self.exits)

    @property
    def available(self) -> int:
        given = sum(self.credits.values()) + sum(self.exits.values())
        return given - sum(self.debits.values()) - sum(self.stakes.values())

    def note(self, operation: Operation, answer: dict[str, Any]) -> None:
        if operation.kind in {"credit", "debit"}:
            amount = units((operation.body or {})["amount"])
            self._keep(self.credits if operation.kind == "credit" else self.debits, answer["entryId"], amount)
        elif operation.kind == "stake":
            self._keep(self.stakes, answer["stakeId"], units(answer["principal"]))
        else:
            self._keep(self.exits, answer["stakeId"], units(answer["payout"]) + units(answer["settled"]))

    def _keep(self, kept: dict[str, int], id_: str, amount: int) -> None:
        if id_ in kept:
            self.twice.append(id_)
        kept[id_] = amount


class Movers:
    """`treasury` credits and debits, `owner` stakes and takes stakes out again, several clients the same ones."""

    def __init__(self, base_url: str, *, owner: Api, treasury: Api, pool_id: str) -> None:
        self.told = Told()
        self._base_url = base_url
        self._owner = owner
        self._treasury = treasury
        self._pool_id = pool_id
        self._stopping = asyncio.Event()

    async def run(self, http: httpx.AsyncClient) -> None:
        """Until `stop`, and until every operation that was begun has an outcome."""
        watcher = asyncio.create_task(self._watch(http))
        await asyncio.gather(*(self._client(http) for _ in range(CLIENTS)))
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

    def stop(self) -> None:
        self._stopping.set()

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.told.unexpected:
                raise AssertionError(self.told.unexpected[:5])
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} within {timeout_s:g} s: {self.told.acknowledged} acknowledged")
            await asyncio.sleep(0.05)

    async def _client(self, http: httpx.AsyncClient) -> None:
        """Goes on to other operations while one has no outcome yet, up to a bound."""
        unsettled: deque[Operation] = deque()
        while unsettled or not self._stopping.is_set():
            must_wait = self._stopping.is_set() or len(unsettled) >= UNSETTLED_MAX
            if unsettled and (must_wait or unsettled[0].again_at <= time.monotonic()):
                operation = unsettled.popleft()
                await asyncio.sleep(max(0.0, operation.again_at - time.monotonic()))
            else:
                operation = self._next()
                if random.random() < IMPATIENT_SHARE:
                    operation.timeout_s = random.uniform(0, IMPATIENT_S_MAX)
            if not await self._is_settled(http, operation):
                operation.timeout_s = TIMEOUT_S
                operation.again_at = time.monotonic() + PAUSE_S * random.uniform(0.5, 1.5)
                unsettled.append(operation)

    async def _is_settled(self, http: httpx.AsyncClient, operation: Operation) -> bool:
        headers = {"Authorization": f"Bearer {operation.token}", "Idempotency-Key": operation.key}
        try:
            url, timeout_s = self._base_url + operation.path, operation.timeout_s
            answer = await http.post(url, json=operation.body, headers=headers, timeout=timeout_s)
        except httpx.TransportError as error:
            self.told.repeated[type(error).__name__] += 1
            return False
        return self._heard(operation, answer)

    def _heard(self, operation: Operation, answer: httpx.Response) -> bool:
        if answer.is_success:
            self.told.note(operation, answer.json())
            self.told.replayed += answer.headers.get("Idempotency-Replayed") == "true"
            return True
        code = answer.json()["code"]
        if answer.status_code in AGAIN or code in AGAIN_CODES:
            self.told.repeated[code] += 1
            return False
        if code in REFUSALS:
            self.told.refused[code] += 1
        else:
            self.told.unexpected.append(f"{operation.kind} {answer.status_code} {answer.text[:300]}")
        return True

    def _next(self) -> Operation:
        kind = random.choices(list(MIX), list(MIX.values()))[0]
        active = [stake_id for stake_id in self.told.stakes if stake_id not in self.told.exits]
        amount = f"{random.randint(1, AMOUNT_MAX)}.{random.randrange(UNITS):08d}"
        if kind == "unstake" and active:
            stake_id = random.choice(active)
            path = f"/v1/staking/stakes/{stake_id}/unstake"
            return Operation("unstake", path, None, self._owner.token or "")
        if kind in {"credit", "debit"}:
            body = {"amount": amount, "reason": "moved by a test"}
            return Operation(kind, f"/v1/balances/{self._owner.user_id}/{kind}s", body, self._treasury.token or "")
        body = {"poolId": self._pool_id, "amount": amount}
        return Operation("stake", "/v1/staking/stakes", body, self._owner.token or "")

    async def _watch(self, http: httpx.AsyncClient) -> None:
        """What is read meanwhile is never below zero."""
        headers = {"Authorization": f"Bearer {self._owner.token}"}
        while True:
            try:
                answer = await http.get(f"{self._base_url}/v1/balances/{self._owner.user_id}", headers=headers)
            except httpx.TransportError:
                pass
            else:
                if answer.is_success:
                    held = answer.json()
                    if units(held["available"]) < 0 or units(held["staked"]) < 0:
                        self.told.below_zero.append(answer.text)
            await asyncio.sleep(WATCH_S)
